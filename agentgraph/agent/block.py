"""The block in which a run is streamed, as something that another task, or what stops the run, can end."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import anyio

from agentgraph.exceptions import AgentRunError

from .run import AgentRun

__all__ = ["Block"]


class Block:
    """Knows which task is inside, and can have it leave."""

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        self._left = anyio.Event()
        self._task = anyio.get_current_task().id
        self._run: AgentRun[Any, Any] | None = None  # Any: a run of whatever deps and result
        self._ended = False
        self._error: AgentRunError | None = None

    def __enter__(self) -> Self:
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._left.set()
        swallowed = bool(self._scope.__exit__(kind, error, traceback))
        if self._run is not None:
            if swallowed and not self._ended:
                self._error = self._run.stopped()
            self._run.ctx.interruption.let_go()
        return swallowed

    @property
    def inside(self) -> bool:
        """Whether the caller is the task whose block it is."""
        return anyio.get_current_task().id == self._task

    def heed(self, run: AgentRun[Any, Any]) -> None:
        """Have the block left when the run is stopped, wherever it stands; its steps need no scopes of their own."""
        self._run = run
        run.ctx.interruption.hold(self._scope)

    def check(self) -> None:
        """Raise what stopped the run, if that had the block left."""
        if self._error is not None:
            raise self._error

    async def end(self) -> None:
        """Have the block left, as by a cancel scope of its own, and wait until that is done."""
        self._ended = True
        assert self._run is not None  # whoever calls this reads its replies
        self._run.ctx.interruption.let_go()
        self._scope.cancel()
        await self._left.wait()
