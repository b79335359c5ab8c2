"""The framing of AWS's event streams: binary messages with headers, decoded by botocore."""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable
from importlib import import_module
from typing import Any

from agentgraph.exceptions import UnexpectedModelBehavior, UserError

from .sse import Event, Framing

__all__ = ["FRAMES", "decode_frames"]

KIND, EVENT, EXCEPTION, CODE, MESSAGE = (
    ":message-type",
    ":event-type",
    ":exception-type",
    ":error-code",
    ":error-message",
)


async def decode_frames(chunks: AsyncIterable[bytes]) -> AsyncGenerator[Event]:
    """The messages as their last bytes come; one that the end cuts off is dropped.

    Each becomes the JSON object that the API describes, `{"contentBlockDelta": …}`, and an exception that comes as a
    message `{"exception": {"type": …, "body": …}}`.

    Raises:
        UnexpectedModelBehavior: the bytes are no such messages.
        UserError: botocore is not installed.
    """
    decoder = _Decoder()
    events: deque[Event] = deque()
    async for chunk in chunks:
        problem = decoder.take(chunk, events)
        del chunk  # it may echo a secret, and frames are shown with errors
        while events:
            yield events.popleft()
        if problem is not None:
            raise UnexpectedModelBehavior(f"the event stream is damaged: {problem}")


class _Decoder:
    def __init__(self) -> None:
        try:
            library: Any = import_module("botocore.eventstream")  # Any: the library has no annotations
        except ModuleNotFoundError:
            raise UserError("streams of 'bedrock' need botocore: install 'agentgraph[bedrock]'") from None
        self._buffer = library.EventStreamBuffer()
        self._damage: tuple[type[Exception], ...] = (library.ParserError, KeyError, ValueError, struct.error)

    def take(self, chunk: bytes, events: deque[Event]) -> str | None:
        """Add the events that these bytes complete; what is wrong with the bytes, None if nothing."""
        self._buffer.add_data(chunk)
        try:
            for message in self._buffer:
                events.append(_event(message.headers, message.payload.decode()))
        except self._damage as error:
            return type(error).__name__
        return None


def _event(headers: dict[str, Any], payload: str) -> Event:  # Any: what headers hold depends on their type
    match headers.get(KIND):
        case "exception":
            return _exception(headers.get(EXCEPTION), payload or "null")
        case "error":
            return _exception(headers.get(CODE), json.dumps(headers.get(MESSAGE)))
        case _:
            name = str(headers.get(EVENT, ""))
            return Event(name, f"{{{json.dumps(name)}:{payload or 'null'}}}")


def _exception(kind: object, body: str) -> Event:
    return Event("exception", f'{{"exception":{{"type":{json.dumps(str(kind))},"body":{body}}}}}')


FRAMES = Framing("application/vnd.amazon.eventstream", decode_frames, is_text=False)
