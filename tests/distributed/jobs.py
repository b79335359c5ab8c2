"""What the workers of the tests execute: graphs whose steps leave marks that outlive their process."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio

from agentgraph.graph import BaseNode, End, Graph, GraphRunContext

__all__ = [
    "MARKS",
    "Asks",
    "Both",
    "Counted",
    "Hold",
    "Mark",
    "Parent",
    "Step",
    "asker",
    "both",
    "counter",
    "holder",
    "marked",
    "parent",
    "read",
]

MARKS = "AGENTGRAPH_TEST_MARKS"
"""Names the file that the marks are left in."""


@dataclass(frozen=True)
class Mark:
    """Something that was done: what, of which run and step, by which process, when by the machine's clock."""

    what: str
    run: str
    step: int
    pid: int
    at: float


def marked(what: str, run: str, step: int = 0) -> None:
    line = f"{what} {run} {step} {os.getpid()} {time.monotonic()}\n"
    descriptor = os.open(os.environ[MARKS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Mark]:
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [Mark(what, run, int(step), int(pid), float(at)) for what, run, step, pid, at in rows]


@dataclass
class Counted:
    count: int = 0


@dataclass
class Step(BaseNode[Counted, None, int]):
    """Counts to `last`; some steps make two calls, the second of which knows that the first is in the journal."""

    last: int

    async def run(self, ctx: GraphRunContext[Counted]) -> Step | End[int]:
        if ctx.seq % 3 == 0:
            await ctx.once("first", _leaving("first", ctx))
            await ctx.once("second", _leaving("second", ctx))
        ctx.state.count += 1
        return Step(self.last) if ctx.state.count < self.last else End(ctx.state.count)


def _leaving(what: str, ctx: GraphRunContext[Counted]) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        marked(what, ctx.run_id, ctx.seq)

    return call


@dataclass
class Hold(BaseNode[Counted, None, int]):
    """Stays for a while, and marks that it began and ended."""

    seconds: float

    async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
        marked("begin", ctx.run_id)
        await anyio.sleep(self.seconds)
        marked("end", ctx.run_id)
        return End(0)


@dataclass
class Asks(BaseNode[Counted, None, int]):
    """Asks for numbers, one after the other, and ends with their sum."""

    times: int

    async def run(self, ctx: GraphRunContext[Counted]) -> Asks | End[int]:
        ctx.state.count += await ctx.wait_for("number", question="which?", type=int)
        return Asks(self.times - 1) if self.times > 1 else End(ctx.state.count)


@dataclass
class Both(BaseNode[Counted, None, int]):
    """Asks for two numbers in one step, one after the other; or has a run below do so."""

    below: bool = False

    async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
        if self.below:
            return End((await ctx.run(both, Both(), state=Counted())).output)
        first = await ctx.wait_for("first", question="which?", type=int)
        return End(first + await ctx.wait_for("second", question="which?", type=int))


@dataclass
class Parent(BaseNode[Counted, None, int]):
    """Has a run below ask."""

    async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
        below = await ctx.run(asker, Asks(1), state=Counted())
        return End(below.output)


counter = Graph(nodes=[Step], name="counter")
holder = Graph(nodes=[Hold], name="holder")
asker = Graph(nodes=[Asks], name="asker")
both = Graph(nodes=[Both], name="both")
parent = Graph(nodes=[Parent], name="parent")
served = [counter, holder, asker]
