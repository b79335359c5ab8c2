"""An agent may be made for a single run: what all agents share is made once a process."""

from __future__ import annotations

from typing import Any

import pytest

from agentgraph import Agent
from agentgraph.agent import agent_graph
from agentgraph.models.test import TestModel

from .counting import counted_calls

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("tp", [str, int | None, list[str]])
def test_agents_with_results_of_one_type_have_one_graph(tp: Any) -> None:
    assert agent_graph(tp) is agent_graph(tp)


async def test_the_first_run_of_an_agent_defines_no_nodes_and_makes_no_encoders() -> None:
    await Agent(TestModel()).run("go")
    agent = Agent(TestModel())
    with counted_calls() as calls:
        await agent.run("go")
    assert calls.within("graph/definition.py", "graph/shapes.py", "graph/encoding.py", "graph/blueprint.py") <= 40
    assert calls.of("graph/definition.py", "define") == calls.of("graph/shapes.py", "shape_of") == 0
