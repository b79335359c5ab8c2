"""A graph whose calls leave traces in its deps: what it counts to is the sum of what they returned."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

from agentgraph.graph import Appended, BaseNode, End, Graph, GraphRunContext

__all__ = ["Count", "Sums", "Traces", "counting"]

Traces = Counter[tuple[str, int]]
"""How often the call of each run and step was made."""


@dataclass
class Sums:
    total: int = 0
    parts: Annotated[list[int], Appended] = field(default_factory=list[int])


@dataclass
class Count(BaseNode[Sums, Traces, int]):
    number: int
    last: int

    async def run(self, ctx: GraphRunContext[Sums, Traces]) -> Count | End[int]:
        part = await ctx.once("call", self.call, ctx)
        ctx.state.total += part
        ctx.state.parts.append(part)
        return End(ctx.state.total) if self.number == self.last else Count(self.number + 1, self.last)

    async def call(self, ctx: GraphRunContext[Sums, Traces]) -> int:
        ctx.deps[ctx.run_id, ctx.seq] += 1
        return self.number


counting: Graph[Sums, Traces, int] = Graph(nodes=[Count], name="counting", state_type=Sums, run_end_type=int)
