"""A reply that is read event by event, whatever the protocol."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeAlias

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import ModelResponse, ModelResponseStreamEvent
from agentgraph.model import StreamedResponse
from agentgraph.usage import Usage

from .sse import Event

__all__ = ["Pricing", "StreamedReply", "WireReply"]

Pricing: TypeAlias = Callable[[ModelResponse, Usage], tuple[ModelResponse, Usage]]
"""Puts the price of a reply into its usage."""


class Events(Protocol):
    """The events of a stream."""

    async def __anext__(self) -> Event:
        """The next one."""
        ...

    def finish(self) -> None:
        """Say that the protocol has ended."""
        ...


class WireReply(Protocol):
    """One reply being put together: what a protocol has to give for it to be streamed."""

    @property
    def model_name(self) -> str:
        """The model asked, then the one that the service says has answered."""
        ...

    @property
    def timestamp(self) -> datetime:
        """When the reply was made."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the protocol has said its last word; what comes after it is not looked at."""
        ...

    @property
    def lacks(self) -> str | None:
        """What is wrong with a reply that ends here, such as `is cut off`; None if nothing."""
        ...

    def add(self, body: str) -> list[ModelResponseStreamEvent]:
        """Take the data of one event."""
        ...

    def response(self) -> ModelResponse:
        """The reply so far."""
        ...

    def usage(self) -> Usage:
        """The usage so far."""
        ...


class StreamedReply(StreamedResponse):
    """Feeds the events of a stream to a reply."""

    def __init__(self, stream: Events, reply: WireReply, pricing: Pricing) -> None:
        self._stream = stream
        self._reply = reply
        self._pricing = pricing
        self._told = self._priced = Usage()
        self._pending: deque[ModelResponseStreamEvent] = deque()
        self._last = ""

    def __aiter__(self) -> StreamedReply:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        while not self._pending:
            try:
                event = await self._stream.__anext__()
            except StopAsyncIteration:
                self._check_end()
                raise
            self._take(event.data)
        return self._pending.popleft()

    def get(self) -> ModelResponse:
        return self._reply.response()

    def usage(self) -> Usage:
        told = self._reply.usage()
        if told != self._told:  # it is asked for at every event, and changes at few of them
            _, self._priced = self._pricing(self._reply.response(), told)
            self._told = told
        return self._priced + Usage()

    @property
    def model_name(self) -> str:
        return self._reply.model_name

    @property
    def timestamp(self) -> datetime:
        return self._reply.timestamp

    def _take(self, data: str) -> None:
        self._last = data
        self._pending.extend(self._reply.add(data))
        if self._reply.ended:
            self._stream.finish()

    def _check_end(self) -> None:
        problem = self._reply.lacks
        if problem is not None:
            raise UnexpectedModelBehavior(f"the streamed reply of {self.model_name!r} {problem}", self._last)
