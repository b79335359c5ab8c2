"""Programs of March 2025 that go step by step: over the nodes of an agent, and over graphs that ask agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from agentgraph import Agent, AgentRun, BinaryContent, ImageUrl, RunContext, format_as_xml
from agentgraph.graph import BaseNode, Edge, End, Graph, GraphRunContext
from agentgraph.messages import (
    AgentStreamEvent,
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    HandleResponseEvent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    PartDeltaEvent,
    PartStartEvent,
    TextPartDelta,
    ToolCallPartDelta,
    UserContent,
)
from agentgraph.models.function import AgentInfo, DeltaToolCall, FunctionModel
from agentgraph.models.test import TestModel

AnyNode = BaseNode[Any, Any, Any] | End[Any]  # Any: as the type guards take them

pytestmark = pytest.mark.anyio


async def weatherman(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
    if len(messages) == 1:
        yield {0: DeltaToolCall("temperature", '{"city": ', "c1")}
        yield {0: DeltaToolCall(json_args='"Oslo"}')}
    else:
        yield "It is "
        yield "cold."


weather = Agent(FunctionModel(stream_function=weatherman), deps_type=int)


@weather.tool
async def temperature(ctx: RunContext[int], city: str) -> str:
    return f"{ctx.deps} degrees in {city}"


def told(event: AgentStreamEvent | HandleResponseEvent) -> str:
    match event:
        case PartStartEvent(index, part):
            return f"part {index}: {part.part_kind}"
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return f"text: {text}"
        case PartDeltaEvent(delta=ToolCallPartDelta(args_delta=args)):
            return f"args: {args}"
        case FinalResultEvent():
            return f"result by {event.tool_name}"
        case FunctionToolCallEvent():
            return f"calls {event.part.tool_name} as {event.call_id}"
        case FunctionToolResultEvent():
            return f"{event.tool_call_id} returned {event.result.content}"
        case _:
            return "something else"


async def told_by(node: AnyNode, run: AgentRun[int, str]) -> list[str]:
    """What a program shows of a node."""
    if Agent.is_user_prompt_node(node):
        return [f"asked: {node.user_prompt}"]
    if Agent.is_model_request_node(node):
        async with node.stream(run.ctx) as reply:
            return [told(event) async for event in reply]
    if Agent.is_handle_response_node(node):
        async with node.stream(run.ctx) as calls:
            return [told(event) async for event in calls]
    assert Agent.is_end_node(node)
    assert run.result is not None
    assert run.result.data == node.data.data
    return [f"end: {run.result.data}"]


async def test_a_program_watches_every_node() -> None:
    async with weather.iter("How cold is it?", deps=-3) as run:
        lines = [line async for node in run for line in await told_by(node, run)]
    assert lines == [
        "asked: How cold is it?",
        "part 0: tool-call",
        'args: "Oslo"}',
        "calls temperature as c1",
        "c1 returned -3 degrees in Oslo",
        "part 0: text",
        "result by None",
        "text: cold.",
        "end: It is cold.",
    ]


async def test_a_program_drives_the_nodes_itself() -> None:
    async with weather.iter("How cold is it?", deps=4) as run:
        node, seen = run.next_node, list[str]()
        while not isinstance(node, End):
            seen.append(type(node).__name__)
            node = await run.next(node)
        assert len(run.ctx.state.message_history) == 4
    assert seen == ["UserPromptNode", *["ModelRequestNode", "HandleResponseNode"] * 2]
    assert (node.data.data, run.usage().requests) == ("It is cold.", 2)


async def test_pictures_go_into_the_history() -> None:
    picture = BinaryContent(data=b"\x89PNG", media_type="image/png")
    prompt: list[UserContent] = ["What are these?", ImageUrl(url="https://example.com/a.png"), picture]
    result = await Agent(TestModel()).run(prompt)
    assert ModelMessagesTypeAdapter.validate_json(result.all_messages_json()) == result.all_messages()


# -------------------------------------------------------------------------------------------------- question and answer


class Verdict(BaseModel):
    correct: bool
    comment: str


asker = Agent(TestModel(custom_result_text="What is the capital of Norway?"))
judge = Agent(TestModel(), result_type=Verdict, system_prompt="Say whether the answer is right.")


@dataclass
class Quiz:
    question: str | None = None
    asked: list[ModelMessage] = field(default_factory=list[ModelMessage])
    judged: list[ModelMessage] = field(default_factory=list[ModelMessage])


@dataclass
class Ask(BaseNode[Quiz]):
    async def run(self, ctx: GraphRunContext[Quiz]) -> Reply:
        result = await asker.run("Ask a question.", message_history=ctx.state.asked)
        ctx.state.asked += result.new_messages()
        ctx.state.question = result.data
        return Reply(result.data)


@dataclass
class Reply(BaseNode[Quiz]):
    question: str

    async def run(self, ctx: GraphRunContext[Quiz]) -> Judge:
        return Judge("Oslo" if ctx.state.judged else "Bergen")


@dataclass
class Judge(BaseNode[Quiz, None, str]):
    answer: str

    async def run(
        self, ctx: GraphRunContext[Quiz]
    ) -> Annotated[End[str], Edge(label="right")] | Annotated[Comment, Edge(label="wrong")]:
        about = format_as_xml({"question": ctx.state.question, "answer": self.answer})
        model = TestModel(custom_result_args={"correct": self.answer == "Oslo", "comment": f"{self.answer}?"})
        result = await judge.run(about, message_history=ctx.state.judged, model=model)
        ctx.state.judged += result.new_messages()
        return End(result.data.comment) if result.data.correct else Comment(result.data.comment)


@dataclass
class Comment(BaseNode[Quiz]):
    comment: str

    async def run(self, ctx: GraphRunContext[Quiz]) -> Ask:
        ctx.state.question = None
        return Ask()


quiz = Graph(nodes=(Ask, Reply, Judge, Comment), state_type=Quiz)


async def test_a_quiz_is_played() -> None:
    state = Quiz()
    result = await quiz.run(Ask(), state=state)
    assert (result.output, result.state.question) == ("Oslo?", "What is the capital of Norway?")
    assert (len(result.state.asked), len(result.state.judged)) == (4, 6)


def test_a_quiz_is_played_from_a_script() -> None:
    assert quiz.run_sync(Ask(), state=Quiz()).output == "Oslo?"


async def test_a_quiz_is_stepped_through() -> None:
    async with quiz.iter(Ask(), state=Quiz()) as run:
        seen = [type(node).__name__ async for node in run]
    assert seen == ["Ask", "Reply", "Judge", "Comment", "Ask", "Reply", "Judge", "End"]
    async with quiz.iter(Ask(), state=Quiz()) as run:
        node = await run.next()
        assert node == Reply("What is the capital of Norway?")
        assert await run.next(Judge("Oslo")) == End("Oslo?")
    assert run.result is not None
    assert run.result.output == "Oslo?"


def test_a_quiz_is_drawn() -> None:
    drawn = quiz.mermaid_code(start_node=Ask, title="quiz", direction="LR")
    for line in ("[*] --> Ask", "Judge --> [*]: right", "Judge --> Comment: wrong", "direction LR"):
        assert line in drawn


async def test_a_node_is_tested_alone() -> None:
    assert await Comment("no").run(GraphRunContext(Quiz("x"), None)) == Ask()
    assert await Reply("?").run(GraphRunContext(state=Quiz(judged=[]), deps=None)) == Judge("Bergen")
