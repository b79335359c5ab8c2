"""Random graphs go the same way however they are run: at once, kept, node by node, or interrupted and resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

import anyio
from hypothesis import given, strategies as st

from agentgraph.graph import Appended, BaseNode, End, Graph, GraphRunContext, Once, StepRecord
from agentgraph.stores import MemoryStore
from tests.graph.samples import Line

LENGTH = 12


@dataclass
class World:
    """The state: what was visited, and fields of other kinds."""

    visited: Annotated[list[Line], Appended] = field(default_factory=list[Line])
    total: int = 0
    seen: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Plan:
    """Deps: where each node leads, and what happens at which step."""

    edges: Mapping[str, Sequence[str]]
    choices: Sequence[int]
    fails: frozenset[int] = frozenset()
    """The steps whose first attempt fails."""
    rewrites: frozenset[int] = frozenset()
    """The steps that change the list instead of adding to it alone."""
    failed: set[int] = field(default_factory=set[int])
    calls: list[str] = field(default_factory=list[str])

    def call(self, name: str) -> str:
        self.calls.append(name)
        return name

    def target(self, node: str, step: int) -> tuple[str, int]:
        choice = self.choices[step % len(self.choices)]
        return (self.edges[node][choice % len(self.edges[node])] if step < LENGTH else "End"), choice


class Failed(Exception):
    """What a node raises when its plan says so."""


Ctx = GraphRunContext[World, Plan]
Next = BaseNode[World, Plan, str] | End[str]


async def go(node: A | B | C, ctx: Ctx) -> Next:
    """What all the nodes do."""
    state, plan, step = ctx.state, ctx.deps, len(ctx.state.seen)
    made = await ctx.once_all([Once(key, plan.call, [f"{step}{key}"]) for key in "xy"])
    if step in plan.fails - plan.failed:
        plan.failed.add(step)
        raise Failed(step)
    state.seen[f"{step}"] = node.line.text
    state.total += len(made)
    if step in plan.rewrites:
        state.visited[:1] = [Line("new"), node.line]
    state.visited.append(node.line)
    name, choice = plan.target(type(node).__name__, step)
    if name == "End":
        return End(node.line.text)
    return NODES[name](state.visited[-1] if choice % 2 else Line(f"{step} {name}"))


@dataclass
class A(BaseNode[World, Plan, str]):
    line: Line

    async def run(self, ctx: Ctx) -> Next:
        return await go(self, ctx)


@dataclass
class B(BaseNode[World, Plan, str]):
    line: Line

    async def run(self, ctx: Ctx) -> Next:
        return await go(self, ctx)


@dataclass
class C(BaseNode[World, Plan, str]):
    line: Line

    async def run(self, ctx: Ctx) -> Next:
        return await go(self, ctx)


NODES: Mapping[str, type[A | B | C]] = {"A": A, "B": B, "C": C}
graph = Graph(nodes=[A, B, C], name="random")
How = Literal["leave", "raise", "lose"]

targets = st.lists(st.sampled_from(["A", "B", "C", "End"]), min_size=1, max_size=4)
steps = st.frozensets(st.integers(0, LENGTH), max_size=3)
plans = st.builds(
    Plan,
    st.fixed_dictionaries({"A": targets, "B": targets, "C": targets}),
    st.lists(st.integers(0, 7), min_size=1, max_size=8),
    steps,
    steps,
)


@dataclass(frozen=True)
class Walk:
    """What a run did."""

    outcomes: list[str]
    result: str
    state: World


async def plainly(plan: Plan) -> Walk:
    async with graph.iter(A(Line("first")), state=World(), deps=plan) as run:
        outcomes = ["End" if isinstance(node, End) else node.get_node_id() async for node in run]
    assert run.result is not None
    return Walk(outcomes, run.result.output, run.state)


def outcomes(rows: Sequence[StepRecord]) -> list[str]:
    return [row.outcome for row in rows]


async def resumed(plan: Plan, store: MemoryStore) -> Walk:
    """To the end, however often it fails."""
    while True:
        with suppress(Failed):
            done = await graph.run(resume="r", deps=plan, store=store)
            return Walk(outcomes(await store.steps("r")), done.output, done.state)


async def kept(plan: Plan, store: MemoryStore) -> Walk:
    with suppress(Failed):
        await graph.run(A(Line("first")), state=World(), deps=plan, store=store, run_id="r")
    return await resumed(plan, store)


async def interrupted(plan: Plan, store: MemoryStore, stops: Sequence[tuple[int, How]]) -> Walk:
    async with graph.iter(A(Line("first")), state=World(), deps=plan, store=store, run_id="r"):
        pass
    for length, how in stops:
        with suppress(Failed, InterruptedError):
            await some_steps(plan, store, length, how)
    return await resumed(plan, store)


async def some_steps(plan: Plan, store: MemoryStore, length: int, how: How) -> None:
    async with graph.iter(resume="r", deps=plan, store=store) as run:
        for _ in range(length):
            await run.next()
        if how == "raise":
            raise InterruptedError
        if how == "lose":
            await store.aclose()
            await resumed(plan, store)


@given(plans, st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["leave", "raise", "lose"])), max_size=4))
def test_all_ways_of_running_go_the_same_way(plan: Plan, stops: list[tuple[int, How]]) -> None:
    def fresh(fails: frozenset[int] = plan.fails) -> Plan:
        return replace(plan, fails=fails, failed=set(), calls=[])

    async def compare() -> None:
        expected, made = await plainly(undisturbed := fresh(frozenset())), undisturbed.calls
        for walk in (
            await kept(again := fresh(), MemoryStore()),
            await interrupted(last := fresh(), MemoryStore(), stops),
        ):
            assert walk == expected
        assert sorted(again.calls) == sorted(last.calls) == sorted(made)

    anyio.run(compare)
