"""Runs, drawn from what a store has of them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agentgraph.exceptions import RunNotFound, RunWaiting
from agentgraph.graph import (
    BaseNode,
    BranchError,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    Picture,
    Status,
    StepRecord,
    Store,
    StoredRun,
    fork,
    run_picture,
)
from agentgraph.stores import MemoryStore
from tests.drawing.documents import classes, texts

pytestmark = pytest.mark.anyio

Do = Callable[[GraphRunContext[None, Any], int], Awaitable[object]]


@dataclass
class Split(BaseNode[None, Do | None, int]):
    count: int
    collect: bool = False

    async def run(self, ctx: GraphRunContext[None, Do | None]) -> Fork[Work, Gather]:
        branches = [Work(number) for number in range(self.count)]
        return Fork(branches, join=Gather, on_error="collect" if self.collect else "raise")


@dataclass
class Work(BaseNode[None, Do | None, int]):
    number: int

    async def run(self, ctx: GraphRunContext[None, Do | None]) -> Polish | Join[int]:
        if ctx.deps is not None:
            await ctx.deps(ctx, self.number)
        return Polish() if self.number == 0 else Join(self.number)


@dataclass
class Polish(BaseNode[None, Do | None, int]):
    async def run(self, ctx: GraphRunContext[None, Do | None]) -> Join[int]:
        return Join(0)


@dataclass
class Gather(BaseNode[None, Do | None, int]):
    values: list[int | BranchError]

    async def run(self, ctx: GraphRunContext[None, Do | None]) -> Count | End[int]:
        return Count(len(self.values))


@dataclass
class Count(BaseNode[None, Do | None, int]):
    left: int

    async def run(self, ctx: GraphRunContext[None, Do | None]) -> Count | End[int]:
        return Count(self.left - 1) if self.left else End(0)


work = Graph(nodes=(Split, Work, Polish, Gather, Count), name="work")
counting = Graph(nodes=(Count,), name="counting")


def states(picture: Picture) -> list[str]:
    """What the boxes of a picture say, without times; in the SVG it is the same."""
    text: dict[str, str] = {}
    for name, line in re.findall(r"^  (s\d+): (.*)$", picture.mermaid, flags=re.MULTILINE):
        assert line in texts(picture.svg())
        said = re.sub(r", at .*", "", line)
        text[name] = f"{text[name]}, {said}" if name in text else said
    return [*text.values()]


def ways(picture: Picture) -> int:
    arrows = sum(" --> " in line for line in picture.mermaid.splitlines())
    assert classes(picture.svg(), "path").count("head") == arrows
    return arrows


async def test_the_path_of_a_run_with_its_branches_side_by_side(store: Store) -> None:
    await work.run(Split(2), store=store, run_id="r")
    picture = await run_picture(store, "r")
    assert states(picture) == [
        "Split, step 0",
        "Work, step 0 of 0:0",
        "Polish, step 1 of 0:0",
        "Work, step 0 of 0:1",
        "Gather, step 1",
        "Count, step 2",
        "Count, step 3",
        "Count, step 4",
    ]
    assert picture.chart.title == "run r of work: succeeded"
    assert ways(picture) == 12
    assert classes(picture.svg(), "circle") == ["dot", "ring", "dot"]
    assert classes(picture.svg(), "rect").count("dot") == 2


async def test_where_a_branch_waits(store: Store) -> None:
    async def ask(ctx: GraphRunContext[None, Any], number: int) -> object:
        return number or await ctx.wait_for("go", question="may I go?")

    with pytest.raises(RunWaiting):
        await work.run(Split(2), store=store, run_id="r", deps=ask)
    picture = await run_picture(store, "r")
    assert states(picture) == ["Split, step 0", "Work, step 0 of 0:0, waits: may I go?", "Work, step 0 of 0:1"]
    assert classes(picture.svg(), "g").count("waiting") == 1
    told = await run_picture(store, "r", asked=lambda question: f"key {question.key}")
    assert "Work, step 0 of 0:0, waits: key 0:0/0/go" in states(told)


async def test_until_when_a_run_sleeps(memory: MemoryStore) -> None:
    @dataclass
    class Doze(BaseNode[None, None, int]):
        async def run(self, ctx: GraphRunContext) -> End[int]:
            await ctx.sleep(0.0, key="nap")
            await ctx.sleep(1e9)
            return End(1)

    with pytest.raises(RunWaiting):
        await Graph(nodes=(Doze,), name="sleepy").run(Doze(), store=memory, run_id="r")
    wake = (await memory.load("r")).wake_at
    assert wake is not None
    until = datetime.fromtimestamp(wake, UTC)
    picture = await run_picture(memory, "r")
    assert states(picture) == [f"Doze, step 0, sleeps until {until:%Y-%m-%d %H:%M:%S} UTC"]
    assert classes(picture.svg(), "g").count("waiting") == 1


async def test_what_comes_while_a_run_is_read_is_left_out(memory: MemoryStore) -> None:
    await counting.run(Count(3), store=memory, run_id="r")
    run = replace(await memory.load("r"), run_id="read", seq=1, pending="Count", status=Status.PENDING)
    await memory.insert([StoredRun(run=run, steps=await memory.steps("r"))])
    assert states(await run_picture(memory, "read")) == ["Count, step 0", "Count, step 1, comes next"]


async def test_why_a_branch_failed_its_run(memory: MemoryStore) -> None:
    async def fail(ctx: GraphRunContext[None, Any], number: int) -> None:
        if number == 0:
            await ctx.once("calm", done)
            await ctx.once("also calm", done)
            raise ValueError("no " + 30 * "way ")

    with pytest.raises(ValueError, match="way"):
        await work.run(Split(1), store=memory, run_id="r", deps=fail)
    picture = await run_picture(memory, "r")
    assert states(picture)[1] == "Work, step 0 of 0:0, not done, 2 calls done"
    assert states(picture)[2].startswith("failed, ValueError: no way way")
    assert classes(picture.svg(), "g").count("bad") == 1


async def done() -> int:
    return 1


async def test_a_branch_whose_error_was_collected(memory: MemoryStore) -> None:
    async def fail(ctx: GraphRunContext[None, Any], number: int) -> None:
        if number == 1:
            raise ValueError("no")

    await work.run(Split(2, collect=True), store=memory, run_id="r", deps=fail)
    assert "Work, step 0 of 0:1, failed" in states(await run_picture(memory, "r"))


async def test_a_step_that_failed_and_is_to_be_tried_again(memory: MemoryStore) -> None:
    @dataclass
    class Fail(BaseNode[None, None, int]):
        async def run(self, ctx: GraphRunContext) -> End[int]:
            raise ValueError("not yet")

    failing = Graph(nodes=(Fail,), name="failing")
    with pytest.raises(ValueError, match="not yet"):
        await failing.run(Fail(), store=memory, run_id="r")
    assert states(await run_picture(memory, "r")) == ["Fail, step 0, ValueError: not yet"]
    with pytest.raises(ValueError, match="not yet"):
        await failing.run(resume="r", store=memory)
    assert states(await run_picture(memory, "r")) == ["Fail, step 0, attempt 2, ValueError: not yet"]


async def test_where_a_run_is_executed_released_or_cancelled(memory: MemoryStore) -> None:
    async with counting.iter(Count(5), store=memory, run_id="r") as run:
        await run.next()
        assert states(await run_picture(memory, "r"))[-1].startswith("Count, step 1, run by process")
    assert states(await run_picture(memory, "r"))[-1] == "Count, step 1, comes next"
    await memory.cancel("r")
    assert states(await run_picture(memory, "r"))[-1] == "Count, step 1, cancelled"


async def test_of_many_steps_the_first_and_the_last_are_drawn(memory: MemoryStore) -> None:
    await counting.run(Count(99), store=memory, run_id="r")
    said = states(await run_picture(memory, "r", steps=4))
    assert said == ["Count, step 0", "Count, step 1", "… 96 more steps", "Count, step 98", "Count, step 99"]


async def test_of_many_branches_those_that_have_not_ended_are_drawn(memory: MemoryStore) -> None:
    async def ask(ctx: GraphRunContext[None, Any], number: int) -> object:
        return number != 7 or await ctx.wait_for("go", question="?")

    with pytest.raises(RunWaiting):
        await work.run(Split(9), store=memory, run_id="r", deps=ask)
    said = states(await run_picture(memory, "r", branches=2))
    assert said == [
        "Split, step 0",
        "Work, step 0 of 0:0",
        "Polish, step 1 of 0:0",
        "Work, step 0 of 0:7, waits: ?",
        "… 7 more branches",
    ]


async def test_a_fork_without_branches(memory: MemoryStore) -> None:
    await work.run(Split(0), store=memory, run_id="r")
    assert states(await run_picture(memory, "r")) == ["Split, step 0", "Gather, step 1", "Count, step 2"]


async def test_what_a_run_goes_on_from_is_set_off(memory: MemoryStore) -> None:
    await counting.run(Count(2), store=memory, run_id="r")
    await fork(memory, await memory.load("r"), "again", 1)
    await counting.run(resume="again", store=memory)
    assert states(await run_picture(memory, "again")) == [
        "Count, step 0, before this run",
        "Count, step 1",
        "Count, step 2",
    ]


async def test_a_change_by_hand_is_a_step(memory: MemoryStore) -> None:
    async with counting.iter(Count(5), store=memory, run_id="r") as run:
        await run.next()
        await run.next(Count(0))
    assert "changed by hand, step 1" in states(await run_picture(memory, "r"))


async def test_notes_stand_beside_steps(memory: MemoryStore) -> None:
    await counting.run(Count(1), store=memory, run_id="r")
    picture = await run_picture(memory, "r", notes={1: "the last"}, direction="LR")
    assert "note right of s3\n    the last\n" in picture.mermaid
    assert "the last" in texts(picture.svg())


@pytest.fixture
async def timed() -> Store:
    """A run of three steps: the second was a third attempt, by another process, a good while later."""
    store = MemoryStore()
    await counting.run(Count(2), store=store, run_id="r")
    times = [(100.0, 100.25, 1, "A"), (103.0, 293.0, 3, "B"), (293.0, 293.5, 1, "B")]
    opening, *steps = await store.steps("r")
    made: list[StepRecord] = [
        replace(row, started_at=start, ended_at=end, attempt=attempt, owner=owner)
        for row, (start, end, attempt, owner) in zip(steps, times, strict=True)
    ]
    run = replace(await store.load("r"), run_id="timed")
    await store.insert([StoredRun(run=run, steps=[opening, *made])])
    return store


async def test_times_attempts_and_processes(timed: Store) -> None:
    picture = await run_picture(timed, "timed")
    assert picture.mermaid.splitlines()[5:] == [
        "  s2: Count",
        "  s2: step 0, at 0 ms, took 250 ms",
        "  s3: Count",
        "  s3: step 1, at 3.0 s, took 3.2 min",
        "  s3: attempt 3",
        "  s3: by B",
        "  s4: Count",
        "  s4: step 2, at 3.2 min, took 500 ms",
        "  [*] --> s2",
        "  s2 --> s3: after 2.8 s",
        "  s3 --> s4",
        "  s4 --> [*]",
        "  classDef again fill:#efe6fb,stroke:#7d55b5,color:#1c2630",
        "  class s3 again",
    ]


async def test_an_unknown_run(memory: MemoryStore) -> None:
    with pytest.raises(RunNotFound):
        await run_picture(memory, "nobody")


async def test_a_run_shows_where_it_is(memory: MemoryStore) -> None:
    async with work.iter(Split(2), store=memory, run_id="r") as run:
        shown = [run.picture().mermaid.splitlines()]
        shown.extend([run.picture().mermaid.splitlines() async for _ in run])
        asked: Callable[[], dict[str, str]] = getattr(run, "_repr_mimebundle_")  # noqa: B009 - the name is Jupyter's
        assert {*asked()} == {"image/svg+xml", "text/vnd.mermaid"}
    set_off = [[line for line in lines if line.startswith("class ")] for lines in shown]
    assert set_off[:2] == [["class Split highlighted"], ["class Split highlighted"]]
    assert ["class Work highlighted", "class Work highlighted"] in set_off
    assert set_off[-1] == []
    assert shown[0][1] == "title: run r, step 0"
    assert shown[-1][1] == "title: run r, ended"
