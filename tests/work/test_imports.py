"""How much is loaded to have an `Agent`, and to stream a first reply."""

from __future__ import annotations

import pytest

from tests.test_imports import loaded_by

RUN = """
from agentgraph import Agent
from agentgraph.models.test import TestModel
assert Agent(TestModel(custom_result_text='It is.')).run_sync('Is it?').data == 'It is.'
"""
ONLY_WHEN_NEEDED = {
    "asyncio",
    "ssl",
    "agentgraph.agent.following",
    "agentgraph.agent.pictures",
    "agentgraph.graph.diagram",
    "agentgraph.graph.editing",
    "agentgraph.graph.following",
    "agentgraph.graph.picture",
    "agentgraph.graph.run_picture",
    "agentgraph.result.partial",
    "agentgraph.result.partial_types",
    "agentgraph.stores.memory",
    "agentgraph.stores.memory_runs",
    "agentgraph.stores.sqlite",
}


def own(names: list[str]) -> list[str]:
    return [name for name in names if name.startswith("agentgraph.")]


def test_an_agent_loads_no_more_than_it_needs_to_be_made() -> None:
    names = loaded_by("from agentgraph import Agent")
    assert not ONLY_WHEN_NEEDED & set(names)
    assert len(own(names)) <= 140


@pytest.mark.parametrize("statement", [RUN])
def test_a_first_run_loads_little_more(statement: str) -> None:
    names = loaded_by(statement)
    assert "agentgraph.result.partial" not in names
    assert len(own(names)) <= 158
