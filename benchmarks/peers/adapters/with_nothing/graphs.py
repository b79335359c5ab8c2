"""The floor: typed nodes in a loop, and tasks that are gathered, by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from cell import Cell, Work
from work import square


@dataclass
class End:
    """The last."""

    n: int


@dataclass
class Count:
    """One more at each step."""

    n: int
    until: int

    async def run(self) -> Count | End:
        n = self.n + 1
        return Count(n, self.until) if n < self.until else End(n)


def transitions(size: int) -> Work:
    async def work() -> int:
        node: Count | End = Count(0, size)
        while not isinstance(node, End):
            node = await node.run()
        return node.n

    return work


def fork(size: int) -> Work:
    async def work() -> int:
        return sum(await asyncio.gather(*(square(number) for number in range(size))))

    return work


NO_STORE = "no store"

CELLS: dict[str, Cell] = {
    "transitions": transitions,
    "transitions-stored": NO_STORE,
    "fork": fork,
    "fork-stored": NO_STORE,
}
