"""One run as this process holds it, from claim to release.

One step is: check the node, take its turn, check its outcome, commit. What a step raises ends the execution: an error
fails the run, a cancellation cancels it, and either way the pending node is kept, so that the run can be resumed.
Without a store the same happens, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic

from typing_extensions import TypeVar

from agentgraph.concurrency import cancel_held_back, heed_cancel
from agentgraph.exceptions import (
    AgentRunError,
    GraphRuntimeError,
    RunCancelled,
    RunFenced,
    RunPaused,
    RunWaiting,
    StoreError,
)

from .branches import Branches
from .codec import Restored
from .context import GraphRunContext
from .events import RunEnded
from .frontier import ENDS, Frontier
from .journal import Journal
from .lifecycle import Event, Status, advance
from .node import BaseNode, End, is_fork
from .questions import Question
from .recorder import Recorder
from .store import ROOT, JournalRecord
from .strand import Strand, id_of

__all__ = ["Execution"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=None)


@dataclass(slots=True)
class Execution(Generic[StateT, DepsT, ResultT]):
    """A run as this process holds it, from claim to release. Not shared between tasks."""

    root: Strand[StateT, DepsT, ResultT]
    branches: Branches[StateT, DepsT, ResultT] | None = None
    """Where the root stands at a fork: what is walked inside of it."""
    options: bytes = b"{}"
    """What the run was started with, as `RunInfo.options` had it."""
    adopt: Callable[[StateT, StateT], None] | None = None
    """Told of the state so far and of the one that is read back in its place, for a step to be taken anew."""
    one_turn: bool = False
    """Of the branches that are open, one takes one turn in a step; else all are walked to their join."""

    @property
    def ctx(self) -> GraphRunContext[StateT, DepsT]:
        """What the nodes of the root run with."""
        return self.root.ctx

    @property
    def status(self) -> Status:
        """What the run is, as far as is known here."""
        return self.root.status

    @property
    def recorder(self) -> Recorder | None:
        """What writes the run; None where it is kept nowhere."""
        return self.root.recorder

    @property
    def pending(self) -> BaseNode[StateT, DepsT, ResultT] | End[ResultT]:
        """What comes next."""
        pending = self.root.frontier.root.outcome
        assert not isinstance(pending, ENDS)  # the root ends with an End
        return pending

    async def step(self, node: BaseNode[StateT, DepsT, ResultT]) -> BaseNode[StateT, DepsT, ResultT] | End[ResultT]:
        """Let `node` take its turn and commit it; a node other than the pending one replaces it first.

        Raises:
            GraphRuntimeError: the node is not in the graph, led where it may not, or the execution is over.
            RunFenced: another process has taken the run over; nothing was written.
            RunCancelled: somebody asked for that; the step was committed.
            RunWaiting: the node waits for answers; the run sleeps.
            StoreError: the store cannot be written; nothing was.
            DeadlineExceeded: the run's deadline is over.
        """
        root = self.root
        pending, goes_on = root.frontier.root.outcome, root.status is Status.RUNNING
        if not goes_on or isinstance(pending, End):
            raise self._closed()
        if node is not pending:  # that one was checked when it became so
            root.graph.check_node(node)
        try:
            if node is not pending:
                await self._replace(node)
            try:
                await self._take_turn(node)
            except RunWaiting as waiting:
                await self._take_turn_awake(waiting)
            if cancel_held_back():
                await heed_cancel()
        except BaseException as error:
            await self.end(error)
            raise
        if root.status is not Status.RUNNING:
            self._check_cancelled()
            root.ctx.outlet.tell(RunEnded(root.ctx.run_id, root.status))
        return self.pending

    async def end(self, error: BaseException | None = None) -> None:
        """Give the run up if it is still held: released, or failed by an error, or cancelled by a cancellation.

        Raises:
            RunCancelled: a run below this one was cancelled, and so is this one.
        """
        if self.status is not Status.RUNNING:
            return
        if error is not None and not isinstance(error, Exception):
            error = self._stopped() or error
        if error is None or (isinstance(error, RunPaused) and error.run_id == self.ctx.run_id):
            await self._settle(Event.RELEASE, None)
        elif isinstance(error, RunWaiting) and self.recorder is not None:
            await self._end_waiting(self.recorder, error)
        elif isinstance(error, RunCancelled) and (error.run_id or "").startswith(f"{self.ctx.run_id}/"):
            await self.cancel()
            raise RunCancelled(self.ctx.run_id) from error
        elif isinstance(error, Exception) and not self._is_own_cancel(error):
            await self._fail(error)
        else:
            await self._cancel()

    async def cancel(self) -> None:
        """Give the run up as cancelled, or as what stopped it; what its pending node says of its turn is kept."""
        if self.status is not Status.RUNNING:
            return
        stopped = self._stopped()
        if stopped is None or self._is_own_cancel(stopped):
            await self._cancel()
        else:
            await self._fail(stopped)

    def _stopped(self) -> Exception | None:
        return self.ctx.interruption.error(self.ctx.seq)

    def _is_own_cancel(self, error: Exception) -> bool:
        return isinstance(error, RunCancelled) and error.run_id == self.ctx.run_id

    async def _cancel(self) -> None:
        try:
            await self._keep(Status.CANCELLED)
        finally:
            if self.status is Status.RUNNING:
                await self._settle(Event.CANCEL, None)

    async def _fail(self, error: Exception) -> None:
        """Give the run up as failed; what the pending node has done of its turn is kept as by a cancellation."""
        self.ctx.failure = error
        if self.recorder is not None and self.ctx.interruption.forbids_writing:
            self.recorder.held = False
        where = f"run {self.ctx.run_id!r}, step {self.ctx.seq} ({id_of(self.pending)})"
        try:
            if not isinstance(error, StoreError | RunFenced):  # they say that nothing can be written
                await self._keep(Status.RUNNING)
        finally:
            if self.status is Status.RUNNING:
                await self._settle(Event.FAIL, f"{type(error).__name__}: {error}")
        if not isinstance(error, AgentRunError):
            error.add_note(f"raised in {where}")
        elif error.run_id is None:
            error.run_id = self.ctx.run_id

    async def _keep(self, status: Status) -> None:
        """Commit the step that ends in the middle, if its node says what it came to and that can be written."""
        pending = self.pending
        if isinstance(pending, End) or self.recorder is None:
            return
        kept = pending.interrupted(self.ctx)
        if kept is None:
            return
        with suppress(StoreError, RunFenced):
            await self.root.lead_to(kept, status)
            if self.status is not Status.RUNNING:
                self.ctx.outlet.tell(RunEnded(self.ctx.run_id, self.status))

    async def _end_waiting(self, recorder: Recorder, waiting: RunWaiting) -> None:
        """Put the run to sleep; if an answer came meanwhile it is released: whoever resumes it finds the answer."""
        try:
            await self._sleep(recorder, waiting)
        except Exception as error:  # only a cancellation that somebody asked for ends the run before this
            await self.end(error)
            raise
        if self.status is Status.RUNNING:
            await self._settle(Event.RELEASE, None)

    async def _sleep(self, recorder: Recorder, waiting: RunWaiting) -> None:
        """Put the run to sleep for what its node waits for; it stays awake if that came meanwhile.

        Raises:
            RunCancelled: somebody asked for that.
            RunFenced, StoreError: nothing was written.
        """
        if self.branches is not None:
            asked = self.branches.asked
        else:
            questions = [question for question in waiting.questions if isinstance(question, Question)]
            asked = [question.row(self.ctx.run_id, self.ctx.seq, ROOT) for question in questions]
        if waiting.wake_at is not None and waiting.wake_at <= self.ctx.now():
            await recorder.stay_awake(self._journals())
        else:
            self.root.status = await recorder.wait(asked, self._journals(), waiting.wake_at)
        waiting.run_id = self.ctx.run_id
        self._check_cancelled()
        if self.status is not Status.RUNNING:
            self.ctx.outlet.tell(RunEnded(self.ctx.run_id, self.status))

    async def _take_turn_awake(self, waiting: RunWaiting) -> None:
        """Put the run to sleep, or take the turn anew where an answer came before it was asleep."""
        while self.recorder is not None:
            await self._sleep(self.recorder, waiting)
            if self.status is not Status.RUNNING:
                break
            node = await self._again(self.recorder)
            try:
                await self._take_turn(node)
            except RunWaiting as again:
                waiting = again
            else:
                return
        raise waiting

    async def _again(self, recorder: Recorder) -> BaseNode[StateT, DepsT, ResultT]:
        """The pending node anew, with the state as it was before the attempt that ended."""
        restored, rows = await recorder.reread()
        if self.adopt is not None:
            self.adopt(self.ctx.state, restored.state)
        self.ctx.state = restored.state
        self.take_up(restored, self.ctx.seq, rows)
        pending = self.pending
        assert not isinstance(pending, End)  # a step was under way
        return pending

    async def _settle(self, event: Event, error: str | None) -> None:
        self.root.status = advance(self.status, event)
        if self.recorder is not None:
            self.ctx.live.flush()
            await self.recorder.settle(event, error, self._journals())
        self.ctx.outlet.tell(RunEnded(self.ctx.run_id, self.status, error))

    def _take_turn(self, node: BaseNode[StateT, DepsT, ResultT]) -> Coroutine[Any, Any, object]:
        return self._walk() if is_fork(node) else self.root.take_turn(node)

    async def _walk(self) -> None:
        self.branches = self.branches or Branches(self.root)
        with self.ctx.interruption.covering(self.ctx.seq):
            await self.branches.walk(one_turn=self.one_turn)
        self.branches = self.branches if is_fork(self.pending) else None

    async def _replace(self, node: BaseNode[StateT, DepsT, ResultT]) -> None:
        self.branches = None
        await self.root.lead_to(node, edited=True)
        self._check_cancelled()

    def take_up(self, restored: Restored, seq: int, rows: Sequence[JournalRecord]) -> None:
        """Stand where the run was last committed, before step `seq`; `rows` is its journal."""
        pending = {path: branch.pending for path, branch in restored.branches.items()}
        self.root.frontier = Frontier(seq, restored.pending, pending)
        self.ctx.seq = seq
        self.ctx.journal.begin(seq, rows)
        self.branches = Branches(self.root, restored.branches, rows) if is_fork(restored.pending) else None

    def _journals(self) -> list[Journal]:
        return [self.ctx.journal] if self.branches is None else self.branches.journals

    def _check_cancelled(self) -> None:
        if self.status is Status.CANCELLED:
            self.ctx.outlet.tell(RunEnded(self.ctx.run_id, self.status))
            raise RunCancelled(self.ctx.run_id)

    def _closed(self) -> GraphRuntimeError:
        run_id = self.ctx.run_id
        return GraphRuntimeError(f"run {run_id!r} is {self.status} and takes no step; go on with `resume={run_id!r}`")
