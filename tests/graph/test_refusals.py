"""What a step raises when several calls of a batch fail at once; what the first step after a resume writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from agentgraph.exceptions import RunFenced, StoreError
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, JournalRecord, Once
from agentgraph.stores import MemoryStore

pytestmark = pytest.mark.anyio

SIZE = 3


class Together:
    """Holds calls until all of a batch have come, so that they fail side by side."""

    def __init__(self, size: int) -> None:
        self._missing, self._all = size, anyio.Event()

    async def wait(self) -> None:
        self._missing -= 1
        if not self._missing:
            self._all.set()
        with anyio.CancelScope(shield=True):
            await self._all.wait()


class Refusing(MemoryStore):
    """Refuses every journal row, those of one batch at once."""

    def __init__(self, refuse: Callable[[], Exception]) -> None:
        super().__init__()
        self._refuse, self._together = refuse, Together(SIZE - 1)  # the last value of a batch is no row

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        await self._together.wait()
        raise self._refuse()


async def value() -> int:
    return 1


async def fail(together: Together) -> int:
    await together.wait()
    raise KeyError


@dataclass
class Batch(BaseNode[None, list[Once[int]], int]):
    async def run(self, ctx: GraphRunContext[None, list[Once[int]]]) -> End[int]:
        return End(sum(await ctx.once_all(ctx.deps)))


batch: Graph[None, list[Once[int]], int] = Graph(nodes=[Batch], name="batch")


@pytest.mark.parametrize("refusal", [RunFenced("r", 0), StoreError("the disk is full")])
async def test_what_the_store_refuses_to_many_calls_is_raised_once(refusal: Exception) -> None:
    calls = [Once[int](str(n), value) for n in range(SIZE)]
    with pytest.raises(type(refusal)) as raised:
        await batch.run(Batch(), deps=calls, store=Refusing(lambda: refusal), run_id="r")
    assert raised.value is refusal


async def test_of_calls_that_fail_side_by_side_the_first_failure_is_raised() -> None:
    together = Together(SIZE)
    calls = [Once[int](str(n), fail, [together], identity=n) for n in range(SIZE)]
    with pytest.raises(KeyError) as raised:
        await batch.run(Batch(), deps=calls, store=MemoryStore())
    others: Any = raised.value.__cause__
    assert type(others) is ExceptionGroup
    assert len(others.exceptions) == SIZE


@dataclass
class Counts:
    changed: int = 0
    kept: str = "the same"


@dataclass
class Count(BaseNode[Counts, None, int]):
    async def run(self, ctx: GraphRunContext[Counts]) -> Count | End[int]:
        ctx.state.changed += 1
        return End(ctx.state.changed) if ctx.state.changed == 2 else Count()


count: Graph[Counts, None, int] = Graph(nodes=[Count], name="count")


async def test_the_first_step_after_a_resume_writes_only_what_it_changed() -> None:
    store = MemoryStore()
    async with count.iter(Count(), state=Counts(), store=store, run_id="r") as run:
        await run.next()
    assert (await count.run(resume="r", store=store)).output == 2
    assert (await store.steps("r"))[-1].state == b'{"changed":2}'
