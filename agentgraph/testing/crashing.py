"""Crashes a scenario at each of its commit points, inside this process."""

from __future__ import annotations

from agentgraph.portal import run_sync

from .attempt import Scenario
from .living import live
from .places import OpenStore, in_memory
from .plan import Life, Note, Process, plan
from .report import CrashReport

__all__ = ["crash_points", "crash_points_sync"]


async def crash_points(scenario: Scenario, *, store: OpenStore | None = None) -> CrashReport:
    """Run a scenario unkilled, then once for every commit point with the death of its process there, and compare.

    A process that dies writes and reads nothing more, and its claim is free for the next one, which goes on with the
    run. All of it happens in this process: code in `finally` blocks and in threads still runs, which a killed process
    would not do. `kill_points` leaves nothing to the imagination.

    Args:
        scenario: runs the agent to its end with `attempt.options`, the same way each time it is called.
        store: where to keep the runs: `in_memory()`, the default, `sqlite_in(folder)`, or any function that opens the
            store of a place.

    Raises:
        UserError: the scenario does not run an agent where it is told to, or a place was not empty.
        Exception: what the scenario raises unkilled, unless that fails its run or lets it wait.
    """
    places = in_memory() if store is None else store
    steps = plan()
    process = next(steps)
    while True:
        life = await _live(scenario, places, process)
        try:
            process = steps.send(life)
        except StopIteration as ended:
            report: CrashReport = ended.value
            return report


def crash_points_sync(scenario: Scenario, *, store: OpenStore | None = None) -> CrashReport:
    """`crash_points` for sync code."""
    return run_sync(lambda: crash_points(scenario, store=store))


async def _live(scenario: Scenario, store: OpenStore, process: Process) -> Life:
    notes = list[Note]()
    await live(scenario, store, process, notes.append, die=_go_on)
    return Life.told(notes)


def _go_on() -> None:
    """Nothing ends the process: its store, dead, ends the scenario."""
