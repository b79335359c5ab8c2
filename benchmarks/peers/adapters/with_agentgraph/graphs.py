"""agentgraph: a node that follows itself; `Fork` and `Join`."""

from __future__ import annotations

from dataclasses import dataclass

from cell import Cell, Fresh, Work
from work import square

from agentgraph.graph import BaseNode, End, Fork, Graph, Join, Store
from agentgraph.stores import MemoryStore


@dataclass
class Count(BaseNode[None, None, int]):
    n: int
    until: int

    async def run(self, ctx: object) -> Count | End[int]:
        n = self.n + 1
        return Count(n, self.until) if n < self.until else End(n)


@dataclass
class Spread(BaseNode[None, None, int]):
    count: int

    async def run(self, ctx: object) -> Fork[Square, Total]:
        return Fork([Square(number) for number in range(self.count)], join=Total)


@dataclass
class Square(BaseNode):
    number: int

    async def run(self, ctx: object) -> Join[int]:
        return Join(await square(self.number))


@dataclass
class Total(BaseNode[None, None, int]):
    squares: list[int]

    async def run(self, ctx: object) -> End[int]:
        return End(sum(self.squares))


counting = Graph(nodes=[Count], name="counting")
spreading = Graph(nodes=(Spread, Square, Total), name="spreading")


def transitions(size: int, store: Store | None = None) -> Work:
    async def work() -> int:
        return (await counting.run(Count(0, size), store=store)).output

    return work


def fork(size: int, store: Store | None = None) -> Work:
    async def work() -> int:
        return (await spreading.run(Spread(size), store=store)).output

    return work


CELLS: dict[str, Cell] = {
    "transitions": transitions,
    "transitions-stored": Fresh(lambda size: transitions(size, MemoryStore())),
    "fork": fork,
    "fork-stored": Fresh(lambda size: fork(size, MemoryStore())),
}
