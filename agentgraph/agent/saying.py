"""Tells those who follow a run the text of a reply while it comes."""

from __future__ import annotations

from typing import Any

from agentgraph.messages import ModelResponsePart, ModelResponseStreamEvent, PartStartEvent, TextPart, TextPartDelta

from .config import AgentContext

__all__ = ["Saying"]


_TOGETHER = 64
"""So many events are told at once, even if the event loop has not turned: a thread may be reading."""


class Saying:
    """Tells the text of one reply, part after part; what comes in one turn of the event loop at once.

    What is told is always the beginning of what will be stored: where a service goes back to an earlier part, or
    begins one anew, nothing more is told, and the rest is read from the step.
    """

    def __init__(self, ctx: AgentContext[Any]) -> None:
        self._ctx = ctx
        self._going = ctx.live.kept
        """Whether what comes is still told."""
        self._heard: list[ModelResponseStreamEvent] = []
        self._pieces: list[str] = []
        self._part, self._length = -1, 0

    def hear(self, event: ModelResponseStreamEvent) -> None:
        """Tell soon what the event adds to the text."""
        if not self._going:
            return
        if not self._heard:
            self._ctx.live.soon(self._tell)
        self._heard.append(event)
        if len(self._heard) == _TOGETHER:
            self._ctx.live.flush()

    def _tell(self) -> None:
        for event in self._heard:
            if not self._going:
                break
            # For each word that a model says: `match` would take twice as long.
            if isinstance(event, PartStartEvent):
                self._begin(event.index, event.part)
            elif isinstance(event.delta, TextPartDelta):
                self._going = event.index == self._part
                self._pieces.append(event.delta.content_delta if self._going else "")
        self._heard.clear()
        self._say()

    def _begin(self, index: int, part: ModelResponsePart) -> None:
        self._going = index > self._part
        if self._going and isinstance(part, TextPart):
            self._say()
            self._part = index
            self._pieces.append(part.content)

    def _say(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        if text:
            self._ctx.live.text(self._ctx.seq, self._ctx.attempt, (self._part, self._length, text))
            self._length += len(text)
