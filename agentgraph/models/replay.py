"""Streams a reply that is whole already."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from agentgraph.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, ReplyBuilder, TextPart
from agentgraph.model import StreamedResponse
from agentgraph.usage import Usage

from .guess import guess_usage

__all__ = ["ReplayedResponse"]

WORD = re.compile(r"\s*\S+\s*|\s+")


class ReplayedResponse(StreamedResponse):
    """The parts of `reply` one after the other, texts word by word.

    Usage that is not given is guessed from `messages` and what came.
    """

    def __init__(
        self, reply: ModelResponse, messages: Sequence[ModelMessage], model_name: str, usage: Usage | None = None
    ) -> None:
        self._reply = reply
        self._messages = messages
        self._model_name = model_name
        self._usage = usage
        self._builder = ReplyBuilder()
        self._events = self._replay()
        self._ended = False

    def __aiter__(self) -> ReplayedResponse:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        for event in self._events:
            return event
        self._ended = True
        raise StopAsyncIteration

    def get(self) -> ModelResponse:
        if self._ended:
            return self._reply
        return replace(self._reply, parts=self._builder.parts, finish_reason=None)

    def usage(self) -> Usage:
        return guess_usage(self._messages, self._builder.parts) if self._usage is None else self._usage

    @property
    def model_name(self) -> str:
        return self._reply.model_name or self._model_name

    @property
    def timestamp(self) -> datetime:
        return self._reply.timestamp

    def _replay(self) -> Iterator[ModelResponseStreamEvent]:
        for index, part in enumerate(self._reply.parts):
            if not isinstance(part, TextPart) or not part.content:
                yield from self._builder.part(index, part)
                continue
            first, *others = WORD.findall(part.content)
            # Started by hand: two texts in a row are two parts, and `text` would make one of them.
            yield from self._builder.part(index, TextPart(first))
            for word in others:
                yield from self._builder.text(word)
