"""What one more step of a graph costs, in calls of functions: nothing is made for a step that has no use for it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated

import pytest

from agentgraph.graph import Appended, BaseNode, End, Graph, GraphRunContext, Store
from agentgraph.stores import MemoryStore
from tests.work.counted import BUILTIN, calls_of

pytestmark = pytest.mark.anyio

STEPS = 64
"""Every so many steps the whole of a state is written; what that costs is counted once."""


@dataclass
class Line:
    text: str


@dataclass
class Log:
    lines: Annotated[list[Line], Appended] = field(default_factory=list[Line])
    title: str = "a log"
    marks: dict[str, int] = field(default_factory=dict[str, int])


@dataclass
class Count(BaseNode[None, None, int]):
    n: int
    until: int

    async def run(self, ctx: GraphRunContext) -> Count | End[int]:
        return Count(self.n + 1, self.until) if self.n < self.until else End(self.n)


@dataclass
class Write(BaseNode[Log, None, int]):
    line: Line
    left: int

    async def run(self, ctx: GraphRunContext[Log, None]) -> Write | End[int]:
        ctx.state.lines.append(self.line)
        return Write(Line("another"), self.left - 1) if self.left else End(0)


counting = Graph(nodes=[Count], name="counting")
writing = Graph(nodes=[Write], name="writing")


async def of_more_steps(store: Store | None) -> Counter[str]:
    """What `STEPS` more steps of a graph without a state call."""
    await counting.run(Count(0, 1), store=store)
    few = await calls_of(lambda: counting.run(Count(0, STEPS), store=store))
    many = await calls_of(lambda: counting.run(Count(0, 2 * STEPS), store=store))
    return many - few


def in_python(counted: Counter[str]) -> float:
    return sum(count for name, count in counted.items() if not name.startswith(BUILTIN)) / STEPS


def json_written(counted: Counter[str]) -> float:
    return sum(count for name, count in counted.items() if name.endswith("to_json")) / STEPS


async def test_a_step_that_is_kept_nowhere_calls_few_functions() -> None:
    counted = await of_more_steps(None)
    assert in_python(counted) <= 20
    assert json_written(counted) == 0


async def test_a_step_in_memory_calls_few_functions() -> None:
    counted = await of_more_steps(MemoryStore())
    assert in_python(counted) <= 57


async def test_a_step_that_leaves_its_state_writes_its_fields_and_where_they_stand_alone() -> None:
    counted = await of_more_steps(MemoryStore())
    assert json_written(counted) == 3


async def test_a_step_in_memory_needs_no_shield() -> None:
    counted = await of_more_steps(MemoryStore())
    assert not [name for name in counted if "CancelScope" in name]


async def test_what_a_step_leaves_as_it_was_is_not_written_again() -> None:
    async def work(steps: int) -> Counter[str]:
        store, first = MemoryStore(), Write(Line("first"), steps)
        return await calls_of(lambda: writing.run(first, state=Log(), store=store))

    await work(1)
    counted = await work(2 * STEPS) - await work(STEPS)
    # the line in the list, seen to be the one that was the node's; the next line, and how many are left; the dict, seen
    # to be what it was; the usage; where all that stands
    assert json_written(counted) == 6
