"""Who may answer, and when: another process, somebody without the agent, twice, too late."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agentgraph import Agent, MemoryStore, RunNotFound, RunWaiting, ToolApproved
from agentgraph.exceptions import UserError
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext
from tests.agent.scripted import call, says

pytestmark = pytest.mark.anyio


@dataclass
class Weigh(BaseNode[None, None, int]):
    async def run(self, ctx: GraphRunContext[None, None]) -> End[int]:
        kilos: int = await ctx.wait_for("kilos", question="How heavy is it?", type=int)
        return End(2 * kilos)


async def test_an_agent_hands_in_the_answer_to_any_graph_as_it_is() -> None:
    store, graph = MemoryStore(), Graph(nodes=[Weigh])
    with pytest.raises(RunWaiting):
        await graph.run(Weigh(), store=store, run_id="r")
    agent = Agent(says("unasked"), store=store)
    with pytest.raises(UserError, match=r"'litres' names no open question of run 'r'; there are: /0/kilos"):
        await agent.answer("r", "litres", 4)
    await agent.answer("r", "/0/kilos", 4)
    assert (await graph.run(resume="r", store=store)).output == 8


async def test_what_a_run_waits_for_can_be_read_by_anybody() -> None:
    store = MemoryStore()
    agent = Agent(says([call("pay", "c1", x=1), call("pay", "c2", x=2)], "done"), store=store)
    agent.tool_plain(name="pay", requires_approval=True)(abs)
    with pytest.raises(RunWaiting) as caught:
        await agent.run("go", run_id="r")
    reader = Agent(says("unasked"))
    assert await reader.requests("r", store=store) == list(caught.value.requests)
    await agent.answer("r", "c1", ToolApproved())
    assert await agent.requests("r") == list(caught.value.requests)[1:]
    assert (await agent.run(resume="r", answers={"c2": "never"})).data == "done"
    assert await agent.requests("r") == []
    with pytest.raises(RunNotFound):
        await agent.requests("unknown")


async def test_a_graphs_own_question_is_told_as_it_is() -> None:
    store = MemoryStore()
    with pytest.raises(RunWaiting) as caught:
        await Graph(nodes=[Weigh]).run(Weigh(), store=store, run_id="r")
    assert await Agent(says("unasked"), store=store).requests("r") == list(caught.value.questions)
