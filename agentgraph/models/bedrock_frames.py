"""The framing of AWS's event streams: binary messages with headers, decoded by botocore."""

from __future__ import annotations

import json
import struct
from importlib import import_module
from typing import Any

from agentgraph.exceptions import UserError

from .sse import Event, Framing

__all__ = ["FRAMES", "FrameDecoder"]

KIND, EVENT, EXCEPTION, CODE, MESSAGE = (
    ":message-type",
    ":event-type",
    ":exception-type",
    ":error-code",
    ":error-message",
)


class FrameDecoder:
    """Decodes the messages of such a stream.

    Each becomes the JSON object that the API describes, `{"contentBlockDelta": …}`, and an exception that comes as a
    message `{"exception": {"type": …, "body": …}}`.
    """

    def __init__(self) -> None:
        """Load what decodes.

        Raises:
            UserError: botocore is not installed.
        """
        try:
            library: Any = import_module("botocore.eventstream")  # Any: the library has no annotations
        except ModuleNotFoundError:
            raise UserError("streams of 'bedrock' need botocore: install 'agentgraph[bedrock]'") from None
        self._buffer = library.EventStreamBuffer()
        self._errors: tuple[type[Exception], ...] = (library.ParserError, KeyError, ValueError, struct.error)
        self.damage: str | None = None
        """What is wrong with the bytes; None if nothing."""

    def feed(self, chunk: bytes) -> list[Event]:
        """The messages whose last bytes these are, up to one that is damaged."""
        events: list[Event] = []
        self._buffer.add_data(chunk)
        try:
            # Where it raises, those before are there.
            events.extend(_event(message.headers, message.payload.decode()) for message in self._buffer)
        except self._errors as error:
            self.damage = f"a damaged event stream ({type(error).__name__})"
        return events


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


FRAMES = Framing("application/vnd.amazon.eventstream", FrameDecoder)
