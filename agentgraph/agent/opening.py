"""The block in which a run is held: opened when it is entered, given up when it is left."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Any

from agentgraph.graph import GraphRun

from .run import AgentRun
from .setup import Ask, RunSetup

__all__ = ["OpenRun"]

_FREE = nullcontext()


class OpenRun:
    """What `Agent.iter` hands out; entered once."""

    __slots__ = ("_ask", "_held", "_run", "_setup", "_slot")

    def __init__(
        self,
        setup: RunSetup[Any],  # Any: a run of whatever deps and result, which the doors name
        ask: Ask,
        slot: AbstractAsyncContextManager[None] | None = None,
    ) -> None:
        self._setup, self._ask = setup, ask
        self._slot = _FREE if slot is None else slot
        self._held: GraphRun[Any, Any, Any]
        self._run: AgentRun[Any, Any]

    async def __aenter__(self) -> AgentRun[Any, Any]:
        await self._slot.__aenter__()
        try:
            self._held = GraphRun(await self._setup.open(self._ask))
            del self._ask  # most runs are held far longer than they take to be opened
        except BaseException:
            await self._slot.__aexit__(*sys.exc_info())
            raise
        self._run = AgentRun(self._held)
        return self._run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._run.show_messages()
            await self._held.__aexit__(kind, error, traceback)
        finally:
            await self._slot.__aexit__(kind, error, traceback)
