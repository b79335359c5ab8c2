"""`agentgraph runs`: the runs of a store, as a table, once or again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import anyio
import typer
from pydantic_core import from_json
from rich import box
from rich.table import Table

from agentgraph.graph import RunFilter, RunRecord, Status

from .errors import RefusedError
from .printing import age, console, text
from .stores import DEFAULT_STORE, StoreOption, existing_store
from .watching import watch_runs

__all__ = ["STYLES", "runs", "status_named", "tokens", "wakes"]

STYLES = {
    Status.SUCCEEDED: "green",
    Status.FAILED: "red",
    Status.CANCELLED: "yellow",
    Status.WAITING: "cyan",
    Status.RUNNING: "blue",
}


def runs(
    store: StoreOption = DEFAULT_STORE,
    status: Annotated[str | None, typer.Option(metavar="S", help=f"One of {', '.join(Status)}.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="A", help="Only runs of the agent with this name.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many, the newest first.")] = 20,
    *,
    due: Annotated[bool, typer.Option("--due", help="Only those that sleep and whose time has come.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing how they stand, until Ctrl-C.")] = False,
) -> None:
    """List the runs of a store."""
    named = None if status is None else status_named(status)

    def which() -> RunFilter:
        due_before = datetime.now(UTC).timestamp() if due else None
        return RunFilter(status=named, agent=agent, due_before=due_before, limit=limit)

    none = f"no runs{' like that' if status or agent or due else ''} in {store}"

    def show(found: Sequence[RunRecord]) -> Table | str:
        return _table(found) if found else none

    if watch:
        watch_runs(store, which, show)
    else:
        console().print(show(anyio.run(_list, store, which)))


def tokens(run: RunRecord) -> int:
    """How many the run has used; none of a run whose row is damaged, which hides no other one."""
    try:
        counters: dict[str, int] = from_json(run.usage)
        return counters.get("total_tokens", 0)
    except (ValueError, AttributeError):
        return 0


async def _list(where: str, which: Callable[[], RunFilter]) -> Sequence[RunRecord]:
    async with existing_store(where) as store:
        return await store.list(which())


def status_named(name: str) -> Status:
    """The status with this name.

    Raises:
        RefusedError: there is none.
    """
    try:
        return Status(name)
    except ValueError:
        raise RefusedError(f"there is no status {name!r}; there are {', '.join(Status)}") from None


def _table(found: Sequence[RunRecord]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("id", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("agent")
    for name in ("steps", "tokens", "age"):
        table.add_column(name, justify="right", no_wrap=True)
    sleeping = any(run.wake_at is not None for run in found)
    if sleeping:
        table.add_column("wakes", justify="right", no_wrap=True)
    now = datetime.now(UTC).timestamp()
    for run in found:
        table.add_row(
            text(run.run_id),
            text(run.status, STYLES.get(run.status, "")),
            text(run.agent or run.graph),
            str(run.seq),
            str(tokens(run)),
            age(now - run.created_at),
            *([wakes(run.wake_at, now)] if sleeping else []),
        )
    return table


def wakes(wake_at: float | None, now: float) -> str:
    """When a run that sleeps is to be resumed; nothing for one that does not."""
    if wake_at is None:
        return ""
    return "due" if wake_at <= now else f"in {age(wake_at - now)}"
