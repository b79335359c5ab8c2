"""Events out of bytes, cut anywhere: what a framing is, and the framing of server-sent events."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import NamedTuple

from agentgraph.values import dataclass

__all__ = ["SSE", "Event", "Framing", "decode_events"]


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


class _Lines:
    """Cuts text into lines as the standard says: at CR LF, LF and CR, and nowhere else."""

    def __init__(self) -> None:
        self._begun: list[str] = []
        """Pieces of the line that has no end yet."""
        self._after_cr = False

    def take(self, text: str) -> list[str]:
        """The lines that end in this text."""
        if "\r" in text or self._after_cr:
            text = self._with_plain_ends(text)
        first, *others = text.split("\n")
        self._begun.append(first)
        if not others:
            return []
        lines = ["".join(self._begun), *others]
        self._begun = [lines.pop()]
        return lines

    def _with_plain_ends(self, text: str) -> str:
        # A CR at the end of a chunk ends its line at once; a LF that the next chunk begins with belongs to it.
        after_cr, self._after_cr = self._after_cr, text.endswith("\r") or (self._after_cr and not text)
        return (text.removeprefix("\n") if after_cr else text).replace("\r\n", "\n").replace("\r", "\n")


class _Events:
    """Puts lines together to events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    def __init__(self) -> None:
        self._name, self._data = "", list[str]()

    def take(self, line: str) -> Event | None:
        """The event that this line ends, if it ends one that has data."""
        if not line:
            data, name = "\n".join(self._data), self._name or "message"
            self._name, self._data = "", []
            return Event(name, data) if data else None
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
        elif field == "event":
            self._name = value.removeprefix(" ")
        return None


async def decode_events(chunks: AsyncIterable[bytes]) -> AsyncGenerator[Event]:
    """The events with data, as their last bytes come; one that the end cuts off is dropped, as the standard says."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    lines, events = _Lines(), _Events()
    async for chunk in chunks:
        for line in lines.take(decoder.decode(chunk)):
            event = events.take(line)
            if event is not None:
                yield event


SSE = Framing("text/event-stream", decode_events)
