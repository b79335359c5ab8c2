"""An agent's run as its caller sees it: the graph's run, with the agent's words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Generic, TypeAlias

from typing_extensions import TypeVar

from agentgraph.exceptions import AgentRunError, RunPaused, RunWaiting
from agentgraph.graph import BaseNode, End, GraphRun
from agentgraph.usage import Usage

from .answers import tell_requests
from .capture import claim_capture
from .config import AgentContext, RunConfig
from .result import AgentRunResult
from .state import AgentState, FinalResult

if TYPE_CHECKING:
    from agentgraph.graph import Picture

__all__ = ["AgentNode", "AgentRun"]

DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=str)
T = TypeVar("T")

AgentNode: TypeAlias = BaseNode[AgentState, RunConfig[DepsT], FinalResult[ResultT]]
"""Any node of the agent graph."""


class AgentRun(Generic[DepsT, ResultT]):
    """One run of an agent: iterate over its nodes, or hand each to `next`."""

    __slots__ = ("_capture", "_ctx", "_run")

    def __init__(self, run: GraphRun[AgentState, RunConfig[DepsT], FinalResult[ResultT]]) -> None:
        self._run, self._ctx = run, run.ctx
        self._capture = claim_capture()

    @property
    def run_id(self) -> str:
        """The id by which the run can be resumed."""
        return self._run.run_id

    @property
    def ctx(self) -> AgentContext[DepsT]:
        """What the nodes run with; their streams want it."""
        return self._ctx

    @property
    def next_node(self) -> AgentNode[DepsT, ResultT] | End[FinalResult[ResultT]]:
        """The node that comes next, or the End."""
        return self._run.next_node

    @property
    def result(self) -> AgentRunResult[ResultT] | None:
        """What the run ended with; None while it has not."""
        pending = self._run.next_node
        if not isinstance(pending, End):
            return None
        return AgentRunResult(pending.data.data, self._ctx.run_id, self._ctx.state, pending.data)

    @property
    def paused(self) -> RunPaused | None:
        """What `break_before` stopped the iteration for; None if nothing of it has."""
        return self._run.paused

    def usage(self) -> Usage:
        """What the run used so far, on top of what it started from."""
        return self._ctx.state.usage

    async def next(
        self, node: AgentNode[DepsT, ResultT] | None = None
    ) -> AgentNode[DepsT, ResultT] | End[FinalResult[ResultT]]:
        """Take one step: run `node`, by default the one that comes next, and commit it. Returns what comes after it.

        Raises:
            AgentRunError, Exception: what the node raises; `GraphRun.next` says what else.
        """
        return await self._telling(self._run.next(node))

    async def heed_breakpoint(self) -> None:
        """Stop before the node that comes next if `break_before` says so; the second time, this goes past.

        Raises:
            RunPaused: it does.
        """
        await self._telling(self._run.heed_breakpoint())

    async def finish(self) -> AgentRunResult[ResultT]:
        """Take all steps that are left.

        Raises:
            AgentRunError, Exception: as `next`.
        """
        try:
            with self._ctx.interruptible():  # one for all steps
                while not isinstance(await self._run.advance(), End):
                    pass
        except AgentRunError as error:
            self._tell(error)
            raise
        finally:
            self.show_messages()
        result = self.result
        assert result is not None  # that is where a run ends
        return result

    def picture(self) -> Picture:
        """The graph of every agent, with what comes next set off."""
        return self._run.picture()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.picture().mime_bundle()

    async def cancel(self) -> None:
        """End the run as cancelled; what has come of an open reply is kept, and the run can be resumed."""
        await self._run.cancel()

    def __aiter__(self) -> AsyncIterator[AgentNode[DepsT, ResultT] | End[FinalResult[ResultT]]]:
        return self

    async def __anext__(self) -> AgentNode[DepsT, ResultT] | End[FinalResult[ResultT]]:
        """The first node at first, then what each step leads to, the End last."""
        if not self._run.started:
            return await anext(self._run)
        return await self._telling(self._run.__anext__())

    def stopped(self) -> AgentRunError | None:
        """What stopped the run in the middle of a step; None if nothing did."""
        error = self.ctx.interruption.error(self.ctx.seq)
        return None if error is None else self._told(error)

    async def _telling(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except AgentRunError as error:
            self._tell(error)
            raise
        finally:
            self.show_messages()

    def _tell(self, error: AgentRunError) -> None:
        if isinstance(error, RunWaiting):
            tell_requests(error)
        self._told(error)

    def _told(self, error: AgentRunError) -> AgentRunError:
        error.messages = error.messages or tuple(self.ctx.state.message_history)
        return error

    def show_messages(self) -> None:
        """Let `capture_run_messages` see the history as it is now."""
        if self._capture is not None:
            self._capture.show(self._ctx.state.message_history)
