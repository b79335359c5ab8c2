"""One branch of a run as this process walks it, the root among them: a node takes its turn, its step is committed."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic

from typing_extensions import TypeIs, TypeVar

from agentgraph.clock import unix_time
from agentgraph.exceptions import GraphRuntimeError

from .appended import AppendedList
from .attempts import Attempts, retries
from .blueprint import Blueprint
from .checks import END, FAILED, JOIN
from .context import GraphRunContext
from .events import StepEnded, StepStarted
from .frontier import Frontier, Outcome
from .journal import Journal
from .ledger import Node
from .lifecycle import Status
from .live import Live
from .node import BaseNode, BranchError, End, Join, is_fork
from .recorder import Recorder, Turn
from .stated import copied
from .store import ROOT, JournalRecord

__all__ = ["Strand", "id_of", "is_node"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=None)


@dataclass(slots=True)
class Strand(Generic[StateT, DepsT, ResultT]):
    """Not shared between tasks."""

    graph: Blueprint[StateT, DepsT, ResultT]
    ctx: GraphRunContext[StateT, DepsT]
    frontier: Frontier
    """Of the whole run."""
    recorder: Recorder | None = None
    """Likewise."""
    path: str = ROOT
    status: Status = Status.RUNNING
    """What the last step made of the run."""

    @property
    def pending(self) -> Outcome:
        """What comes next."""
        return self.frontier.pending(self.path).outcome

    async def take_turn(self, node: BaseNode[StateT, DepsT, ResultT]) -> Outcome:
        """Run the pending node and commit its step.

        Raises:
            GraphRuntimeError: it led where it may not.
            RunFenced, StoreError: nothing was written.
            RunCancelled, DeadlineExceeded: that stopped it.
        """
        ctx = self.ctx
        if ctx.outlet.observers:
            ctx.outlet.tell(StepStarted(ctx.run_id, ctx.seq, ctx.attempt, node.get_node_id(), self.path))
        started = unix_time(ctx.clock) if self.recorder is not None else None
        stop, policies = ctx.interruption, self.graph.policies
        if stop.idle:
            outcome = await (self._turn(node) if policies else node.run(ctx))
        else:
            with stop.covering(ctx.seq):
                outcome = await self._turn(node)
        if type(outcome) not in self.graph.successors.get(type(node), ()):  # else it is one of them
            self._check_outcome(node, outcome)
        if started is not None:
            self.status = await self._commit(node, outcome, (started, unix_time(ctx.clock)))
        elif isinstance(outcome, End):
            self.status = Status.SUCCEEDED
        self._move_on(outcome)
        if ctx.outlet.observers:
            ctx.outlet.tell(StepEnded(ctx.run_id, ctx.seq - 1, node.get_node_id(), id_of(outcome), self.path))
        return outcome

    async def lead_to(self, outcome: Outcome, status: Status | None = None, *, edited: bool = False) -> None:
        """Commit a step whose turn was not taken, or not to its end; the run becomes `status` by it.

        `edited`: what was pending is replaced, nothing of it has run.

        Raises:
            RunFenced, StoreError: nothing was written.
        """
        if self.recorder is not None:
            pending, now = self.pending, unix_time(self.ctx.clock)
            ran = None if edited or not is_node(pending) else pending
            self.status = await self._commit(ran, outcome, (now, now), status)
        self._move_on(outcome)

    async def fail(self, error: Exception) -> None:
        """End the branch with an error that the join is handed.

        Raises:
            RunFenced, StoreError: nothing was written.
        """
        failed = self.pending
        outcome = BranchError(self.path, type(error).__name__, str(error))
        await self.lead_to(outcome)
        self.ctx.outlet.tell(StepEnded(self.ctx.run_id, self.ctx.seq - 1, id_of(failed), id_of(outcome), self.path))

    def open(self, path: str) -> Strand[StateT, DepsT, ResultT]:
        """A branch of the fork at which this one stands, with a copy of the state as it is here."""
        lists = self.graph.appended_fields
        state = copied(self.ctx.state, lists)
        if self.recorder is not None:
            for name in lists:
                stored: AppendedList[Any] = getattr(state, name)
                stored.mark_stored()
            position = int(path.rpartition(":")[2])
            self.recorder.ledgers[path] = self.recorder.ledgers[self.path].branch(position, state)
        return self.branch(path, state, 0)

    def branch(
        self, path: str, state: StateT, seq: int, rows: Iterable[JournalRecord] = ()
    ) -> Strand[StateT, DepsT, ResultT]:
        """The same of a branch that stands before step `seq`, of which `rows` are known."""
        journal = Journal(self.recorder, self.ctx.run_id)
        journal.begin(seq, rows, path)
        attempt = self.ctx.attempt + retries(journal)
        ctx = replace(self.ctx, state=state, seq=seq, attempt=attempt, branch=path, journal=journal)
        ctx.live, ctx.failure = Live(), None
        return Strand(self.graph, ctx, self.frontier, self.recorder, path)

    def _turn(self, node: BaseNode[StateT, DepsT, ResultT]) -> Coroutine[Any, Any, Outcome]:
        policy = self.graph.policies.get(node.get_node_id())
        if policy is None:
            return node.run(self.ctx)
        return Attempts(policy, self.ctx, self.frontier, self.recorder, self.graph.appended_fields).take(node)

    def _commit(
        self, ran: Node | None, outcome: Outcome, times: tuple[float, float], status: Status | None = None
    ) -> Coroutine[Any, Any, Status]:
        """Write the step in which `ran` led to `outcome`, begun and ended at these times."""
        ctx, pending = self.ctx, self.frontier.pending(self.path)
        closes = pending.joined or is_fork(pending.outcome)
        turn = Turn(ctx.seq, ran, outcome, times[0], times[1], self.path, ctx.attempt, closes)
        told = ctx.live.ends(ctx.seq, ctx.attempt)
        assert self.recorder is not None  # whoever has nowhere to write commits nothing
        return self.recorder.commit(turn, ctx.state, journaled=ctx.journal.written, told=told, status=status)

    def _move_on(self, outcome: Outcome) -> None:
        ctx = self.ctx
        self.frontier.after(self.path, outcome)
        ctx.seq += 1
        ctx.attempt = 1
        ctx.journal.begin(ctx.seq, branch=self.path)

    def _check_outcome(self, node: Node, outcome: Outcome) -> None:
        definition = self.graph.definition_of(node)
        match outcome:
            case _ if is_fork(outcome):
                allowed, what = definition.forks_into(outcome), id_of(outcome)
            case _ if is_node(outcome):
                self.graph.definition_of(outcome)
                allowed, what = definition.leads_to(outcome), outcome.get_node_id()
            case End():
                allowed, what = definition.end is not None and self.path == ROOT, END
            case Join():
                allowed, what = bool(definition.joins) and self.path != ROOT, JOIN
            case _:
                allowed, what = False, f"{type(outcome).__name__}, neither a node nor an End"
        if not allowed:
            reason = self._why(outcome) or "which its return annotation does not name"
            message = f"{definition.node_id}.run returned {what}, {reason}"
            raise GraphRuntimeError(message)

    def _why(self, outcome: Outcome) -> str | None:
        if self.path == ROOT and isinstance(outcome, Join):
            return "and there is no fork whose branch it could end: a run ends with an End"
        if self.path != ROOT and isinstance(outcome, End):
            return f"inside branch {self.path}: a branch ends with a Join"
        return None


def id_of(outcome: Outcome) -> str:
    """What an outcome is called in events and errors."""
    match outcome:
        case End():
            return END
        case Join():
            return JOIN
        case BranchError():
            return FAILED
        case _ if is_fork(outcome):
            return f"Fork to {outcome.join.get_node_id()}"
        case _:
            return outcome.get_node_id()


def is_node(value: object) -> TypeIs[Node]:
    """Whether it is a node that takes a turn, or a fork."""
    return isinstance(value, BaseNode)
