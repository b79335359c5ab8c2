"""A model that is a function: for tests, and for what is no language model but should act as one."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from inspect import isawaitable
from typing import TypeAlias

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, ReplyBuilder
from agentgraph.messages.parts import now_utc
from agentgraph.model import Model, ModelRequestParameters, ResultFormat, StreamedResponse, ToolDefinition
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .guess import guess_usage
from .replay import ReplayedResponse

__all__ = ["AgentInfo", "DeltaToolCall", "DeltaToolCalls", "FunctionDef", "FunctionModel", "StreamFunctionDef"]


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """What the function is told about the agent, beside the messages."""

    function_tools: list[ToolDefinition]
    """Tools that the reply may call."""
    allow_text_result: bool
    """Whether text may be the final result."""
    result_tools: list[ToolDefinition]
    """Tools that the reply may call to end the run."""
    model_settings: ModelSettings | None
    result_format: ResultFormat | None = None
    """The JSON that text has to be to end the run; None: any text may, if text may at all."""


@dataclass(slots=True)
class DeltaToolCall:
    """A piece of a streamed tool call."""

    name: str | None = None
    """The tool's name, or the next piece of it."""
    json_args: str | None = None
    """The next piece of the arguments' JSON text."""
    tool_call_id: str | None = None


DeltaToolCalls: TypeAlias = dict[int, DeltaToolCall]
"""Pieces of tool calls by number: whatever has the same number belongs to the same call."""

FunctionDef: TypeAlias = Callable[[list[ModelMessage], AgentInfo], ModelResponse | Awaitable[ModelResponse]]
"""Makes a whole reply."""

StreamFunctionDef: TypeAlias = Callable[[list[ModelMessage], AgentInfo], AsyncIterator[str | DeltaToolCalls]]
"""An async generator of pieces of a reply."""


class FunctionModel(Model):
    """A model that answers with what a function returns.

    With one of the two functions alone, the model serves both ways: a reply is streamed part by part, a stream is
    collected. A function that is not async runs in the event loop and should not block. Usage is guessed.

    Raises:
        UserError: neither function was given.
    """

    def __init__(
        self, function: FunctionDef | None = None, *, stream_function: StreamFunctionDef | None = None
    ) -> None:
        if function is None and stream_function is None:
            raise UserError("FunctionModel needs a function, a stream_function or both")
        self.function = function
        self.stream_function = stream_function
        self._model_name = f"function:{_name(function)}:{_name(stream_function)}"

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def system(self) -> str:
        return "function"

    def price_problem(self) -> str | None:
        return None  # it costs nothing, so that programs with a `cost_limit` can be tested

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        info = _info(model_settings, model_request_parameters)
        if self.function is not None:
            reply = await self._reply(self.function, messages, info)
        else:
            async with self._stream(messages, info) as response:
                async for _ in response:
                    pass
            reply = response.get()
        return reply, guess_usage(messages, reply.parts)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse, None]:
        info = _info(model_settings, model_request_parameters)
        if self.stream_function is None and self.function is not None:
            yield ReplayedResponse(await self._reply(self.function, messages, info), messages, self._model_name)
            return
        async with self._stream(messages, info) as response:
            yield response

    async def _reply(self, function: FunctionDef, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        made = function(messages, info)
        reply = await made if isawaitable(made) else made
        if not _is_reply(reply):
            raise UserError(
                f"{_name(function)!r}, the function of a FunctionModel, returned {type(reply).__name__}; "
                "it has to return a ModelResponse"
            )
        return reply if reply.model_name else replace(reply, model_name=self._model_name)

    @asynccontextmanager
    async def _stream(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncGenerator[_StreamedPieces, None]:
        assert self.stream_function is not None  # the constructor asks for one of the two functions
        pieces = self.stream_function(messages, info)
        try:
            yield _StreamedPieces(pieces, messages, self._model_name)
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()


class _StreamedPieces(StreamedResponse):
    def __init__(
        self, pieces: AsyncIterator[str | DeltaToolCalls], messages: list[ModelMessage], model_name: str
    ) -> None:
        self._pieces = pieces
        self._messages = messages
        self._model_name = model_name
        self._timestamp = now_utc()
        self._builder = ReplyBuilder()
        self._events: deque[ModelResponseStreamEvent] = deque()

    def __aiter__(self) -> _StreamedPieces:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        while not self._events:
            piece = await anext(self._pieces)
            if isinstance(piece, str):
                self._events.extend(self._builder.text(piece))
                continue
            for number, call in piece.items():
                self._events.extend(
                    self._builder.tool_call(number, name=call.name, args=call.json_args, call_id=call.tool_call_id)
                )
        return self._events.popleft()

    def get(self) -> ModelResponse:
        return ModelResponse(self._builder.parts, self._model_name, self._timestamp)

    def usage(self) -> Usage:
        return guess_usage(self._messages, self._builder.parts)

    @property
    def model_name(self) -> str:
        return self._model_name

    @property
    def timestamp(self) -> datetime:
        return self._timestamp


def _info(settings: ModelSettings | None, parameters: ModelRequestParameters) -> AgentInfo:
    return AgentInfo(
        parameters.function_tools,
        parameters.allow_text_result,
        parameters.result_tools,
        settings,
        parameters.result_format,
    )


def _is_reply(reply: object) -> bool:
    # Functions are users' code, and not all of it is checked for types.
    return isinstance(reply, ModelResponse)


def _name(function: Callable[..., object] | None) -> str:
    if function is None:
        return ""
    name: str = getattr(function, "__name__", type(function).__name__)
    return name
