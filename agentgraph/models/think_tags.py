"""Thinking that comes as text between tags, as from services that leave it to the reader to tell them apart."""

from __future__ import annotations

from typing import Literal

__all__ = ["Kind", "ThinkTags"]

OPEN, CLOSE = "<think>", "</think>"

Kind = Literal["thinking", "text"]


class ThinkTags:
    """Sorts the text of one reply, piece by piece. Only a tag at its very start is one."""

    def __init__(self) -> None:
        self._state: Literal["start", "inside", "behind", "text"] = "start"
        self._held = ""
        """The beginning of what may be a tag."""

    @property
    def passed(self) -> bool:
        """Whether all that still comes is text."""
        return self._state == "text"

    def add(self, delta: str) -> list[tuple[Kind, str]]:
        """What is known of the text so far to be thinking or text, in order."""
        if self._state == "text":
            return [("text", delta)]
        held, self._held = self._held + delta, ""
        if self._state == "start":
            return self._start(held)
        return self._inside(held) if self._state == "inside" else self._behind(held)

    def end(self) -> list[tuple[Kind, str]]:
        """What was held back, now that nothing follows."""
        held, self._held = self._held, ""
        return [("thinking" if self._state == "inside" else "text", held)] if held else []

    def _start(self, held: str) -> list[tuple[Kind, str]]:
        if held.startswith(OPEN):
            self._state = "inside"
            return self._inside(held.removeprefix(OPEN))
        if OPEN.startswith(held):
            self._held = held
            return []
        self._state = "text"
        return [("text", held)]

    def _inside(self, held: str) -> list[tuple[Kind, str]]:
        thought, tag, rest = held.partition(CLOSE)
        if tag:
            self._state = "behind"
            return [("thinking", thought), *self._behind(rest)]
        kept = next(size for size in range(len(CLOSE) - 1, -1, -1) if held.endswith(CLOSE[:size]))
        self._held = held[len(held) - kept :]
        return [("thinking", held[: len(held) - kept])]

    def _behind(self, held: str) -> list[tuple[Kind, str]]:
        text = held.lstrip()
        if not text:
            return []
        self._state = "text"
        return [("text", text)]
