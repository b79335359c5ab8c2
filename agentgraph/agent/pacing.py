"""Lets a reader take fewer steps than a stream has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Generic, Self, TypeVar

from agentgraph.messages import AgentStreamEvent, FinalResultEvent, ModelResponseStreamEvent

__all__ = ["Paced", "Pieces"]

T = TypeVar("T")


class Paced(Generic[T]):
    """The items of `source` of which the last came `seconds` ago or more, and the very last; None: every item.

    What was passed over shows in what is read later, so whoever reads totals loses nothing but steps. It is no
    generator, and so leaves nothing behind where a loop over it is left early.
    """

    def __init__(self, source: AsyncIterator[T], seconds: float | None, monotonic: Callable[[], float]) -> None:
        self._source, self._seconds, self._monotonic = source, seconds, monotonic
        self._last: float | None = None
        self._held: list[T] = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """The next item that is due."""
        async for item in self._source:
            if self._due():
                self._held.clear()
                return item
            self._held[:] = [item]
        if self._held:
            return self._held.pop()
        raise StopAsyncIteration

    def _due(self) -> bool:
        if self._seconds is None:
            return True
        now = self._monotonic()
        if self._last is not None and now - self._last < self._seconds:
            return False
        self._last = now
        return True


class Pieces:
    """The events of a reply that bring something of it: all but the hint that it may be the result."""

    def __init__(self, events: AsyncIterator[AgentStreamEvent]) -> None:
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        async for event in self._events:
            if not isinstance(event, FinalResultEvent):
                return event
        raise StopAsyncIteration
