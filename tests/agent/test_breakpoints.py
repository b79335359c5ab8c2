"""Breakpoints of agents: before its tools are called, say, a run stops, and goes on when it is resumed."""

from __future__ import annotations

from typing import Any

import pytest

from agentgraph import Agent, HandleResponseNode, MemoryStore, ModelRequestNode, RunContext
from agentgraph.exceptions import RunPaused, UserError
from agentgraph.graph import BaseNode, Graph, GraphRunContext, Status
from tests.agent.scripted import call, says

pytestmark = pytest.mark.anyio


def pinging(store: MemoryStore) -> Agent[None, str]:
    agent = Agent(says([call("ping")], "done"), store=store)

    @agent.tool_plain
    def ping() -> str:
        return "pong"

    return agent


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


async def test_a_run_stops_before_its_calls_are_made(store: MemoryStore) -> None:
    agent = pinging(store)
    with pytest.raises(RunPaused) as caught:
        await agent.run("go", run_id="r", break_before=[HandleResponseNode])
    node = caught.value.nodes[""]
    assert isinstance(node, HandleResponseNode)
    assert [part.part_kind for part in node.model_response.parts] == ["tool-call"]
    assert [type(message).__name__ for message in caught.value.messages] == ["ModelRequest", "ModelResponse"]
    assert (await store.load("r")).status is Status.PENDING
    assert (await agent.run(resume="r")).data == "done"


async def test_an_iteration_ends_there(store: MemoryStore) -> None:
    async with pinging(store).iter("go", run_id="r", break_before=[HandleResponseNode]) as run:
        names = [type(node).__name__ async for node in run]
        assert names == ["UserPromptNode", "ModelRequestNode", "HandleResponseNode"]
        assert run.result is None
        assert run.paused is not None
        assert [type(node).__name__ async for node in run] == ["ModelRequestNode", "HandleResponseNode"]
    assert (await store.load("r")).status is Status.PENDING


async def test_a_stream_stops_before_a_reply_is_asked_for_and_before_it_is_handled(store: MemoryStore) -> None:
    agent = pinging(store)
    stopped: list[str] = []
    both: list[type[BaseNode[Any, Any, Any]]] = [ModelRequestNode, HandleResponseNode]
    with pytest.raises(RunPaused):
        async with agent.run_stream("go", run_id="r", break_before=both):
            raise AssertionError  # there is nothing to read yet
    for _ in range(3):
        stopped.append((await store.load("r")).pending)
        with pytest.raises(RunPaused):
            async with agent.run_stream(resume="r", break_before=both) as response:
                assert await response.get_data() == "done"
    stopped.append((await store.load("r")).pending)
    async with agent.run_stream(resume="r", break_before=both) as response:
        assert await response.get_data() == "done"
    assert stopped == ["ModelRequestNode", "HandleResponseNode"] * 2


async def test_breakpoints_are_nodes_of_the_agent_graph_and_stop_no_run_inside_of_a_step(store: MemoryStore) -> None:
    class Other(BaseNode):
        async def run(self, ctx: GraphRunContext) -> Other:
            return self

    Graph(nodes=[Other])
    agent, inner = Agent(says([call("ask")], "done"), store=store), Agent(says("yes"))

    @agent.tool
    async def ask(ctx: RunContext[None]) -> str:
        return (await inner.run("?", parent=ctx, break_before=[HandleResponseNode])).data

    with pytest.raises(UserError, match="`break_before` names Other, not in graph 'agent'"):
        await agent.run("go", break_before=[Other])
    with pytest.raises(UserError, match="cannot stop a run inside of a step of its `parent`"):
        await agent.run("go")
