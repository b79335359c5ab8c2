from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agentgraph.exceptions import FallbackExceptionGroup, ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.models.fallback import FallbackModel
from agentgraph.models.function import AgentInfo, DeltaToolCalls, FunctionModel
from agentgraph.models.test import TestModel

from .conversation import HELLO, asked, streamed, tools

pytestmark = pytest.mark.anyio


class Failing:
    """A model that fails, streamed after so many pieces, and notes that it was closed."""

    def __init__(self, error: Exception, pieces: int = 0) -> None:
        self.error = error
        self.pieces = pieces
        self.closed = 0
        self.model = FunctionModel(self.fail, stream_function=self.fail_later)

    def fail(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise self.error

    async def fail_later(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        try:
            for _ in range(self.pieces):
                yield "a"
            raise self.error
        finally:
            self.closed += 1


OVERLOADED = ModelHTTPError(503, "small", "overloaded")
UNREADABLE = UnexpectedModelBehavior("unreadable")
GOOD = TestModel(custom_result_text="good")


async def test_the_first_model_that_answers_is_taken() -> None:
    assert (await asked(FallbackModel(GOOD, Failing(OVERLOADED).model)))[0].parts == [TextPart("good")]


async def test_a_failing_model_is_followed_by_the_next() -> None:
    failing = Failing(OVERLOADED)
    model = FallbackModel(failing.model, Failing(OVERLOADED).model, GOOD)
    response, usage = await asked(model)
    assert (response.parts, response.model_name) == ([TextPart("good")], "test")
    seen = await streamed(model)
    assert (seen.response.parts, seen.usage) == (response.parts, usage)
    assert failing.closed == 1


async def test_if_every_model_fails_all_errors_are_raised() -> None:
    other = ModelHTTPError(429, "big")
    model = FallbackModel(Failing(OVERLOADED).model, Failing(other).model)
    with pytest.raises(FallbackExceptionGroup, match="fallback:") as plain:
        await asked(model)
    with pytest.raises(FallbackExceptionGroup) as stream:
        await streamed(model)
    assert plain.value.exceptions == stream.value.exceptions == (OVERLOADED, other)


async def test_other_errors_are_raised_at_once() -> None:
    model = FallbackModel(Failing(UNREADABLE).model, GOOD)
    for ask in (asked, streamed):
        with pytest.raises(UnexpectedModelBehavior, match="unreadable"):
            await ask(model)


async def test_the_errors_can_be_named_by_type_or_by_a_function() -> None:
    failing = Failing(UNREADABLE).model
    by_type = FallbackModel(failing, GOOD, fallback_on=(UnexpectedModelBehavior, ModelHTTPError))
    by_function = FallbackModel(failing, GOOD, fallback_on=lambda error: "unreadable" in str(error))
    for model in (by_type, by_function):
        assert (await asked(model))[0].parts == (await streamed(model)).response.parts == [TextPart("good")]


async def test_a_stream_that_has_begun_is_not_replaced() -> None:
    failing = Failing(OVERLOADED, pieces=1)
    with pytest.raises(ModelHTTPError):
        await streamed(FallbackModel(failing.model, GOOD))
    assert failing.closed == 1


async def test_an_error_of_the_caller_is_not_taken_for_the_models() -> None:
    failing = Failing(OVERLOADED, pieces=2)
    mine = ModelHTTPError(500, "mine")
    with pytest.raises(ModelHTTPError) as raised:
        async with FallbackModel(failing.model, GOOD).request_stream(HELLO, None, tools()):
            raise mine
    assert raised.value is mine
    assert failing.closed == 1


async def test_an_empty_stream_is_an_answer() -> None:
    model = FallbackModel(FunctionModel(lambda _messages, _info: ModelResponse([])), GOOD)
    assert (await streamed(model)).events == []


async def test_the_stream_tells_which_model_answers() -> None:
    async with FallbackModel(Failing(OVERLOADED).model, GOOD).request_stream(HELLO, None, tools()) as response:
        assert response.model_name == "test"
        assert response.timestamp == response.get().timestamp


def test_it_is_named_for_its_models() -> None:
    model = FallbackModel("test", FunctionModel(stream_function=Failing(OVERLOADED).fail_later))
    assert model.model_name == "fallback:test,function::fail_later"
    assert model.system == "fallback:test,function"
    assert model.base_url is None
