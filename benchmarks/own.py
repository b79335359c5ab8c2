"""What is measured of ours alone, or beside a floor that no other library has: rows of figures, each by a function.

A row has its name in `workload`; the other keys are figures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pytest

from .crowds import durable_crowd, step_latency
from .dispatch import dispatch_cost, idle_worker, start_latency, throughput
from .durable import long_run
from .following import follow_latency
from .loops import long_loop
from .resumes import resumed

__all__ = ["QUICK", "ROWS", "Row", "measured", "text"]

Row = Mapping[str, float | str]

QUICK: Sequence[Callable[[], Row]] = (
    step_latency,
    partial(durable_crowd, 64, "SQLite FULL"),
    partial(resumed, 400, 1_000),
    partial(resumed, 400, 20_000),
)
"""Those that take a few seconds."""

ROWS: Sequence[Callable[[], Row]] = (
    *QUICK,
    partial(long_loop, "nowhere"),
    partial(long_loop, "memory"),
    partial(long_loop, "SQLite"),
    partial(long_run, 400, 1_000, "FULL"),
    partial(long_run, 400, 1_000, "NORMAL"),
    partial(long_run, 400, 20_000, "NORMAL"),
    partial(durable_crowd, 1, "SQLite FULL"),
    partial(durable_crowd, 64, "SQLite NORMAL"),
    partial(durable_crowd, 1, "PostgreSQL"),
    partial(durable_crowd, 8, "PostgreSQL"),
    partial(durable_crowd, 64, "PostgreSQL"),
    partial(follow_latency, "SQLite"),
    partial(follow_latency, "PostgreSQL"),
    start_latency,
    idle_worker,
    dispatch_cost,
    partial(throughput, 1),
    partial(throughput, 3),
)


def measured(rows: Sequence[Callable[[], Row]]) -> list[Row]:
    """What these say; one that fails, or has no server, is left out and said to be."""
    found: list[Row] = []
    for row in rows:
        try:
            found.append(row())
        except (Exception, pytest.skip.Exception) as error:  # noqa: BLE001 - the others are measured all the same
            print(f"{row} is left out: {error!r}", file=sys.stderr)
    return found


def text(row: Row) -> str:
    """A row in a line."""
    figures = "  ".join(f"{name} {value:.3g}" for name, value in row.items() if isinstance(value, float | int))
    return f"{row['workload']:<42} {figures}"
