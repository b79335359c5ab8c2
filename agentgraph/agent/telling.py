"""Hands out, one by one, what a piece of work tells while it runs beside its listener."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from typing_extensions import TypeVar

from agentgraph.concurrency import lone_error

__all__ = ["Telling", "told"]

EventT = TypeVar("EventT")
OutcomeT = TypeVar("OutcomeT")


@dataclass
class Telling(Generic[EventT, OutcomeT]):
    """The events of the work, and in the end its outcome."""

    events: MemoryObjectReceiveStream[EventT]
    outcome: OutcomeT | None = None


@asynccontextmanager
async def told(
    work: Callable[[Callable[[EventT], None]], Awaitable[OutcomeT]],
) -> AsyncGenerator[Telling[EventT, OutcomeT]]:
    """Run `work(tell)` beside the block; leaving the block waits for it, an error in the block cancels it."""
    # Unbounded: what is told must not wait for a listener, and there are two events a call.
    send, receive = anyio.create_memory_object_stream[EventT](math.inf)
    telling = Telling[EventT, OutcomeT](receive)

    async def run() -> None:
        with send:
            telling.outcome = await work(send.send_nowait)

    with lone_error(), receive:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            yield telling
