"""A reply that the service makes in several turns.

A model that uses the service's own tools for long is paused: the reply ends with `pause_turn`, and goes on once it is
sent back. https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

from .anthropic_reply import MessageReply
from .http import Call, EventStream, event_stream, fetch
from .sse import Event

__all__ = ["StreamedTurns", "whole_turns"]

MOST_TURNS = 16
"""Turns after which a reply is taken as it is; `provider_details` then say that it was paused."""


async def whole_turns(reply: MessageReply, ask: Callable[[], Call]) -> None:
    """Read all turns of a reply.

    Args:
        reply: what they are read into.
        ask: makes the request of the next turn.
    """
    for _ in range(MOST_TURNS):
        call = ask()
        reply.go_on()
        reply.add_whole(await fetch(call))
        if not reply.paused:
            return


class StreamedTurns:
    """The events of all turns of a reply, one stream after the other. Arguments: as those of `whole_turns`."""

    def __init__(self, reply: MessageReply, ask: Callable[[], Call]) -> None:
        self._reply, self._ask = reply, ask
        self._left = MOST_TURNS
        self._stack = AsyncExitStack()
        self._stream: EventStream

    async def __aenter__(self) -> Self:
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def __anext__(self) -> Event:
        while True:
            try:
                return await anext(self._stream)
            except StopAsyncIteration:
                if not (self._reply.paused and self._left):
                    raise
            await self._begin()

    def finish(self) -> None:
        """Say that the turn has ended: what still comes of it yields no events."""
        self._stream.finish()

    async def _begin(self) -> None:
        self._left -= 1
        call = self._ask()
        self._reply.go_on()
        await self._stack.aclose()
        self._stream = await self._stack.enter_async_context(event_stream(call))
