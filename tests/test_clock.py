"""The machine's own clocks, and ids."""

from __future__ import annotations

from datetime import UTC, timedelta

from agentgraph.clock import SystemClock, new_run_id


def test_the_wall_clock_is_in_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() == timedelta(0)
    assert now.tzinfo is UTC


def test_the_other_clock_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()


def test_ids_are_fresh() -> None:
    ids = {new_run_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(run_id) == 32 and int(run_id, 16) >= 0 for run_id in ids)
