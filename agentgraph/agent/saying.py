"""Tells those who follow a run the text of a reply while it comes."""

from __future__ import annotations

from typing import Any, assert_never

from agentgraph.messages import ModelResponseStreamEvent, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

from .config import AgentContext

__all__ = ["Saying"]


class Saying:
    """Tells the text of one reply, part after part.

    What is told is always the beginning of what will be stored: where a service goes back to an earlier part, or
    begins one anew, nothing more is told, and the rest is read from the step.
    """

    def __init__(self, ctx: AgentContext[Any]) -> None:
        self._ctx = ctx
        self._going = ctx.live.kept
        self._part, self._length = -1, 0

    def hear(self, event: ModelResponseStreamEvent) -> None:
        """Tell what the event adds to the text."""
        if not self._going:
            return
        match event:
            case PartStartEvent(index, part):
                self._begin(index, part.content if isinstance(part, TextPart) else None)
            case PartDeltaEvent(index, TextPartDelta(text)):
                self._add(index, text)
            case PartDeltaEvent():
                pass
            case _ as unreachable:
                assert_never(unreachable)

    def _begin(self, index: int, text: str | None) -> None:
        if index <= self._part:
            self._going = False
        elif text is not None:
            self._part = index
            self._add(index, text)

    def _add(self, index: int, text: str) -> None:
        if index != self._part:
            self._going = False
        elif text:
            self._ctx.live.text(self._ctx.seq, self._ctx.attempt, (index, self._length, text))
            self._length += len(text)
