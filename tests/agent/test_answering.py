"""Who may answer, and when: another process, somebody without the agent, twice, too late."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from agentgraph import Agent, MemoryStore, RunWaiting
from agentgraph.exceptions import UserError
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext
from tests.agent.scripted import says

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
