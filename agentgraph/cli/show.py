"""`agentgraph show`: all that a store has of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import anyio
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from agentgraph.agent import AgentState, agent_graph
from agentgraph.exceptions import DecodeError, RunNotResumable
from agentgraph.graph import JournalRecord, RunRecord, StepRecord, lineage

from .following import follow_run
from .printing import age, console, one_line, size, text
from .runs import STYLES, tokens, wakes
from .stores import DEFAULT_STORE, StoreOption, existing_store
from .transcript import transcript

__all__ = ["show"]


@dataclass(frozen=True)
class _Stored:
    run: RunRecord
    steps: Sequence[StepRecord]
    """With those of the runs that it goes on from, the oldest first."""
    calls: Sequence[JournalRecord]


def show(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `agentgraph runs` lists it.")],
    store: StoreOption = DEFAULT_STORE,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Print what it says, live, until it has ended.")] = False,
) -> None:
    """Show a run's steps, messages and journal, or follow it."""
    if follow:
        anyio.run(follow_run, store, run_id)
        return
    found = anyio.run(_read, store, run_id)
    out = console()
    _print_run(out, found)
    out.print(_steps(found.steps))
    _print_messages(out, found)
    if found.calls:
        out.print(_journal(found))


async def _read(where: str, run_id: str) -> _Stored:
    async with existing_store(where) as store:
        run = await store.load(run_id)
        return _Stored(run, await lineage(store, run), await store.calls(run_id))


def _print_run(out: Console, found: _Stored) -> None:
    run = found.run
    stored = sum(len(step.body) + len(step.state) + len(step.usage) for step in found.steps)
    begun = age(datetime.now(UTC).timestamp() - run.created_at)
    facts = {
        "run": text(run.run_id, "bold"),
        "status": text(run.status, STYLES.get(run.status, "")),
        "agent": text(run.agent or "-") if run.graph == agent_graph().name else text(f"- (graph {run.graph})"),
        "begun": text("just now" if begun == "now" else f"{begun} ago"),
        "steps": text(f"{run.seq}, next {run.pending}" if run.pending != "End" else str(run.seq)),
        "tokens": text(str(tokens(run))),
        "stored": text(size(stored)),
        "owner": text(str(run.owner)) if run.owner else None,
        "wakes": None if run.wake_at is None else text(wakes(run.wake_at, datetime.now(UTC).timestamp())),
        "error": text(run.error, "red") if run.error else None,
    }
    grid = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        if value is not None:
            grid.add_row(name, value)
    out.print(grid)


def _steps(steps: Sequence[StepRecord]) -> Table:
    table = Table("step", "node", "next", "process", title="steps", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("attempt", "took", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    for step in steps:
        if step.seq < 0:
            continue
        took = f"{(step.ended_at - step.started_at) * 1000:.0f} ms"
        written = len(step.body) + len(step.state) + len(step.usage)
        names = (text(step.node), text(step.outcome), text(step.owner))
        table.add_row(text(f"{step.branch} {step.seq}".lstrip()), *names, str(step.attempt), took, str(written))
    return table


def _print_messages(out: Console, found: _Stored) -> None:
    if found.run.graph != agent_graph().name:
        out.print("state", style="bold")
        out.print(text(found.run.state.decode(errors="replace")))
        return
    out.print("messages", style="italic")
    try:
        state: AgentState = _agent_state(found)
    except (DecodeError, RunNotResumable) as error:
        out.print(text(error.message, "red"))
        return
    out.print(transcript(state.message_history))


def _agent_state(found: _Stored) -> Any:  # Any: the codec serves graphs of any state
    # The type of the result does not matter for reading the history.
    codec = agent_graph(Any).codec
    return codec.restore(found.run.run_id, found.steps, found.run.state).state


def _journal(found: _Stored) -> Table:
    title = f"journal of step {found.run.seq}, which has not ended"
    table = Table("call", "kind", "value", title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for call in found.calls:
        table.add_row(
            text(f"{call.branch} {call.key}".lstrip()),
            call.kind.value,
            text(one_line(call.value.decode(errors="replace"))),
        )
    return table
