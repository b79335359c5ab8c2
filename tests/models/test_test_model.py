from __future__ import annotations

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.models.test import TestModel
from agentgraph.usage import Usage

from .conversation import HELLO, asked, streamed, tool, tools

pytestmark = pytest.mark.anyio

INTEGER = {"type": "integer"}
RESULT = ModelRequestParameters([], allow_text_result=False, result_tools=[tool("final_result", x=INTEGER)])


def after(*answers: ModelRequestPart) -> list[ModelMessage]:
    return [*HELLO, ModelResponse([ToolCallPart("f", {})]), ModelRequest(list(answers))]


async def reply(model: TestModel, messages: list[ModelMessage], parameters: ModelRequestParameters) -> ModelResponse:
    """What the model says, plain and streamed alike."""
    response, usage = await asked(model, messages, parameters)
    seen = await streamed(model, messages, parameters)
    assert (seen.response.parts, seen.usage) == (response.parts, usage)
    assert response.model_name == "test"
    return response


async def test_without_tools_it_says_so() -> None:
    response, usage = await asked(TestModel())
    assert response.parts == [TextPart("success (no tool calls)")]
    assert usage == Usage(0, 51, 4, 55)


async def test_every_tool_is_called_in_the_first_reply() -> None:
    response = await reply(TestModel(), HELLO, tools("f", "g"))
    assert response.parts == [ToolCallPart("f", {"x": 0}), ToolCallPart("g", {"x": 0})]


async def test_only_named_tools_are_called() -> None:
    assert (await reply(TestModel(call_tools=["g"]), HELLO, tools("f", "g"))).parts == [ToolCallPart("g", {"x": 0})]
    assert (await reply(TestModel(call_tools=[]), HELLO, tools("f"))).parts == [TextPart("success (no tool calls)")]


async def test_a_name_that_is_no_tool_is_an_error_that_lists_the_tools() -> None:
    with pytest.raises(UserError, match=r"'h'; the tools are 'f', 'g'"):
        await asked(TestModel(call_tools=["h"]), HELLO, tools("f", "g"))
    with pytest.raises(UserError, match="the tools are none"):
        await asked(TestModel(call_tools=["h"]))


async def test_the_answer_is_what_the_tools_returned() -> None:
    messages = after(ToolReturnPart("f", "a-apple"), ToolReturnPart("g", {"n": 1}))
    assert (await reply(TestModel(), messages, tools("f", "g"))).parts == [TextPart('{"f":"a-apple","g":{"n":1}}')]


async def test_tools_that_ask_for_a_retry_are_called_again() -> None:
    messages = after(ToolReturnPart("f", 1), RetryPromptPart("again", "g"))
    assert (await reply(TestModel(), messages, tools("f", "g"))).parts == [ToolCallPart("g", {"x": 0})]


async def test_a_result_tool_that_asks_for_a_retry_is_called_again() -> None:
    messages = after(RetryPromptPart("again", "final_result"))
    response = await reply(TestModel(custom_result_args={"x": 7}), messages, RESULT)
    assert response.parts == [ToolCallPart("final_result", {"x": 7})]


async def test_a_refused_text_is_said_again() -> None:
    response = await reply(TestModel(custom_result_text="so"), after(RetryPromptPart("no")), ModelRequestParameters())
    assert response.parts == [TextPart("so")]


async def test_a_result_is_made_up_where_text_is_not_allowed() -> None:
    assert (await reply(TestModel(), HELLO, RESULT)).parts == [ToolCallPart("final_result", {"x": 0})]


async def test_the_seed_shifts_the_data_and_chooses_the_result_tool() -> None:
    both = ModelRequestParameters(
        [], allow_text_result=False, result_tools=[tool("a", x=INTEGER), tool("b", x=INTEGER)]
    )
    assert (await reply(TestModel(seed=3), HELLO, both)).parts == [ToolCallPart("b", {"x": 3})]


@pytest.mark.parametrize("args", [{"x": 5}, '{"x": 5}'])
async def test_custom_arguments_go_to_the_result_tool(args: str | dict[str, object]) -> None:
    response = await reply(TestModel(custom_result_args=args), HELLO, RESULT)
    assert response.parts == [ToolCallPart("final_result", args)]


async def test_custom_arguments_that_are_an_object_become_json() -> None:
    response = await reply(TestModel(custom_result_args=Usage(1)), HELLO, RESULT)
    [call] = response.parts
    assert isinstance(call, ToolCallPart)
    assert call.args_as_dict()["requests"] == 1


async def test_custom_arguments_of_a_wrapped_result_are_wrapped() -> None:
    wrapped = ToolDefinition("final_result", "", {"type": "object"}, outer_typed_dict_key="response")
    response = await reply(
        TestModel(custom_result_args=[1, 2]), HELLO, ModelRequestParameters([], result_tools=[wrapped])
    )
    assert response.parts == [ToolCallPart("final_result", {"response": [1, 2]})]


async def test_answers_that_the_agent_does_not_take_are_errors() -> None:
    with pytest.raises(UserError, match="custom_result_text"):
        await asked(TestModel(custom_result_text="a"), HELLO, RESULT)
    with pytest.raises(UserError, match="no result tool"):
        await asked(TestModel(custom_result_args={}), HELLO, ModelRequestParameters())


async def test_the_latest_parameters_can_be_read() -> None:
    model = TestModel()
    assert model.last_model_request_parameters is None
    parameters = tools("f")
    await asked(model, HELLO, parameters)
    assert model.last_model_request_parameters is parameters


async def test_text_is_streamed_word_by_word_and_calls_whole() -> None:
    text = await streamed(TestModel(custom_result_text=" The  cat\nsat. "))
    assert len(text.events) == 3
    assert text.response.parts == [TextPart(" The  cat\nsat. ")]
    assert len((await streamed(TestModel(), HELLO, tools("f"))).events) == 1


async def test_blank_text_is_streamed_too() -> None:
    assert (await streamed(TestModel(custom_result_text="  "))).response.parts == [TextPart("  ")]
    assert (await streamed(TestModel(custom_result_text=""))).response.parts == [TextPart("")]


async def test_a_schema_that_nothing_fits_is_named() -> None:
    impossible = ModelRequestParameters([tool("f", x={"type": "integer", "minimum": 2, "maximum": 1})])
    with pytest.raises(UserError, match="'f'"):
        await asked(TestModel(), [ModelRequest([UserPromptPart("a")])], impossible)


def test_it_is_named_test() -> None:
    assert (TestModel().model_name, TestModel().system) == ("test", "test")
