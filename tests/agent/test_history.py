"""The messages of a run: all, new, as JSON, and with another content for the result's tool."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentgraph import Agent, UserError
from agentgraph.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ToolReturnPart,
    UserPromptPart,
)
from agentgraph.models.test import TestModel
from tests.agent.doors import plain
from tests.agent.scripted import Asked, call, says

pytestmark = pytest.mark.anyio


def returns(message: ModelMessage) -> list[object]:
    return [part.content for part in message.parts if isinstance(part, ToolReturnPart)]


async def test_a_run_adds_request_and_reply() -> None:
    result = await Agent(TestModel()).run("Hello")
    request, reply = result.all_messages()
    assert isinstance(request, ModelRequest)
    assert isinstance(reply, ModelResponse)
    assert result.new_messages() == result.all_messages()


async def test_a_history_is_neither_changed_nor_new() -> None:
    agent = Agent(TestModel())
    history = (await agent.run("Hello")).all_messages()
    before = list(history)
    result = await agent.run("And?", message_history=history)
    assert history == before
    assert result.all_messages()[:2] == history
    assert len(result.new_messages()) == 2


async def test_the_lists_are_the_callers_own() -> None:
    result = await Agent(TestModel()).run("Hello")
    result.all_messages().clear()
    assert len(result.all_messages()) == 2


async def test_json_holds_the_same_messages() -> None:
    agent = Agent(TestModel())
    history = (await agent.run("Hello")).all_messages()
    result = await agent.run("And?", message_history=history)
    assert ModelMessagesTypeAdapter.validate_json(result.all_messages_json()) == result.all_messages()
    assert ModelMessagesTypeAdapter.validate_json(result.new_messages_json()) == result.new_messages()


async def test_a_conversation_can_change_its_agent() -> None:
    history = (await Agent(TestModel(), system_prompt="Be brief.").run("Hello")).all_messages()
    model = Asked()
    await Agent(model, result_type=str).run("And?", message_history=history)
    assert plain(model.requests[0][:-1]) == plain(history)


async def test_the_results_tool_return_can_be_told_anew() -> None:
    model = says([call("final_result", "a", response=3), call("final_result", "b", response=4)])
    result = await Agent(model, result_type=int).run("Hello")
    told = result.all_messages(result_tool_return_content="the user was pleased")
    closing = result.all_messages()[-1]
    assert returns(told[-1]) == ["the user was pleased", returns(closing)[1]]
    assert told[:-1] == result.all_messages()[:-1]
    assert "the user was pleased" not in returns(closing)
    assert result.new_messages(result_tool_return_content="x")[-1].parts[0].content == "x"  # type: ignore[union-attr]  # a tool return


async def test_json_can_tell_the_results_tool_return_anew() -> None:
    result = await Agent(TestModel(), result_type=int).run("Hello")
    for read in (result.all_messages_json, result.new_messages_json):
        assert b"a pleasure" in read(result_tool_return_content="a pleasure")
        assert b"a pleasure" not in read()


async def test_a_text_result_has_no_tool_return() -> None:
    result = await Agent(TestModel()).run("Hello")
    with pytest.raises(UserError, match="this one is text"):
        result.all_messages(result_tool_return_content="x")


async def test_a_streamed_run_has_the_same_messages() -> None:
    agent = Agent(TestModel(), result_type=int)
    history = (await agent.run("Hello")).all_messages()
    async with agent.run_stream("And?", message_history=history) as response:
        assert len(response.all_messages()) == len(history) + 1
        assert len(response.new_messages()) == 1
        with pytest.raises(UserError, match="not there yet"):
            response.all_messages(result_tool_return_content="x")
        await response.get_data()
        assert returns(response.new_messages(result_tool_return_content="x")[-1]) == ["x"]
    assert response.all_messages_json().startswith(ModelMessagesTypeAdapter.dump_json(history)[:-1])
    assert ModelMessagesTypeAdapter.validate_json(response.new_messages_json()) == response.new_messages()


async def test_messages_written_by_an_older_system_can_be_continued() -> None:
    when = datetime(2025, 3, 1, tzinfo=UTC)
    history = ModelMessagesTypeAdapter.validate_json(
        b'[{"parts": [{"content": "Hello", "timestamp": "2025-03-01T00:00:00Z", "part_kind": "user-prompt"}],'
        b' "kind": "request"}, {"parts": [{"content": "Hi", "part_kind": "text"}], "model_name": "m",'
        b' "timestamp": "2025-03-01T00:00:00Z", "kind": "response"}]'
    )
    result = await Agent(TestModel()).run("And?", message_history=history)
    first = result.all_messages()[0].parts[0]
    assert isinstance(first, UserPromptPart)
    assert first.timestamp == when
