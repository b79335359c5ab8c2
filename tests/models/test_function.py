from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from agentgraph.messages.media import BinaryContent
from agentgraph.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

from .conversation import HELLO, asked, streamed, tools

pytestmark = pytest.mark.anyio


def echo(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart("Hello to you")])


async def echo_later(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return echo(messages, info)


async def echo_slowly(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    yield "Hello "
    yield ""
    yield "to you"


async def call_slowly(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    yield {0: DeltaToolCall("f", '{"x"', "c0"), 1: DeltaToolCall("g")}
    yield {0: DeltaToolCall(json_args=":1}"), 1: DeltaToolCall(json_args="{}")}


@pytest.mark.parametrize(
    "model",
    [
        FunctionModel(echo),
        FunctionModel(echo_later),
        FunctionModel(stream_function=echo_slowly),
        FunctionModel(echo, stream_function=echo_slowly),
    ],
)
async def test_every_kind_of_function_serves_both_ways(model: FunctionModel) -> None:
    response, usage = await asked(model)
    assert response.parts == [TextPart("Hello to you")]
    assert response.model_name == model.model_name
    seen = await streamed(model)
    assert (seen.response.parts, seen.response.model_name, seen.usage) == (response.parts, model.model_name, usage)
    assert usage == Usage(0, 51, 3, 54)


async def test_streamed_text_is_started_and_goes_on() -> None:
    seen = await streamed(FunctionModel(stream_function=echo_slowly))
    assert seen.events == [PartStartEvent(0, TextPart("Hello ")), PartDeltaEvent(0, TextPartDelta("to you"))]


async def test_streamed_calls_are_told_apart_by_number() -> None:
    model = FunctionModel(stream_function=call_slowly)
    calls = [ToolCallPart("f", '{"x":1}', "c0"), ToolCallPart("g", "{}")]
    assert (await streamed(model)).response.parts == calls
    assert (await asked(model))[0].parts == calls


async def test_a_reply_is_streamed_part_by_part() -> None:
    parts: list[ModelResponsePart] = [
        ThinkingPart("hm"),
        TextPart("a b"),
        TextPart("c"),
        TextPart(""),
        ToolCallPart("f", {"x": 1}),
    ]
    reply = ModelResponse(list(parts), finish_reason="tool_call", provider_response_id="r")
    model = FunctionModel(lambda _messages, _info: reply)
    seen = await streamed(model)
    assert seen.response.parts == parts
    assert (seen.response.finish_reason, seen.response.timestamp) == ("tool_call", reply.timestamp)
    assert [event.index for event in seen.events] == [0, 1, 1, 2, 3, 4]


async def test_a_reply_is_incomplete_until_its_end() -> None:
    model = FunctionModel(lambda _messages, _info: ModelResponse([TextPart("a b")], finish_reason="stop"))
    async with model.request_stream(HELLO, None, tools()) as response:
        first = await anext(aiter(response))
        assert first == PartStartEvent(0, TextPart("a "))
        assert (response.get().parts, response.get().finish_reason) == ([TextPart("a ")], None)
        assert [event async for event in response] == [PartDeltaEvent(0, TextPartDelta("b"))]
        assert response.get().finish_reason == "stop"
        assert (response.model_name, response.timestamp) == (model.model_name, response.get().timestamp)


async def test_a_stream_knows_its_model_and_time() -> None:
    model = FunctionModel(stream_function=echo_slowly)
    async with model.request_stream(HELLO, None, tools()) as response:
        assert response.model_name == "function::echo_slowly"
        assert response.get() == ModelResponse([], response.model_name, response.timestamp)


async def test_the_function_is_told_about_the_agent() -> None:
    told: list[AgentInfo] = []

    def listen(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        told.append(info)
        return ModelResponse([])

    parameters = tools("f")
    settings = ModelSettings(seed=1)
    await FunctionModel(listen).request(HELLO, settings, parameters)
    assert told == [AgentInfo(parameters.function_tools, True, [], settings)]


async def test_a_model_name_that_the_function_gives_is_kept() -> None:
    model = FunctionModel(lambda _messages, _info: ModelResponse([TextPart("")], "mine"))
    assert (await asked(model))[0].model_name == (await streamed(model)).response.model_name == "mine"


async def test_the_reply_of_the_function_is_not_changed() -> None:
    reply = ModelResponse([TextPart("a")])
    await asked(FunctionModel(lambda _messages, _info: reply))
    assert reply.model_name is None


def test_models_are_named_for_their_functions() -> None:
    assert FunctionModel(echo).model_name == "function:echo:"
    assert FunctionModel(echo, stream_function=echo_slowly).model_name == "function:echo:echo_slowly"
    assert FunctionModel(partial(echo)).model_name == "function:partial:"
    assert FunctionModel(echo).system == "function"


def test_a_model_needs_a_function() -> None:
    with pytest.raises(UserError, match="stream_function"):
        FunctionModel()


async def test_a_function_that_returns_something_else_is_named() -> None:
    def wrong(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return "text"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # what is tested

    with pytest.raises(UserError, match=r"'wrong'.* returned str"):
        await asked(FunctionModel(wrong))


async def test_leaving_early_closes_the_generator() -> None:
    closed: list[bool] = []

    async def endless(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        try:
            while True:
                yield "a"
        finally:
            closed.append(True)

    async with FunctionModel(stream_function=endless).request_stream(HELLO, None, tools()) as response:
        await anext(aiter(response))
    assert closed == [True]


class Countdown:
    """An iterator that is no generator."""

    def __init__(self) -> None:
        self.left = 2

    def __aiter__(self) -> Countdown:
        return self

    async def __anext__(self) -> str | DeltaToolCalls:
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        return str(self.left)


async def test_any_iterator_will_do() -> None:
    model = FunctionModel(stream_function=lambda _messages, _info: Countdown())
    assert (await asked(model))[0].parts == [TextPart("10")]


async def test_the_usage_counts_the_words_of_the_whole_conversation() -> None:
    messages: list[ModelMessage] = [
        ModelRequest(
            [SystemPromptPart("Be brief"), UserPromptPart(["One two, three", BinaryContent(b"x", "image/png")])]
        ),
        ModelResponse([TextPart("four five"), ToolCallPart("f", {"x": 1}), ToolCallPart("g", "")]),
        ModelRequest([ToolReturnPart("f", "six"), RetryPromptPart("seven", "g")]),
    ]
    retry = len(RetryPromptPart("seven", "g").model_response().split()) + 1  # the full stop at its end divides too
    answered = 2 + (1 + 3) + (1 + 1)
    _, usage = await asked(FunctionModel(echo), messages)
    assert usage == Usage(0, 50 + 2 + 3 + 1 + retry, answered + 3, 50 + 6 + retry + answered + 3)


async def test_no_words_cost_nothing() -> None:
    _, usage = await asked(FunctionModel(lambda _messages, _info: ModelResponse([TextPart("")])), [])
    assert usage == Usage(0, 50, 0, 50)
