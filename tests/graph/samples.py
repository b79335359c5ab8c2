"""A graph that the tests run: it counts to three, in two nodes that hand each other lines of a log."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from agentgraph.graph import (
    Appended,
    BaseNode,
    Emitted,
    End,
    Graph,
    GraphRunContext,
    RunEnded,
    RunEvent,
    RunStarted,
    StepEnded,
    StepStarted,
)

Hook = Callable[[GraphRunContext["Tally", Any]], Awaitable[None]]  # Any: deps that are hooks of such contexts
Deps = Hook | None
Ctx = GraphRunContext["Tally", Deps]


@dataclass
class Line:
    text: str


@dataclass
class Tally:
    count: int = 0
    log: Annotated[list[Line], Appended] = field(default_factory=list[Line])

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.log]


@dataclass
class Add(BaseNode[Tally, Deps, str]):
    line: Line

    async def run(self, ctx: GraphRunContext[Tally, Deps]) -> Show:
        ctx.state.count += 1
        ctx.state.log.append(self.line)
        reply = Line(f"{self.line.text} {ctx.state.count}")
        ctx.state.log.append(reply)
        return Show(reply)


@dataclass
class Show(BaseNode[Tally, Deps, str]):
    """Goes on until three were counted; before that it does what the deps say."""

    reply: Line

    async def run(self, ctx: GraphRunContext[Tally, Deps]) -> Add | End[str]:
        if ctx.deps is not None:
            await ctx.deps(ctx)
        return End(self.reply.text) if ctx.state.count >= 3 else Add(Line("again"))


tally = Graph(nodes=[Add, Show], name="tally")
ENTIRE = ["go", "go 1", "again", "again 2", "again", "again 3"]
START = Line("go")


def at(seq: int, do: Callable[[], object]) -> Hook:
    """Deps that call `do` in step `seq`."""

    async def hook(ctx: GraphRunContext[Tally, Any]) -> None:
        if ctx.seq == seq:
            do()

    return hook


def failing(seq: int, error: BaseException) -> Hook:
    """Deps that raise in step `seq`."""

    def fail() -> None:
        raise error

    return at(seq, fail)


def told(events: Sequence[RunEvent]) -> list[str]:
    """The events in short."""
    return [_short(event) for event in events]


def unplaced(problems: Iterable[str]) -> list[str]:
    """What is wrong with a graph, each problem without the place that it has to end with."""
    parted = [re.fullmatch(r"(.*) \(\S+\.py:\d+\)", problem) for problem in problems]
    return [each[1] for each in parted if each is not None]


def _short(event: RunEvent) -> str:
    match event:
        case RunStarted(seq=seq):
            return f"run from {seq}"
        case StepStarted(seq=seq, node=node):
            return f"{seq} {node}"
        case StepEnded(seq=seq, outcome=outcome):
            return f"{seq} -> {outcome}"
        case RunEnded(status=status):
            return f"run {status}"
        case Emitted(event=said):
            return f"said {said}"
