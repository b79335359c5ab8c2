from __future__ import annotations

import pytest
from pydantic import BaseModel

from agentgraph import Agent, ModelRetry
from agentgraph.cli.walk import CallBegan, CallEnded, NodeBegan, RunFinished, TextCame, WalkEvent, walk, walk_events
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.test import TestModel

pytestmark = pytest.mark.anyio


class Answer(BaseModel):
    number: int


async def events_of(agent: Agent[None, str] | Agent[None, Answer], *, streamed: bool) -> list[WalkEvent]:
    told: list[WalkEvent] = []
    async with agent.iter("go") as run:
        await walk(run, told.append, streamed=streamed)
    return told


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_run_is_told_node_by_node(*, streamed: bool) -> None:
    agent = Agent(TestModel(custom_result_text="good day"))

    @agent.tool_plain
    def look(at: int) -> str:
        raise ModelRetry("nothing there") if at else AssertionError

    told = await events_of(Agent(TestModel(custom_result_text="good day")), streamed=streamed)
    assert [event.node for event in told if isinstance(event, NodeBegan)] == [
        "UserPromptNode",
        "ModelRequestNode",
        "HandleResponseNode",
    ]
    assert "".join(event.delta for event in told if isinstance(event, TextCame)) == "good day"
    assert told[-1] == RunFinished("good day")
    assert look is not None


async def test_calls_are_told_with_their_answers() -> None:
    agent = Agent(TestModel(), retries=1)
    tries: list[int] = []

    @agent.tool_plain
    def count(step: int) -> int:
        tries.append(step)
        if len(tries) == 1:
            raise ModelRetry("once more")
        return 7

    told = await events_of(agent, streamed=False)
    began = [event for event in told if isinstance(event, CallBegan)]
    ended = [event for event in told if isinstance(event, CallEnded)]
    assert [(call.tool, call.args) for call in began] == [("count", '{"step":0}')] * 2
    assert [call.call_id for call in ended] == [call.call_id for call in began]
    assert [(call.retry, call.answer.split("\n")[0]) for call in ended] == [(True, "once more"), (False, "7")]
    assert count is not None


async def test_a_model_that_cannot_stream_is_walked_reply_by_reply() -> None:
    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart("here: "), ToolCallPart(info.result_tools[0].name, {"number": 3})])

    told = await events_of(Agent(FunctionModel(answer), result_type=Answer), streamed=False)
    assert TextCame("here: ") in told
    assert told[-1] == RunFinished('{"number":3}')


async def test_events_cross_as_json() -> None:
    events: list[WalkEvent] = [
        NodeBegan(1, "N", 2),
        TextCame("é"),
        CallBegan("1", "t", "{}"),
        CallEnded("1", "x"),
        RunFinished("r"),
    ]
    assert [walk_events.validate_json(walk_events.dump_json(event)) for event in events] == events
