"""Events out of bytes, cut anywhere: what a framing is, and the framing of server-sent events."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import NamedTuple

import httpx
from httpx_sse import EventSource

__all__ = ["SSE", "Event", "Framing", "decode_events"]


MARK = codecs.BOM_UTF8
"""May stand before the first event, and means nothing."""


class Event(NamedTuple):
    """One event; what has no data (comments, keep-alives) is none."""

    name: str
    """Empty unless the service named it."""
    data: str


@dataclass(frozen=True)
class Framing:
    """How a service cuts a stream into events."""

    media_type: str
    decode: Callable[[AsyncIterable[bytes]], AsyncGenerator[Event]]
    is_text: bool = True
    """Whether the bytes are text themselves, and not only what they hold."""


class _Chunks(httpx.AsyncByteStream):
    """Lends chunks to the response that `EventSource` wants to read from."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        head: bytes | None = b""
        async for chunk in self._chunks:
            if head is None:
                yield chunk
                continue
            head += chunk
            if len(head) >= len(MARK) or not MARK.startswith(head):
                yield head.removeprefix(MARK)
                head = None
        if head:
            yield head


async def decode_events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[Event]:
    """The events with data, as their last bytes come; one that the end cuts off is dropped, as the standard says."""
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    response = httpx.Response(200, headers=headers, stream=_Chunks(chunks))
    async for event in EventSource(response).aiter_sse():
        if event.data:
            yield Event(event.event, event.data)


SSE = Framing("text/event-stream", decode_events)
