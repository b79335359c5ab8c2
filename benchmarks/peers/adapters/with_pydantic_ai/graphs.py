"""pydantic-graph of today: a node that follows itself; a mapping edge and a reducing join. It has no persistence."""

from __future__ import annotations

from dataclasses import dataclass

from cell import Cell, Work
from pydantic_graph import BaseNode, End, Graph, GraphBuilder, GraphRunContext, StepContext, reduce_sum
from work import square


@dataclass
class Count(BaseNode[None, None, int]):
    n: int
    until: int

    async def run(self, ctx: GraphRunContext) -> Count | End[int]:
        n = self.n + 1
        return Count(n, self.until) if n < self.until else End(n)


def counting() -> Graph:
    builder = GraphBuilder(input_type=Count, output_type=int)
    builder.add(builder.node(Count), builder.edge_from(builder.start_node).to(Count))
    return builder.build()


def spreading() -> Graph:
    builder = GraphBuilder(input_type=int, output_type=int)

    @builder.step
    async def spread(ctx: StepContext[None, None, int]) -> list[int]:
        return list(range(ctx.inputs))

    @builder.step
    async def branch(ctx: StepContext[None, None, int]) -> int:
        return await square(ctx.inputs)

    total = builder.join(reduce_sum, initial=0)
    builder.add(
        builder.edge_from(builder.start_node).to(spread),
        builder.edge_from(spread).map().to(branch),
        builder.edge_from(branch).to(total),
        builder.edge_from(total).to(builder.end_node),
    )
    return builder.build()


def transitions(size: int) -> Work:
    graph = counting()

    async def work() -> int:
        return await graph.run(inputs=Count(0, size))

    return work


def fork(size: int) -> Work:
    graph = spreading()

    async def work() -> int:
        return await graph.run(inputs=size)

    return work


NO_STORE = "no store"

CELLS: dict[str, Cell] = {
    "transitions": transitions,
    "transitions-stored": NO_STORE,
    "fork": fork,
    "fork-stored": NO_STORE,
}
