"""What a further run costs in a memory store that has many: as much as in one that has few."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from agentgraph import Agent
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext
from agentgraph.models.test import TestModel
from agentgraph.stores import MemoryStore

from .counting import counted_calls

pytestmark = pytest.mark.anyio


async def growth(agent: Agent[None, str], run: Callable[[], Awaitable[object]]) -> int:
    """How many calls of functions more a run takes where there are a hundred more."""
    await run()
    with counted_calls() as few:
        await run()
    for number in range(100):
        await agent.run("go", run_id=f"kept-{number}")
    with counted_calls() as many:
        await run()
    return many.within() - few.within()


async def test_a_run_among_many_costs_what_one_among_few_does() -> None:
    agent = Agent(TestModel(), store=MemoryStore())
    assert await growth(agent, lambda: agent.run("go")) <= 5


async def test_a_turn_of_a_conversation_among_many_runs_costs_what_one_among_few_does() -> None:
    agent, talks = Agent(TestModel(), store=MemoryStore()), iter(["one", "two", "three"])

    async def two_turns() -> None:
        talk = next(talks)
        for _ in range(2):
            await agent.run("go", conversation=talk)

    assert await growth(agent, two_turns) <= 5


async def test_the_runs_below_another_are_found_without_a_look_at_all() -> None:
    store = MemoryStore()
    agent = Agent(TestModel(), store=store)
    for number in range(100):
        await agent.run("go", run_id=f"kept-{number}")
    with counted_calls() as calls:
        await store.delete("kept-50")
    assert calls.of("stores/memory_runs.py", "fits") == 0


@dataclass
class Down(BaseNode[None, None, None]):
    """Counts to 0."""

    left: int

    async def run(self, ctx: GraphRunContext) -> Down | End[None]:
        del ctx
        return Down(self.left - 1) if self.left else End(None)


async def test_the_steps_of_a_kept_run_are_nothing_to_the_garbage_collector() -> None:
    graph, store = Graph(nodes=[Down]), MemoryStore()
    await graph.run(Down(10), store=store, run_id="short")
    gc.collect()
    before = len(gc.get_objects())
    await graph.run(Down(300), store=store, run_id="long")
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    assert len(await store.steps("long")) == 302
