"""What a run takes that waits for its model, beyond the task that it runs in: objects, memory, frames, tasks."""

from __future__ import annotations

import gc
import inspect
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

import anyio
import pytest

from agentgraph import Agent
from agentgraph.exceptions import UsageLimitExceeded
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.stores import MemoryStore
from agentgraph.usage import Usage, UsageLimits

pytestmark = pytest.mark.anyio

RUNS = 50


@dataclass
class Gate:
    """Where all wait until it is opened."""

    waiting: int = 0
    depth: int = 0
    """The frames of whoever came last."""
    full: anyio.Event = field(default_factory=anyio.Event)
    opened: anyio.Event = field(default_factory=anyio.Event)

    async def wait(self) -> None:
        self.waiting, self.depth = self.waiting + 1, _frames()
        if self.waiting == RUNS:
            self.full.set()
        await self.opened.wait()


class WaitingModel(Model):
    """Answers when its gate is opened."""

    gate: Gate | None = None

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        if self.gate is not None:
            await self.gate.wait()
        return ModelResponse([TextPart("done")]), Usage()

    @property
    def model_name(self) -> str:
        return "waiting"

    @property
    def system(self) -> str:
        return "test"


@dataclass(frozen=True)
class Parked:
    """What is there more for each of the tasks that wait."""

    objects: float
    size: float
    tasks: float
    depth: int

    def __sub__(self, other: Parked) -> Parked:
        return Parked(
            self.objects - other.objects, self.size - other.size, self.tasks - other.tasks, self.depth - other.depth
        )


async def parked(gate: Gate, begin: Callable[[], Awaitable[object]]) -> Parked:
    gc.collect()
    before, tasks = len(gc.get_objects()), len(anyio.get_running_tasks())
    size, found = 0, (0, 0)
    tracemalloc.start()
    try:
        async with anyio.create_task_group() as group:
            for _ in range(RUNS):
                group.start_soon(_await, begin)
            await gate.full.wait()
            size, _ = tracemalloc.get_traced_memory()
            gc.collect()
            found = len(gc.get_objects()) - before, len(anyio.get_running_tasks()) - tasks
            gate.opened.set()
    finally:
        tracemalloc.stop()
    return Parked(found[0] / RUNS, size / RUNS, found[1] / RUNS, gate.depth)


@dataclass
class Wait(BaseNode[None, Gate | None, None]):
    """Waits at the gate."""

    async def run(self, ctx: GraphRunContext[None, Gate | None]) -> End[None]:
        if ctx.deps is not None:
            await ctx.deps.wait()
        return End(None)


async def test_a_run_of_a_graph_that_waits_is_few_objects() -> None:
    graph, store = Graph(nodes=[Wait]), MemoryStore()
    await graph.run(Wait(), deps=None, store=store)
    alone, gate = Gate(), Gate()
    more = await parked(gate, lambda: graph.run(Wait(), deps=gate, store=store)) - await parked(alone, alone.wait)
    assert more.objects < 42
    assert more.size < 8_000
    assert more.tasks == 0
    assert more.depth <= 4


async def test_a_run_that_waits_for_its_model_is_few_objects() -> None:
    model = WaitingModel()
    agent = Agent(model)
    await agent.run("go")  # what is made once is there
    alone, model.gate = Gate(), Gate()
    more = await parked(model.gate, lambda: agent.run("go")) - await parked(alone, alone.wait)
    assert more.objects < 57
    assert more.size < 11_700
    assert more.tasks == 0
    assert more.depth <= 6


async def test_nothing_of_runs_that_ended_is_left() -> None:
    model, store = WaitingModel(), MemoryStore()
    agent = Agent(model, store=store)
    for _ in range(2):
        await agent.run("go")
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(RUNS):
        await agent.run("go")
    assert not await store.list()
    gc.collect()
    assert len(gc.get_objects()) - before < RUNS


async def test_nothing_is_left_of_runs_that_a_full_store_forgot() -> None:
    model, store = WaitingModel(), MemoryStore(keep=3)
    agent, numbers = Agent(model, store=store), count()

    async def talk_and_fail() -> None:
        for _ in range(2):
            await agent.run("go", conversation=f"talk-{next(numbers) // 2}")
        with pytest.raises(UsageLimitExceeded):
            await agent.run("go", usage_limits=UsageLimits(request_limit=0))

    for _ in range(5):
        await talk_and_fail()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(RUNS):
        await talk_and_fail()
    gc.collect()
    assert len(gc.get_objects()) - before < RUNS


def _frames() -> int:
    frame, count = inspect.currentframe(), 0
    while frame is not None and frame.f_code is not _await.__code__:
        frame, count = frame.f_back, count + 1
    return count


async def _await(begin: Callable[[], Awaitable[object]]) -> None:
    await begin()
