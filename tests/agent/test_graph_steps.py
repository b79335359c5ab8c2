"""Agents as steps of a user's graph: in one line, with their events, their usage and their questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agentgraph import Agent, ModelRequestNode, RunNotResumable, RunWaiting, ToolApproved, Usage, UserError
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, RunEvent, RunFilter, StepStarted
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.test import TestModel
from agentgraph.stores import MemoryStore, SQLiteStore
from tests.graph.mortal import Dying, Killed

pytestmark = pytest.mark.anyio


@dataclass
class Desk:
    usage: Usage = field(default_factory=Usage)


def counters(desk: Desk) -> dict[str, int]:
    return {"requests": desk.usage.requests}


def writer(asked: list[str]) -> Agent[None, str]:
    def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked.append(f"reply {len(asked)}")
        return ModelResponse([TextPart(f"after {len(messages)}")])

    return Agent(FunctionModel(reply), name="writer")


@dataclass
class Ask(BaseNode[Desk, Any, str]):
    topic: str

    async def run(self, ctx: GraphRunContext[Desk, Any]) -> End[str]:
        agent, options = ctx.deps
        first = await ctx.run(agent, self.topic, **options)
        second = await ctx.run(agent, f"more on {first.data}")
        return End(f"{first.data}; {second.data}")


asking: Graph[Desk, Any, str] = Graph(nodes=(Ask,), name="asking", usage_of=counters)


async def test_an_agent_is_a_step_in_one_line() -> None:
    store, events, asked = MemoryStore(), list[RunEvent](), list[str]()
    deps: Any = (writer(asked), {})
    done = await asking.run(Ask("a"), state=Desk(), deps=deps, store=store, run_id="r", observers=[events.append])
    assert (done.output, done.state.usage.requests) == ("after 1; after 1", 2)
    assert (await store.load("r")).usage == b'{"requests":2}'
    children = await store.list(RunFilter(parent="r"))
    assert {(child.run_id, child.agent) for child in children} == {("r/:0/0", "writer"), ("r/:0/1", "writer")}
    nodes = [(event.run_id, event.node) for event in events if isinstance(event, StepStarted)]
    assert nodes[:2] == [("r", "Ask"), ("r/:0/0", "UserPromptNode")]


async def test_where_nothing_is_kept_an_agent_just_runs() -> None:
    done = await asking.run(Ask("a"), state=Desk(), deps=(writer([]), {}))
    assert (done.output, done.state.usage.requests) == ("after 1; after 1", 2)


async def test_a_usage_that_is_given_is_counted_in_alone() -> None:
    usage = Usage()
    done = await asking.run(Ask("a"), state=Desk(), deps=(writer([]), {"usage": usage}))
    assert (usage.requests, done.state.usage.requests) == (1, 1)


async def test_a_state_without_usage_counts_none() -> None:
    @dataclass
    class Once(BaseNode[None, Any, str]):
        async def run(self, ctx: GraphRunContext[None, Any]) -> End[str]:
            return End((await ctx.run(writer([]), "a")).data)

    assert (await Graph(nodes=(Once,), name="once").run(Once())).output == "after 1"


REFUSED: list[dict[str, Any]] = [
    {"run_id": "x"},
    {"conversation": "c"},
    {"break_before": [ModelRequestNode]},
    {"store": ":memory:"},
]


@pytest.mark.parametrize("option", REFUSED, ids=lambda option: next(iter(option)))
async def test_what_a_child_takes_from_its_parent_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="from the node's run: leave it out"):
        await asking.run(Ask("a"), state=Desk(), deps=(writer([]), option))


async def test_wherever_it_is_killed_usage_counts_once_and_no_committed_reply_is_asked_for_again() -> None:
    killed, alive = 0, False
    while not alive:
        store, asked = Dying(killed + 1), list[str]()
        deps: Any = (writer(asked), {})
        try:
            await asking.run(Ask("a"), state=Desk(), deps=deps, store=store, run_id="r")
            alive = True
        except (Killed, BaseExceptionGroup):
            killed += 1
        await store.bury()
        done = await asking.run(resume="r", deps=deps, store=store)
        assert (done.output, done.state.usage.requests) == ("after 1; after 1", 2)
        assert len(asked) <= 3  # the reply that was not committed
    assert killed >= 6


@dataclass
class Fickle(BaseNode[None, Any, str]):
    async def run(self, ctx: GraphRunContext[None, Any]) -> End[str]:
        await ctx.run(writer([]), ctx.deps)
        raise ConnectionError


async def test_an_agent_that_was_asked_something_else_is_refused(tmp_path: Path) -> None:
    fickle: Graph[None, Any, str] = Graph(nodes=(Fickle,), name="fickle")
    store = SQLiteStore(tmp_path / "runs.db")
    with pytest.raises(ConnectionError):
        await fickle.run(Fickle(), deps="a", store=store, run_id="r")
    with pytest.raises(RunNotResumable, match="asked something else"):
        await fickle.run(resume="r", deps="b", store=store)
    await store.aclose()


def clerk() -> Agent[None, str]:
    agent = Agent(TestModel(), name="clerk")

    @agent.tool_plain(requires_approval=True)
    def refund(order: int) -> str:
        return f"refunded {order}"

    return agent


@dataclass
class Refund(BaseNode[Desk, Any, str]):
    async def run(self, ctx: GraphRunContext[Desk, Any]) -> End[str]:
        agent: Agent[None, str] = ctx.deps
        return End((await ctx.run(agent, "refund 0")).data)


async def test_what_an_agent_waits_for_is_listed_by_the_graphs_run() -> None:
    refunds: Graph[Desk, Any, str] = Graph(nodes=(Refund,), name="refunds")
    store, agent = MemoryStore(), clerk()
    with pytest.raises(RunWaiting) as caught:
        await refunds.run(Refund(), state=Desk(), deps=agent, store=store, run_id="r")
    assert (caught.value.run_id, len(caught.value.questions)) == ("r", 1)
    (request,) = await agent.requests("r/:0/0", store=store)
    await agent.answer("r/:0/0", request.key, ToolApproved(), store=store)
    done = await refunds.run(resume="r", deps=agent, store=store)
    assert (done.output, done.state.usage.requests) == ('{"refund":"refunded 0"}', 2)
