"""One fork of many branches that are joined, beside as many tasks gathered by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agentgraph.graph import BaseNode, End, Fork, Graph, Join
from agentgraph.stores import MemoryStore

__all__ = ["fork_and_join"]

Row = dict[str, float | str]

ROUNDS = 5


@dataclass
class Spread(BaseNode[None, None, int]):
    """Forks."""

    count: int

    async def run(self, ctx: object) -> Fork[Square, Total]:
        """One branch for each number."""
        del ctx
        return Fork([Square(number) for number in range(self.count)], join=Total)


@dataclass
class Square(BaseNode):
    """A branch of one step."""

    number: int

    async def run(self, ctx: object) -> Join[int]:
        """Joins after one round of the event loop."""
        del ctx
        return Join(await square(self.number))


@dataclass
class Total(BaseNode[None, None, int]):
    """Joins."""

    squares: list[int]

    async def run(self, ctx: object) -> End[int]:
        """Ends with the sum."""
        del ctx
        return End(sum(self.squares))


async def square(number: int) -> int:
    """What each branch does."""
    await asyncio.sleep(0)
    return number * number


def fork_and_join(count: int = 1_000) -> Row:
    """Milliseconds for a fork of so many branches, and for `asyncio.gather` of the same."""
    graph = Graph(nodes=(Spread, Square, Total), name="spread")

    async def gathered() -> int:
        return sum(await asyncio.gather(*(square(number) for number in range(count))))

    kinds: dict[str, Callable[[], Awaitable[object]]] = {
        "ms, asyncio.gather": gathered,
        "ms, kept nowhere": lambda: graph.run(Spread(count)),
        "ms, memory store": lambda: graph.run(Spread(count), store=MemoryStore()),
    }
    return {"workload": f"one fork of {count} branches"} | {name: _median(work) * 1e3 for name, work in kinds.items()}


def _median(work: Callable[[], Awaitable[object]]) -> float:
    async def measure() -> float:
        times: list[float] = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await work()
            times.append(time.perf_counter() - began)
        return sorted(times)[len(times) // 2]

    return asyncio.run(measure())
