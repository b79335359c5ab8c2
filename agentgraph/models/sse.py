"""Events out of bytes, cut anywhere: what a framing is, and the framing of server-sent events."""

from __future__ import annotations

from codecs import utf_8_decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

__all__ = ["SSE", "Decoder", "Event", "EventDecoder", "Framing"]


class Event(NamedTuple):
    """One event; what has no data (comments, keep-alives) is none."""

    name: str
    """Empty unless the service named it."""
    data: str


class Decoder(Protocol):
    """Puts the bytes of one stream together to events. One that the end cuts off is none."""

    @property
    def damage(self) -> str | None:
        """What is wrong with the bytes, behind the events before it; None if nothing. Then nothing more is fed."""
        ...

    def feed(self, chunk: bytes) -> list[Event]:
        """The events whose last bytes these are."""
        ...


@dataclass(frozen=True)
class Framing:
    """How a service cuts a stream into events."""

    media_type: str
    decoder: Callable[[], Decoder]


class _Text:
    """Makes text of bytes, without the mark that it may begin with."""

    def __init__(self) -> None:
        self._begun = b""
        """What there is of a character that has no end yet."""
        self._at_start = True

    def take(self, chunk: bytes) -> str:
        """The text that these bytes complete; `UnicodeDecodeError` if they are no UTF-8."""
        chunk = self._begun + chunk if self._begun else chunk
        text, size = utf_8_decode(chunk, "strict", False)
        self._begun = chunk[size:]
        if self._at_start and text:
            self._at_start = False
            return text.removeprefix("\ufeff")
        return text


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
        lines = text.split("\n")
        rest = lines.pop()
        if not lines:
            self._begun.append(rest)
            return lines
        if self._begun:
            lines[0] = "".join([*self._begun, lines[0]])
        self._begun = [rest] if rest else []
        return lines

    def _with_plain_ends(self, text: str) -> str:
        # A CR at the end of a chunk ends its line at once; a LF that the next chunk begins with belongs to it.
        after_cr, self._after_cr = self._after_cr, text.endswith("\r") or (self._after_cr and not text)
        return (text.removeprefix("\n") if after_cr else text).replace("\r\n", "\n").replace("\r", "\n")


class EventDecoder:
    """Decodes server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    def __init__(self) -> None:
        self._text, self._lines = _Text(), _Lines()
        self._name, self._data = "", list[str]()
        self.damage: str | None = None
        """What is wrong with the bytes; None if nothing."""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events with data whose last bytes these are; none if some of the bytes are no text."""
        try:
            lines = self._lines.take(self._text.take(chunk))
        except UnicodeDecodeError:
            self.damage = "not valid UTF-8"
            return []
        events: list[Event] = []
        for line in lines:
            if line:
                self._add(line)
                continue
            data = self._data[0] if len(self._data) == 1 else "\n".join(self._data)
            if data:
                events.append(Event(self._name or "message", data))
            self._name, self._data = "", []
        return events

    def _add(self, line: str) -> None:
        field, _, value = line.partition(":")
        if field == "data":
            self._data.append(value.removeprefix(" "))
        elif field == "event":
            self._name = value.removeprefix(" ")


SSE = Framing("text/event-stream", EventDecoder)
