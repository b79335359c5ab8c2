"""What a run came to that others execute."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

from agentgraph.exceptions import AgentRunError, RunCancelled
from agentgraph.graph import RunRecord, Status, Store

from .working import was_away

__all__ = ["Resumable", "result"]

OutcomeT = TypeVar("OutcomeT")
OutcomeT_co = TypeVar("OutcomeT_co", covariant=True)


class Resumable(Protocol[OutcomeT_co]):
    """What gives the result of a run that has succeeded: an agent, a graph."""

    def run(self, *, resume: str, store: Store) -> Coroutine[Any, Any, OutcomeT_co]:
        """Go on with a run; of one that has succeeded, its stored result, and nothing is executed."""
        ...


async def result(store: Store, what: Resumable[OutcomeT], run_id: str) -> OutcomeT:
    """Wait until a run has ended; its result, as the run's own door would have returned it.

    Raises:
        RunNotFound: there is no such run, or no longer.
        RunCancelled: it was cancelled.
        AgentRunError: it has failed; `error.run_id` names it, and the message says with what.
        StoreError: the store cannot be read.
    """
    record = await _ended(store, run_id)
    match record.status:
        case Status.SUCCEEDED:
            return await what.run(resume=run_id, store=store)
        case Status.CANCELLED:
            raise RunCancelled(run_id)
        case _:
            error = AgentRunError(f"run {run_id!r} has failed at step {record.seq}: {record.error}")
            error.run_id = run_id
            raise error


async def _ended(store: Store, run_id: str) -> RunRecord:
    idle = 0
    async with store.changes(run_id) as changes:
        while True:
            record = await store.load(run_id)
            failed = record.status is Status.FAILED and not was_away(record)
            if failed or record.status in (Status.SUCCEEDED, Status.CANCELLED):
                return record
            await changes.wait(idle)
            idle += 1
