"""A bare graph, whose steps do next to nothing."""

from __future__ import annotations

from dataclasses import dataclass

from agentgraph.graph import BaseNode, End

__all__ = ["Count"]


@dataclass
class Count(BaseNode[None, None, int]):
    """Counts to a number, one transition at a time."""

    n: int
    until: int

    async def run(self, ctx: object) -> Count | End[int]:
        """Take one step."""
        del ctx
        return Count(self.n + 1, self.until) if self.n < self.until else End(self.n)
