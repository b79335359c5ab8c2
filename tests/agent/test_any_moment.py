"""Runs that are cancelled at any moment: nobody holds them, and they go on to the end that they would have had."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from agentgraph import Agent, AgentRun, End, MemoryStore, RunCancelled, RunContext, RunNotFound
from agentgraph.agent.run import AgentNode
from agentgraph.agent.state import FinalResult
from agentgraph.graph import Status
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from agentgraph.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from tests.agent.scripted import call

pytestmark = pytest.mark.anyio

SAID: list[list[ToolCallPart] | str] = [
    [call("weigh", "a")],
    [call("look", "b"), call("weigh", "c")],
    "Once upon a time.",
]


def next_of(messages: list[ModelMessage]) -> list[ToolCallPart] | str:
    return SAID[sum(isinstance(message, ModelResponse) and message.state == "complete" for message in messages)]


class Story:
    """An agent that weighs, looks, and tells."""

    def __init__(self) -> None:
        self.store, self.made = MemoryStore(), list[str | None]()
        self.agent = Agent(FunctionModel(self._reply, stream_function=self._tell), store=self.store)
        self.agent.tool(self.weigh)
        self.agent.tool_plain(self.look)

    def weigh(self, ctx: RunContext[None]) -> str:
        self.made.append(ctx.idempotency_key)
        return "3 kg"

    async def look(self) -> str:
        await checkpoint()
        return "a cat"

    async def _reply(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await checkpoint()
        said = next_of(messages)
        return ModelResponse([TextPart(said)] if isinstance(said, str) else [*said])

    async def _tell(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        said = next_of(messages)
        if isinstance(said, str):
            for word in said.split(" "):
                await checkpoint()
                yield f"{word} "
            return
        for index, part in enumerate(said):
            await checkpoint()
            yield {index: DeltaToolCall(part.tool_name, part.args_as_json_str(), part.tool_call_id)}

    async def check(self) -> Status | None:
        """The run as it was left, after it was gone on with."""
        with suppress(RunNotFound):  # it was cancelled before it was there
            left = await self.store.load("r")
            assert (left.status in (Status.CANCELLED, Status.SUCCEEDED), left.owner) == (True, None)
            result = await self.agent.run(resume="r")
            assert result.data.strip() == SAID[-1]
            assert len(self.made) == len(set(self.made)) == 2
            replies = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
            assert [reply.state for reply in replies].count("complete") == len(SAID)
            return left.status
        return None


async def run(agent: Agent[None, str]) -> None:
    await agent.run("Go on", run_id="r")


async def run_stream(agent: Agent[None, str]) -> None:
    async with agent.run_stream("Go on", run_id="r") as response, aclosing(response.stream_text()) as texts:
        async for _ in texts:
            await checkpoint()


async def stream_nodes(agent: Agent[None, str]) -> None:
    async with agent.iter("Go on", run_id="r") as going:
        async for node in going:
            await stream_node(going, node)


async def stream_node(going: AgentRun[None, str], node: AgentNode[None, str] | End[FinalResult[str]]) -> None:
    if Agent.is_model_request_node(node) or Agent.is_handle_response_node(node):
        async with node.stream(going.ctx) as events:
            _ = [event async for event in events]


Door = Callable[[Agent[None, str]], Coroutine[Any, Any, None]]  # Any: what nobody sends or gets
DOORS = pytest.mark.parametrize("door", [run, run_stream, stream_nodes])


async def by_a_scope(story: Story, door: Door, turns: int) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(door, story.agent)
        for _ in range(turns):
            await checkpoint()
        group.cancel_scope.cancel()


async def from_elsewhere(story: Story, door: Door, turns: int) -> None:
    async def going() -> None:
        with suppress(RunCancelled):
            await door(story.agent)

    async with anyio.create_task_group() as group:
        group.start_soon(going)
        for _ in range(turns):
            await checkpoint()
        with suppress(RunNotFound):
            await story.agent.cancel("r")


async def by_asyncio(story: Story, door: Door, turns: int) -> None:
    task = asyncio.ensure_future(door(story.agent))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


Stop = Callable[[Story, Door, int], Awaitable[None]]


async def check_all(stop: Stop, door: Door) -> None:
    left: set[Status | None] = set()
    for turns in range(36):
        story = Story()
        await stop(story, door, turns)
        left.add(await story.check())
    assert Status.CANCELLED in left


@DOORS
@pytest.mark.parametrize("stop", [by_a_scope, from_elsewhere])
async def test_a_run_cancelled_at_any_moment_goes_on_as_if_it_had_not_been(stop: Stop, door: Door) -> None:
    await check_all(stop, door)


class TestTasksOfAsyncio:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"  # trio knows no cancellation but that of scopes

    @DOORS
    async def test_a_run_whose_task_is_cancelled_at_any_moment_goes_on_as_well(self, door: Door) -> None:
        await check_all(by_asyncio, door)
