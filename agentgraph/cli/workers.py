"""`agentgraph workers`: who executes the runs of a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from pydantic_core import to_json
from rich import box
from rich.table import Table

from agentgraph.distributed import WorkerState

from .dispatched import JsonOption, asked, of_database
from .printing import age, console, text
from .stores import DEFAULT_STORE, StoreOption

__all__ = ["workers"]

STYLES = {"serving": "green", "ending": "yellow", "silent": "yellow", "gone": "red"}


def workers(store: StoreOption = DEFAULT_STORE, *, json: JsonOption = False) -> None:
    """List the workers that execute submitted runs."""
    found = asked(store, lambda dispatcher: of_database(dispatcher).state()).workers
    if json:
        console().print(to_json([asdict(each) for each in found]).decode(), soft_wrap=True)
    else:
        console().print(_table(found) if found else "no workers; start one with `agentgraph worker`")


def _table(found: Sequence[WorkerState]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("executor", "host", "pid", "status"):
        table.add_column(name, no_wrap=True)
    table.add_column("queues")
    for name in ("running", "at most", "silent", "up"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        table.add_row(
            text(each.executor),
            text(each.host),
            str(each.pid),
            text(each.status, STYLES[each.status]),
            text(", ".join(each.queues)),
            str(each.running),
            "any" if each.concurrency is None else str(each.concurrency),
            f"{each.silent:.1f} s",
            age(each.up),
        )
    return table
