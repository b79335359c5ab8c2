"""The small state: the run's row has the newest, a step's what changed, and now and then all of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from pydantic_core import from_json

from agentgraph.graph import BaseNode, End, Graph, GraphRunContext
from agentgraph.stores import MemoryStore

pytestmark = pytest.mark.anyio


@dataclass
class Counts:
    name: str = "n"
    tens: int = 0


@dataclass
class Tick(BaseNode[Counts, None, int]):
    left: int

    async def run(self, ctx: GraphRunContext[Counts]) -> Tick | End[int]:
        ctx.state.tens += self.left % 10 == 0
        return Tick(self.left - 1) if self.left else End(ctx.state.tens)


async def test_steps_store_what_changed_and_every_64th_the_whole_state() -> None:
    store = MemoryStore()
    await Graph(nodes=[Tick]).run(Tick(150), state=Counts(), store=store, run_id="r")
    stored = {step.seq: from_json(step.state) for step in await store.steps("r", after=-1) if step.state}
    whole = {seq: state for seq, state in stored.items() if "name" in state}
    assert whole == {0: {"name": "n", "tens": 1}, 64: {"name": "n", "tens": 7}, 128: {"name": "n", "tens": 13}}
    assert {seq for seq, state in stored.items() if state.keys() == {"tens"}} == set(range(10, 151, 10))
    assert from_json((await store.load("r")).state) == {"name": "n", "tens": 16}
