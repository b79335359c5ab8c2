"""Read by type checkers alone: what the types of a graph say, and what they refuse.

A line that must fail carries an ignore; both checkers report one that is not needed.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from agentgraph.graph import BaseNode, BranchError, End, Fork, Graph, GraphRunContext, GraphRunResult, Join


@dataclass
class Desk:
    """A state."""

    total: int = 0


@dataclass
class Shop:
    """Another one."""


Ctx = GraphRunContext[Desk]


@dataclass
class Split(BaseNode[Desk, None, str]):
    """Forks."""

    async def run(self, ctx: Ctx) -> Fork[Work, Gather] | Stop:
        assert_type(ctx.state, Desk)
        if ctx.state.total:
            return Gather([1])  # type: ignore[return-value]  # no edge leads there
        if ctx.state.total > 1:
            return Fork([Work(1)], join=Stop)  # type: ignore[arg-type]  # another join
        if ctx.state.total > 2:
            return Fork([Stop()], join=Gather)  # type: ignore[list-item]  # another branch
        return Fork([Work(1), Work(2)], join=Gather, limit=2)


@dataclass
class Work(BaseNode[Desk]):
    """Joins with a number."""

    number: int

    async def run(self, ctx: Ctx) -> Join[int]:
        if self.number > 1:
            return End("too big")  # type: ignore[return-value]  # no end in a branch
        return Join("one")  # type: ignore[arg-type]  # another value


@dataclass
class Gather(BaseNode[Desk, None, str]):
    """Takes the numbers."""

    values: list[int | BranchError]

    async def run(self, ctx: Ctx) -> End[str]:
        return End(1)  # type: ignore[arg-type]  # the run ends with a str


@dataclass
class Stop(BaseNode[Desk, None, str]):
    """Ends."""

    async def run(self, ctx: Ctx) -> End[str]:
        return End("stopped")


@dataclass
class Elsewhere(BaseNode[Shop, None, str]):
    """Of a graph with another state."""

    async def run(self, ctx: GraphRunContext[Shop]) -> End[str]:
        return End("elsewhere")


graph = Graph(nodes=(Split, Work, Gather, Stop))
assert_type(graph, Graph[Desk, None, str])


async def a_run_has_the_types_of_its_graph() -> None:
    result = await graph.run(Split(), state=Desk())
    assert_type(result, GraphRunResult[Desk, str])
    assert_type(result.output, str)
    await graph.run(Split(), state=Shop())  # type: ignore[arg-type]  # another state
    await graph.run(Elsewhere(), state=Desk())  # type: ignore[arg-type]  # another graph


def more(desk: Desk) -> None:
    desk.total += 1


def shut(shop: Shop) -> None:
    del shop


async def what_is_done_to_stored_runs_has_them_too() -> None:
    assert_type(await graph.step("r", store="runs.db"), BaseNode[Desk, None, str] | End[str])
    assert_type(await graph.edit("r", more, store="runs.db"), Desk)
    await graph.edit("r", lambda desk: Desk(desk.total), store="runs.db")
    await graph.edit("r", lambda desk: Shop(), store="runs.db")  # type: ignore[arg-type, return-value]  # another state
    await graph.edit("r", shut, store="runs.db")  # type: ignore[arg-type]  # another state
    await graph.run(Split(), state=Desk(), store="runs.db", break_before=[Work, Gather])
    await graph.run(Split(), state=Desk(), store="runs.db", break_before=[Desk])  # type: ignore[list-item]  # no node
