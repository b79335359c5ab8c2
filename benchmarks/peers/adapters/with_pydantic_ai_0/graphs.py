"""pydantic-graph 0.0.40: a node that follows itself; every snapshot kept by `FullStatePersistence`."""

from __future__ import annotations

from dataclasses import dataclass

from cell import Cell, Fresh, Work
from pydantic_graph import BaseNode, End, Graph, GraphRunContext
from pydantic_graph.persistence import BaseStatePersistence
from pydantic_graph.persistence.in_mem import FullStatePersistence


@dataclass
class Count(BaseNode[None, None, int]):
    n: int
    until: int

    async def run(self, ctx: GraphRunContext) -> Count | End[int]:
        n = self.n + 1
        return Count(n, self.until) if n < self.until else End(n)


counting = Graph(nodes=[Count], name="counting")


def transitions(size: int, kept: BaseStatePersistence | None = None) -> Work:
    async def work() -> int:
        return (await counting.run(Count(0, size), persistence=kept)).output

    return work


NO_FORK = "no forks"

CELLS: dict[str, Cell] = {
    "transitions": transitions,
    "transitions-stored": Fresh(lambda size: transitions(size, FullStatePersistence())),
    "fork": NO_FORK,
    "fork-stored": NO_FORK,
}
