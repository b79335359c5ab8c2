"""Server-sent events out of bytes, cut anywhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import NamedTuple

import httpx
from httpx_sse import EventSource

__all__ = ["Event", "decode_events"]


class Event(NamedTuple):
    """One event; what has no data (comments, keep-alives) is none."""

    name: str
    """Empty unless the service named it."""
    data: str


class _Chunks(httpx.AsyncByteStream):
    """Lends chunks to the response that `EventSource` wants to read from."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            yield chunk


async def decode_events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[Event]:
    """The events with data, as their last bytes come; one that the end cuts off is dropped, as the standard says."""
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    response = httpx.Response(200, headers=headers, stream=_Chunks(chunks))
    async for event in EventSource(response).aiter_sse():
        if event.data:
            yield Event(event.event, event.data)
