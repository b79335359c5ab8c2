"""Models of a few words: lists of replies, and one that tells what it was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from agentgraph.messages.parts import now_utc
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

__all__ = ["Asked", "EventModel", "answers", "call", "says"]


def call(name: str, call_id: str | None = None, /, **args: object) -> ToolCallPart:
    return ToolCallPart(name, args, call_id)


def says(*replies: str | ModelResponsePart | Sequence[ModelResponsePart]) -> FunctionModel:
    """A model that gives these replies one after the other; which is next it reads from the messages."""

    def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        said = replies[sum(isinstance(message, ModelResponse) for message in messages)]
        match said:
            case str():
                return ModelResponse([TextPart(said)])
            case list() | tuple():
                return ModelResponse(list(said))
            case _:
                return ModelResponse([said])  # type: ignore[list-item]  # a sequence here is a list or a tuple

    return FunctionModel(reply)


def answers(messages: list[ModelMessage]) -> list[ToolReturnPart | RetryPromptPart]:
    return [
        part for message in messages for part in message.parts if isinstance(part, ToolReturnPart | RetryPromptPart)
    ]


class Asked(FunctionModel):
    """Answers as `answer` does, `ok` by default, and keeps what it was asked."""

    def __init__(self, answer: Callable[[list[ModelMessage]], str] = lambda _: "ok") -> None:
        super().__init__(self._told)
        self._answer = answer
        self.requests: list[list[ModelMessage]] = []
        self.infos: list[AgentInfo] = []

    def _told(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.requests.append(list(messages))
        self.infos.append(info)
        return ModelResponse([TextPart(self._answer(messages))])

    @property
    def last(self) -> ModelRequest:
        """The newest request."""
        request = self.requests[-1][-1]
        assert isinstance(request, ModelRequest)
        return request


class EventModel(Model):
    """Streams these events and then says that it was `reply`, at this usage, whatever it is asked."""

    def __init__(
        self, events: Sequence[ModelResponseStreamEvent | Exception], reply: ModelResponse, usage: Sequence[Usage] = ()
    ) -> None:
        self.events, self.reply, self.used = events, reply, usage
        self.closed = 0
        self.asked = Counter[str]()
        """How often the reply so far, and its usage, were asked for."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        return self.reply, self.used[-1] if self.used else Usage()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        try:
            yield _Events(self)
        finally:
            self.closed += 1

    @property
    def model_name(self) -> str:
        return "events"

    @property
    def system(self) -> str:
        return "test"


class _Events(StreamedResponse):
    def __init__(self, model: EventModel) -> None:
        self._model = model
        self._told = 0
        self._timestamp = now_utc()

    def __aiter__(self) -> _Events:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        if self._told == len(self._model.events):
            raise StopAsyncIteration
        event = self._model.events[self._told]
        if isinstance(event, Exception):
            raise event
        self._told += 1
        return event

    def get(self) -> ModelResponse:
        self._model.asked["reply"] += 1
        return self._model.reply

    def usage(self) -> Usage:
        self._model.asked["usage"] += 1
        used = self._model.used
        return used[min(self._told, len(used) - 1)] if used else Usage()

    @property
    def model_name(self) -> str:
        return "events"

    @property
    def timestamp(self) -> datetime:
        return self._timestamp
