"""What can be done, from anywhere, to runs of an agent that are stored: answer, cancel, fork, follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from agentgraph.clock import new_run_id
from agentgraph.concurrency import shielded
from agentgraph.graph import Question, Status, Store, cancel_tree, fork
from agentgraph.stores import open_store

from .answers import ToolRequest, hand_in, open_requests
from .options import StoreLike
from .toolbox import Toolbox

if TYPE_CHECKING:
    from agentgraph.graph import Followed, Until

    from .following import AgentRunEvent

__all__ = ["StoredRuns"]


class StoredRuns(ABC):
    """The doors to an agent's stored runs; none of them executes anything."""

    _toolbox: Toolbox

    @abstractmethod
    def _store(self) -> Store: ...

    async def answer(self, run_id: str, key: str, answer: Any, *, store: StoreLike | None = None) -> None:
        """Answer a call that a run waits for: from any process, one at a time, in any order.

        The answer is only stored; `run(resume=run_id)` goes on when all are there.

        Args:
            run_id: the run that waits.
            key: the call's id, or the key of its request.
            answer: `ToolApproved`, `ToolDenied`, or what the call is to return.
            store: where the run is kept, if not where the agent says.

        Raises:
            RunNotFound: there is no such run.
            UserError: the call is not waiting, was answered already, or the answer does not fit it.
            StoreError: the store cannot be written.
        """
        where = self._store() if store is None else open_store(store)
        await hand_in(where, await where.load(run_id), {key: answer}, self._toolbox.tools)

    async def requests(self, run_id: str, *, store: StoreLike | None = None) -> list[ToolRequest | Question]:
        """What a run waits for now: the calls that it asks about, those of runs that its tools have started included.

        What a graph of your own asks comes as its `Question`.

        Raises:
            RunNotFound: there is no such run.
            StoreError: the store cannot be read.
        """
        where = self._store() if store is None else open_store(store)
        await where.load(run_id)
        return await open_requests(where, run_id)

    async def cancel(self, run_id: str, *, store: StoreLike | None = None) -> Status:
        """Ask for the cancellation of a run and of those that its tools started; it can be resumed.

        Who executes the run in this process stops at once, in another one at the run's next commit or when its lease is
        renewed, which is every third of `lease`. A run that nobody executes is cancelled at once.

        Returns:
            The run's status now: `RUNNING` as long as its owner has not seen it.

        Raises:
            RunNotFound: there is no such run.
            StoreError: the store cannot be written.
        """
        # Shielded, so that a tool which cancels its own run comes to its end, and is not called again on resume.
        return await shielded(cancel_tree(self._store() if store is None else open_store(store), run_id))

    async def fork(
        self,
        run_id: str,
        *,
        step: int | None = None,
        new_id: str | None = None,
        conversation: str | None = None,
        store: StoreLike | None = None,
    ) -> str:
        """Make a run that goes on from another one: at its step `step` as it was then, by default where it stands now.

        Returns:
            The id of the new run, to be resumed: as it is, or changed through `iter` and `next`.

        Raises:
            RunNotFound: there is no such run.
            UserError: it has no such step.
            RunExists: there is a run `new_id` already.
        """
        where = self._store() if store is None else open_store(store)
        made = await fork(where, await where.load(run_id), new_id or new_run_id(), step, conversation)
        return made.run_id

    def events(
        self,
        run_id: str,
        *,
        after: str | None = None,
        until: Until = "ended",
        store: StoreLike | None = None,
    ) -> AsyncGenerator[Followed[AgentRunEvent]]:
        """What a stored run has told so far, and then what it tells, live; from any process.

        Steps, messages, ends of tool calls and the run's end are told of every run, text as it comes of runs that are
        streamed. Who follows, however slowly, does not hold the run up.

        Args:
            run_id: the run.
            after: the offset of the last event that the caller has had; by default from the beginning.
            until: when to end: `'now'`, with what is stored; `'ended'`, when the run has succeeded, failed, was
                cancelled or waits for an answer; `'succeeded'`, not before that, whoever resumes the run until then.
            store: where the run is kept, if not where the agent says.

        Raises:
            RunNotFound: there is no such run, or it was deleted meanwhile.
            UserError: `after` is no offset of this run.
            StoreError: the store cannot be read.
        """
        from agentgraph.graph import Follower

        from .following import MessageTells, OwnEvent

        where = self._store() if store is None else open_store(store)
        return Follower[OwnEvent](where, run_id, MessageTells()).events(after, until)
