"""Runs that go on from others: forks, and the turns of a conversation. History is pointed at, never copied.

A run with an `origin` `(run, n)` begins where the steps of that run below `n` left it. A fork has no opening of its
own: its first step is `n`. The next turn of a conversation has one, on top of all steps of the turn before. Either
way the rows of a run are those of its origin below `n`, then its own.
"""

from __future__ import annotations

from pydantic_core import from_json, to_json

from agentgraph.exceptions import UserError

from .checks import END
from .lifecycle import Status
from .store import OPENING, JournalKind, NewRun, RunRecord, StepRecord, Store

__all__ = ["fork", "lineage"]


async def lineage(store: Store, record: RunRecord, below: int | None = None) -> list[StepRecord]:
    """All rows that a run consists of, the oldest first, or only those `below` one of its steps.

    Raises:
        RunNotFound: a run that it goes on from is gone.
        StoreError: the store cannot be read, or was opened without the key of what is encrypted.
    """
    record.check_readable()
    newest_first: list[list[StepRecord]] = []
    while True:  # a conversation may have more turns than Python has frames
        own = await store.steps(record.run_id)
        newest_first.append([row for row in own if below is None or row.seq < below])
        if record.origin is None:
            return [row for rows in reversed(newest_first) for row in rows]
        origin, at = record.origin
        forked = not own or own[0].seq != OPENING
        below = min(at, below) if forked and below is not None else at
        record = await store.load(origin)


async def fork(
    store: Store, record: RunRecord, run_id: str, step: int | None = None, conversation: str | None = None
) -> RunRecord:
    """Make a run that goes on from another: at its step `step` as it was then, by default where it stands now.

    Nothing is executed, and the other run is not touched. At the step that is pending there, the finished calls of the
    journal come along, questions and answers do not.

    Raises:
        UserError: it has no such step.
        RunExists, StoreError: see `Store.create`.
    """
    at = record.seq if step is None else step
    if not 0 <= at <= record.seq:
        raise UserError(f"run {record.run_id!r} has no step {at} to fork at; its steps are 0 to {record.seq}")
    rows = await lineage(store, record, at)
    state: dict[str, object] = {}
    usage = b"{}"
    for row in rows:
        state |= from_json(row.state) if row.state else {}
        usage = row.usage or usage
    pending = rows[-1].outcome
    finished = (JournalKind.DONE, JournalKind.LOST)
    calls = [row for row in await store.calls(record.run_id) if row.seq == at and row.kind in finished]
    return await store.create(
        NewRun(
            run_id=run_id,
            graph=record.graph,
            agent=record.agent,
            seq=at,
            pending=pending,
            status=Status.SUCCEEDED if pending == END else Status.PENDING,
            state=to_json(state),
            usage=usage,
            options=record.options,
            conversation=conversation,
            origin=(record.run_id, at),
            named=True,
            calls=calls,
        )
    )
