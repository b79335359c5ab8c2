"""A run as its caller sees it: something to iterate over, node by node.

    async with graph.iter(FirstNode(), state=State(), store="runs.db") as run:
        async for node in run:       # first the start node, then what each step leads to, last the End
            ...                      # before the loop goes on, `node` has not run: look at it, stream it
        run.result

`async for` and `next` are the same step; `next(other)` lets another node take the turn. Between two steps everything
is committed, so that leaving the block at any point, or losing the process, loses nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self

from typing_extensions import TypeVar

from agentgraph.exceptions import RunPaused

from .breakpoints import heed_breakpoint
from .context import GraphRunContext
from .execution import Execution
from .node import BaseNode, End, is_fork

if TYPE_CHECKING:
    from .diagram import DiagramOptions
    from .picture import Picture

__all__ = ["GraphRun", "GraphRunResult"]

StateT = TypeVar("StateT", default=None)
DepsT = TypeVar("DepsT", default=None)
ResultT = TypeVar("ResultT", default=None)


@dataclass(frozen=True)
class GraphRunResult(Generic[StateT, ResultT]):
    """How a run ended."""

    output: ResultT
    state: StateT
    run_id: str = ""


class GraphRun(Generic[StateT, DepsT, ResultT]):
    """One run of a graph, held by this process while its block is open."""

    __slots__ = ("_execution", "_paused", "_started")

    def __init__(self, execution: Execution[StateT, DepsT, ResultT]) -> None:
        self._execution = execution
        self._started = False
        self._paused: RunPaused | None = None

    @property
    def run_id(self) -> str:
        """The id by which the run can be resumed."""
        return self.ctx.run_id

    @property
    def ctx(self) -> GraphRunContext[StateT, DepsT]:
        """What the nodes run with."""
        return self._execution.ctx

    @property
    def state(self) -> StateT:
        """The run's state."""
        return self._execution.ctx.state

    @property
    def deps(self) -> DepsT:
        """The run's deps."""
        return self._execution.ctx.deps

    @property
    def next_node(self) -> BaseNode[StateT, DepsT, ResultT] | End[ResultT]:
        """The node that comes next, or the End."""
        return self._execution.pending

    @property
    def started(self) -> bool:
        """Whether the iteration has given out the first node."""
        return self._started

    @property
    def result(self) -> GraphRunResult[StateT, ResultT] | None:
        """How the run ended; None while it has not."""
        pending = self._execution.pending
        return GraphRunResult(pending.data, self.state, self.run_id) if isinstance(pending, End) else None

    @property
    def paused(self) -> RunPaused | None:
        """What `break_before` stopped the iteration for; None if nothing of it has."""
        return self._paused

    async def next(
        self, node: BaseNode[StateT, DepsT, ResultT] | None = None
    ) -> BaseNode[StateT, DepsT, ResultT] | End[ResultT]:
        """Take one step: run `node`, by default the one that comes next, and commit it.

        Returns:
            What comes after it.

        Raises:
            GraphRuntimeError: the run is over, the node is none of the graph's, or led where it may not.
            RunFenced, RunCancelled, StoreError: see `Execution.step`.
        """
        self._started = True
        pending = self._execution.pending if node is None else node
        if isinstance(pending, End):
            return pending
        return await self._execution.step(pending)

    def __aiter__(self) -> AsyncIterator[BaseNode[StateT, DepsT, ResultT] | End[ResultT]]:
        return self

    async def __anext__(self) -> BaseNode[StateT, DepsT, ResultT] | End[ResultT]:
        """The start node at first, then what each step leads to: the End last, or the node of a breakpoint."""
        if not self._started:
            self._started = True
            return self._execution.pending
        if isinstance(self._execution.pending, End):
            raise StopAsyncIteration
        try:
            return await self.advance()
        except RunPaused as paused:
            if paused is not self._paused:
                raise
            raise StopAsyncIteration from None

    def advance(self) -> Awaitable[BaseNode[StateT, DepsT, ResultT] | End[ResultT]]:
        """Take the next step as `next` does, unless `break_before` says to stop before it.

        Raises:
            RunPaused: it does. Called again, this goes past.
        """
        execution = self._execution
        pending, self._started, self._paused = execution.pending, True, None
        if execution.root.ctx.interruption.break_before or isinstance(pending, End):
            return self._advance(pending)
        return execution.step(pending)  # a run that waits holds each coroutine that waits for it

    async def _advance(
        self, pending: BaseNode[StateT, DepsT, ResultT] | End[ResultT]
    ) -> BaseNode[StateT, DepsT, ResultT] | End[ResultT]:
        if isinstance(pending, End):
            return pending
        await self.heed_breakpoint()
        try:
            return await self._execution.step(pending)
        except RunPaused as paused:  # of one of its branches
            if paused.run_id == self.run_id:
                self._paused = paused
            raise

    async def heed_breakpoint(self) -> None:
        """Stop before the node that comes next if `break_before` says so; the second time, this goes past.

        Raises:
            RunPaused: it does.
        """
        try:
            await heed_breakpoint(self._execution.pending, self.ctx)
        except RunPaused as paused:
            self._paused = paused
            raise

    def picture(self) -> Picture:
        """The graph, with what comes next set off. `run_picture` draws the path that a stored run has taken."""
        from .diagram import Diagram

        diagram = Diagram(self._execution.root.graph.definitions, {})
        pending = self._execution.pending
        coming = () if isinstance(pending, End) else (*pending.branches,) if is_fork(pending) else (pending,)
        title = f"run {self.run_id}, {'ended' if isinstance(pending, End) else f'step {self.ctx.seq}'}"
        options: DiagramOptions = {"start_node": diagram.sources(), "highlighted_nodes": coming, "title": title}
        return replace(diagram, options=options).picture()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.picture().mime_bundle()

    async def cancel(self) -> None:
        """End the run as cancelled; it can be resumed."""
        await self._execution.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None or error in (self.ctx.failure, self._paused):
            await self._execution.end(error)
        else:
            await self._execution.cancel()  # a run that failed in a step is over already
