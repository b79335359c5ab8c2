"""A graph that is no agent: each round makes single calls and a batch, and one round fails the first time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from agentgraph.graph import Appended, BaseNode, End, Graph, GraphRunContext, Once

from .place import Place

__all__ = ["Fetch", "Sum", "rounds"]

LAST = 2
"""The round after which the run ends."""


@dataclass
class Line:
    text: str


@dataclass
class Sum:
    total: int = 0
    log: Annotated[list[Line], Appended] = field(default_factory=list[Line])


@dataclass
class Fetch(BaseNode[Sum, Place]):
    """Its calls are journaled; the batch's last one is left to whatever ends the step."""

    number: int

    async def run(self, ctx: GraphRunContext[Sum, Place]) -> Add:
        async def call(key: str) -> int:
            await ctx.deps.pass_gate(f"{key} {self.number}")
            ctx.deps.done(f"{ctx.run_id}/{ctx.seq}/{key}")
            return self.number + len(key)

        first = await ctx.once("first", call, "first")
        second = await ctx.once("second", call, "second")
        parts = await ctx.once_all([Once[int](f"part {n}", call, [f"part {n}"]) for n in range(3)])
        if self.number == 1 and ctx.deps.first_time():
            raise OSError("the round failed when all its calls were made")
        return Add(self.number, [first, second, *parts])


@dataclass
class Add(BaseNode[Sum, Place, int]):
    number: int
    found: list[int]

    async def run(self, ctx: GraphRunContext[Sum, Place]) -> Fetch | End[int]:
        ctx.state.total += sum(self.found)
        ctx.state.log.append(Line(f"round {self.number}: {self.found}"))
        return End(ctx.state.total) if self.number == LAST else Fetch(self.number + 1)


rounds: Graph[Sum, Place, int] = Graph(nodes=[Fetch, Add], name="rounds", state_type=Sum, run_end_type=int)
