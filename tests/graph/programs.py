"""Graphs that walk over a program of any shape, and a plain interpreter that says what must come of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Annotated, Any

import anyio
from hypothesis import strategies as st

from agentgraph.graph import Appended, BaseNode, BranchError, End, Fork, Graph, GraphRunContext, Join
from tests.graph.samples import Line

__all__ = [
    "Answer",
    "BoomError",
    "FlakyError",
    "Machine",
    "Outside",
    "Program",
    "Top",
    "expected",
    "graph",
    "programs",
    "restless",
]

Instruction = dict[str, Any]  # as JSON has it: {"do": "add" | "ask" | "fail" | "fork", …}
Program = list[Instruction]

LOST = -1000
"""What a branch counts for that has failed."""


class FlakyError(Exception):
    """What passes when it is tried again."""


class BoomError(Exception):
    """What a program fails with."""


@dataclass
class Answer:
    """What a run ends with."""

    total: int
    lines: list[str]


@dataclass
class Machine:
    """The state."""

    total: int = 0
    lines: Annotated[list[Line], Appended] = field(default_factory=list[Line])
    rest: list[Program] = field(default_factory=list[Program])
    """What comes after the forks that are open, the innermost last."""
    sheltered: list[bool] = field(default_factory=list[bool])
    """Whether each of them, or one around it, collects errors."""

    def add(self, number: int) -> None:
        self.total = self.total * 7 + number
        self.lines.append(Line(str(number)))


@dataclass
class Outside:
    """Deps: what does not die with the process."""

    calls: Counter[str] = field(default_factory=Counter[str])
    tripped: set[str] = field(default_factory=set[str])
    flaked: Counter[str] = field(default_factory=Counter[str])
    active: int = 0
    most: int = 0
    """How many nodes ran at once, at most."""

    def call(self, key: str) -> int:
        self.calls[key] += 1
        return len(key)


Ctx = GraphRunContext[Machine, Outside]


async def execute(program: Program, ctx: Ctx) -> tuple[Program, Fork[Go, Gather] | None]:
    """Do the first instruction; what is left of the program, and the branches if it forks."""
    outside, state = ctx.deps, ctx.state
    outside.active += 1
    outside.most = max(outside.most, outside.active)
    try:
        await anyio.lowlevel.checkpoint()
        first, *rest = program
        match first:
            case {"do": "add", "number": int(number)}:
                await ctx.once("call", outside.call, f"{ctx.branch}/{ctx.seq}")
                state.add(number)
            case {"do": "ask", "key": str(key)}:
                state.add(await ctx.wait_for(key, type=int))
            case {"do": "nap", "seconds": float(seconds)}:
                await ctx.sleep(seconds)
                state.add(1)
            case {"do": "flake", "key": str(key), "times": int(times)}:
                state.add(1)
                if outside.flaked[key] < times:
                    outside.flaked[key] += 1
                    raise FlakyError
            case {"do": "fail", "key": str(key)}:
                if any(state.sheltered) or key not in outside.tripped:
                    outside.tripped.add(key)
                    raise BoomError("boom")
            case _:
                state.rest.append(rest)
                state.sheltered.append(first["on_error"] == "collect")
                return rest, _fork(first)
    finally:
        outside.active -= 1
    return rest, None


def _fork(instruction: Instruction) -> Fork[Go, Gather]:
    branches = [Go(branch) for branch in instruction["branches"]]
    return Fork(branches, join=Gather, limit=instruction["limit"], on_error=instruction["on_error"])


def gathered(values: Sequence[int | BranchError], state: Machine) -> Program:
    for value in values:
        state.add(LOST if isinstance(value, BranchError) else value)
    state.sheltered.pop()
    return state.rest.pop()


@dataclass
class Top(BaseNode[Machine, Outside, Answer]):
    """Walks the root."""

    program: Program

    async def run(self, ctx: Ctx) -> Top | Fork[Go, TopGather] | End[Answer]:
        if not self.program:
            return End(Answer(ctx.state.total, [line.text for line in ctx.state.lines]))
        rest, fork = await execute(self.program, ctx)
        if fork is None:
            return Top(rest)
        return Fork(fork.branches, join=TopGather, limit=fork.limit, on_error=fork.on_error)


@dataclass
class TopGather(BaseNode[Machine, Outside, Answer]):
    """Goes on behind a fork of the root."""

    values: list[int | BranchError]

    async def run(self, ctx: Ctx) -> Top:
        return Top(gathered(self.values, ctx.state))


@dataclass
class Go(BaseNode[Machine, Outside]):
    """Walks a branch."""

    program: Program

    async def run(self, ctx: Ctx) -> Go | Fork[Go, Gather] | Join[int]:
        if not self.program:
            return Join(ctx.state.total + len(ctx.state.lines))
        rest, fork = await execute(self.program, ctx)
        return Go(rest) if fork is None else fork


@dataclass
class Gather(BaseNode[Machine, Outside]):
    """Goes on behind a fork of a branch."""

    values: list[int | BranchError]

    async def run(self, ctx: Ctx) -> Go:
        return Go(gathered(self.values, ctx.state))


graph: Graph[Machine, Outside, Any] = Graph(nodes=(Top, TopGather, Go, Gather), name="programs", run_end_type=Answer)


def expected(program: Program) -> Answer:
    """What the program must end with, one instruction after the other."""
    state = Machine()
    _interpret(program, state)
    return Answer(state.total, [line.text for line in state.lines])


def _interpret(program: Program, state: Machine) -> None:
    for instruction in program:
        match instruction:
            case {"do": "add", "number": int(number)}:
                state.add(number)
            case {"do": "ask", "key": str(key)}:
                state.add(answer_to(key))
            case {"do": "nap" | "flake"}:
                state.add(1)
            case {"do": "fail"}:
                if any(state.sheltered):
                    raise BoomError("boom")
            case _:
                shelter = instruction["on_error"] == "collect"
                values = [_value(branch, state, shelter=shelter) for branch in instruction["branches"]]
                for value in values:
                    state.add(value)


def _value(program: Program, state: Machine, *, shelter: bool) -> int:
    own = deepcopy(state)
    own.sheltered.append(shelter)
    try:
        _interpret(program, own)
    except BoomError:
        if not shelter:
            raise
        return LOST
    return own.total + len(own.lines)


def answer_to(key: str) -> int:
    """What a person says to a question of a program."""
    return int(key) % 5


def adding(number: int) -> Instruction:
    return {"do": "add", "number": number}


def asking(key: str) -> Instruction:
    return {"do": "ask", "key": key}


def failing(key: str) -> Instruction:
    return {"do": "fail", "key": key}


def forking(branches: list[Program], limit: int | None, on_error: str) -> Instruction:
    return {"do": "fork", "branches": branches, "limit": limit, "on_error": on_error}


def in_a_row(before: Program, fork: Instruction, after: Program) -> Program:
    return [*before, fork, *after]


keys = st.integers(0, 10**6).map(str)
simple: st.SearchStrategy[Instruction] = (
    st.builds(adding, st.integers(-3, 9)) | st.builds(asking, keys) | st.builds(failing, keys)
)
limits = st.sampled_from([None, None, 1, 2])


def napping(seconds: float) -> Instruction:
    return {"do": "nap", "seconds": seconds}


def flaking(key: str, times: int) -> Instruction:
    return {"do": "flake", "key": key, "times": times}


def programs_of(simple: st.SearchStrategy[Instruction]) -> st.SearchStrategy[Program]:
    """Programs with a fork at least."""

    def forks(inside: st.SearchStrategy[Program]) -> st.SearchStrategy[Instruction]:
        return st.builds(forking, st.lists(inside, max_size=3), limits, st.sampled_from(["raise", "collect"]))

    def programs_with(inside: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
        return st.lists(simple | forks(inside), min_size=1, max_size=3)

    inner: st.SearchStrategy[Program] = st.recursive(st.lists(simple, max_size=3), programs_with, max_leaves=6)
    return st.builds(in_a_row, st.lists(simple, max_size=1), forks(inner), st.lists(simple | forks(inner), max_size=2))


programs: st.SearchStrategy[Program] = programs_of(simple)
restless: st.SearchStrategy[Program] = programs_of(
    simple | st.builds(napping, st.sampled_from([0.0, 3.0, 20.0, 90.0])) | st.builds(flaking, keys, st.integers(0, 2))
)
"""Programs that also sleep, and fail for a while."""
