"""Changes the state of a stored run that nobody executes, by a step of its own.

The step is `(edit)`: it leads to the node that is pending already, and its row holds what was changed, so the history
of a run says which process changed what and when, and a fork can begin before it. The change and the release are one
commit: who dies before has changed nothing. What happened inside the pending step, finished calls and answers, goes
along to the step that follows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from agentgraph.clock import unix_time
from agentgraph.exceptions import RunFenced, RunNotResumable

from .blueprint import Blueprint
from .checks import END, FORK
from .execution import Execution
from .lifecycle import Event, Status, advance
from .questions import taken_along
from .recorder import Recorder, Turn
from .scheduler import Scheduler
from .store import ROOT, JournalKind, RunFilter, RunRecord, Store

__all__ = ["Change", "edit"]

StateT = TypeVar("StateT")

Change = Callable[[StateT], StateT | None]
"""Changes the state that it is handed, or returns another one."""


async def edit(graph: Blueprint[StateT, Any, Any], scheduler: Scheduler, run_id: str, change: Change[StateT]) -> StateT:
    """Let `change` have the state of a run, and commit what it makes of it.

    Raises:
        RunNotFound, RunBusy, RunNotResumable, RunFenced, StoreError: it cannot be had, or has no state to change.
        UserError: the new state is of another type.
        Exception: what `change` raises; nothing is changed then.
    """
    assert scheduler.store is not None  # it is asked for
    while True:
        seen = await scheduler.store.load(run_id)
        _check(seen)
        execution = await scheduler.resume(graph, seen, None)
        try:
            _check(_recorder(execution).record)  # it may have moved on since it was seen
            await _check_below(scheduler.store, _recorder(execution).record)
            execution.ctx.state = _changed(graph, execution.ctx.state, change)
            if await _commit(execution, seen):
                return execution.ctx.state
        except BaseException:
            await _give_back(execution, seen)
            raise
        await _give_back(execution, seen)  # a question was answered meanwhile: once more, with the answer


def _check(run: RunRecord) -> None:
    if run.pending == END:
        raise RunNotResumable(run.run_id, ["it has ended, and its state is what it ended with; fork it to change that"])
    if run.pending == FORK:
        problem = "it stands inside a fork, whose branches have states of their own; go on until they are joined"
        raise RunNotResumable(run.run_id, [problem])


async def _check_below(store: Store, run: RunRecord) -> None:
    """Refuse a run whose pending step has runs below it: their ids name the step, which would be another one."""
    below = [child.run_id for child in await store.list(RunFilter(parent=run.run_id))]  # the newest first
    started = [run_id for run_id in below if run_id.startswith(f"{run.run_id}/{ROOT}:{run.seq}/")]
    if started:
        problem = (
            f"step {run.seq}, which has not ended, has started {', '.join(started)}; go on until the step has ended"
        )
        raise RunNotResumable(run.run_id, [problem])


def _changed(graph: Blueprint[StateT, Any, Any], state: StateT, change: Change[StateT]) -> StateT:
    other = change(state)
    state = state if other is None else other
    graph.check_state(state)
    return state


async def _commit(execution: Execution[Any, Any, Any], seen: RunRecord) -> bool:
    """Whether it is written; not if the run waits and was answered since it was claimed."""
    ctx, recorder = execution.ctx, _recorder(execution)
    rows = await recorder.store.calls(ctx.run_id)
    along, now = taken_along(rows, ctx.run_id, ctx.seq + 1), unix_time(ctx.clock)
    asks = any(row.kind is JournalKind.ASKED for row in rows)
    sleeps = seen.wake_at is not None  # which no step can write
    status = Status.RUNNING if sleeps else advance(Status.RUNNING, Event.WAIT if asks else Event.RELEASE)
    turn = Turn(ctx.seq, None, execution.pending, now, now, ROOT, ctx.attempt, calls=along)
    try:
        execution.root.status = await recorder.commit(turn, ctx.state, journaled=bool(rows), told=True, status=status)
    except RunFenced:
        record = await recorder.store.load(ctx.run_id)
        if (record.epoch, record.seq) != (recorder.record.epoch, ctx.seq):
            raise
        recorder.held = True  # it is nobody else's: what the commit would have taken along has changed
        return False
    if sleeps and execution.status is Status.RUNNING:
        execution.root.status = advance(Status.RUNNING, Event.WAIT)
        await recorder.settle(Event.WAIT, wake_at=seen.wake_at)
    return True


async def _give_back(execution: Execution[Any, Any, Any], seen: RunRecord) -> None:
    if execution.status is Status.RUNNING:
        await _recorder(execution).give_back(seen)


def _recorder(execution: Execution[Any, Any, Any]) -> Recorder:
    assert execution.recorder is not None  # there is a store
    return execution.recorder
