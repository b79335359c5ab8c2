"""A reply that is read event by event, whatever the protocol."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Protocol

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import ModelResponse, ModelResponseStreamEvent
from agentgraph.model import StreamedResponse
from agentgraph.usage import Usage

from .http import EventStream

__all__ = ["StreamedReply", "WireReply"]


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

    def __init__(self, stream: EventStream, reply: WireReply) -> None:
        self._stream = stream
        self._reply = reply
        self._pending: deque[ModelResponseStreamEvent] = deque()
        self._last = ""

    def __aiter__(self) -> StreamedReply:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        while not self._pending:
            try:
                event = await anext(self._stream)
            except StopAsyncIteration:
                self._check_end()
                raise
            if not self._reply.ended:
                self._take(event.data)
        return self._pending.popleft()

    def get(self) -> ModelResponse:
        return self._reply.response()

    def usage(self) -> Usage:
        return self._reply.usage()

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
