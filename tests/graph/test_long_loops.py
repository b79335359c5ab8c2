"""A loop of very many steps holds, writes and reads no more for a step than a short one."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from hypothesis import given, settings, strategies as st

from agentgraph.exceptions import DecodeError
from agentgraph.graph import (
    Appended,
    BaseNode,
    End,
    Graph,
    GraphRunContext,
    RunRecord,
    StepRecord,
    Store,
    Upgrades,
    fork,
)
from agentgraph.stores import MemoryStore, SQLiteStore

pytestmark = pytest.mark.anyio


@dataclass
class Sum:
    total: int = 0


@dataclass
class Settings:
    """What a node hands on as it got it."""

    name: str


@dataclass
class Add(BaseNode[Sum, None, int]):
    n: int
    until: int
    settings: Settings | None = None

    async def run(self, ctx: GraphRunContext[Sum]) -> Add | End[int]:
        ctx.state.total += self.n
        return Add(self.n + 1, self.until, self.settings) if self.n < self.until else End(ctx.state.total)


adding = Graph(nodes=[Add], name="adding")


class Counting(MemoryStore):
    """Counts the rows of steps that are read."""

    rows = 0

    async def steps(self, run_id: str, after: int = -2) -> list[StepRecord]:
        found = await super().steps(run_id, after)
        self.rows += len(found)
        return found

    async def read_by(self, work: Callable[[], Any]) -> int:
        self.rows = 0
        await work()
        return self.rows


async def walked(store: Store | None, steps: int, node: Add) -> None:
    async with adding.iter(node, state=Sum(), store=store, run_id="r") as run:
        for _ in range(steps):
            await run.next()


@pytest.mark.parametrize("kind", ["nowhere", "SQLite"])
async def test_a_run_holds_the_same_after_a_hundred_steps_and_after_a_thousand(kind: str, tmp_path: Path) -> None:
    store = None if kind == "nowhere" else SQLiteStore(tmp_path / "runs.db", synchronous="NORMAL")
    held: list[int] = []
    async with adding.iter(Add(0, 10**6), state=Sum(), store=store, run_id="r") as run:
        for seq in range(1000):
            if seq in (100, 999):
                gc.collect()
                held.append(len(gc.get_objects()))
            await run.next()
    if store is not None:
        sizes = [len(step.body) + len(step.state) for step in await store.steps("r")]
        assert max(sizes[900:]) <= max(sizes[:100]) + 10  # longer numbers
        await store.aclose()
    assert held[1] - held[0] < 100


@pytest.mark.parametrize("settings", [None, Settings("handed on, and stored where it was made")])
async def test_a_step_of_a_long_run_is_taken_from_a_few_rows(settings: Settings | None) -> None:
    store = Counting()
    await walked(store, 1000, Add(0, 10**6, settings))
    for _ in range(70):
        assert await store.read_by(lambda: adding.step("r", store=store)) <= (1 if settings is None else 66)
    record = await store.load("r")
    assert (record.seq, record.state) == (1070, b'{"total":%d}' % sum(range(1070)))
    outcome = await adding.step("r", store=store)
    assert outcome == Add(1071, 10**6, settings)


async def test_all_rows_are_read_where_the_state_has_lists_or_is_upgraded() -> None:
    @dataclass
    class Log:
        lines: Annotated[list[str], Appended] = field(default_factory=list[str])

    @dataclass
    class Write(BaseNode[Log, None, int]):
        async def run(self, ctx: GraphRunContext[Log]) -> Write:
            ctx.state.lines.append("line")
            return Write()

    store = Counting()
    writing = Graph(nodes=[Write], name="writing")
    async with writing.iter(Write(), state=Log(), store=store, run_id="w") as run:
        for _ in range(10):
            await run.next()
    assert await store.read_by(lambda: writing.step("w", store=store)) == 11
    await walked(store, 10, Add(0, 100))
    upgraded = Graph(nodes=[Add], name="adding", upgrades=Upgrades(state=lambda fields: fields))
    assert await store.read_by(lambda: upgraded.step("r", store=store)) == 11


async def test_a_fork_of_a_long_run_goes_on_from_a_few_rows_of_its_own() -> None:
    store = Counting()
    await walked(store, 200, Add(0, 10**6))
    await fork(store, await store.load("r"), "other", step=150)
    assert await adding.step("other", store=store) == Add(151, 10**6)
    assert await store.read_by(lambda: adding.step("other", store=store)) == 1


@pytest.mark.parametrize("spoilt", [{"body": b"{"}, {"body": b'{"v":1,"to":"Add","fields":{"n":["?"]},"lists":{}}'}])
async def test_a_row_that_cannot_be_read_is_named(spoilt: dict[str, bytes]) -> None:
    class Spoiling(MemoryStore):
        async def steps(self, run_id: str, after: int = -2) -> list[StepRecord]:
            return [replace(step, **spoilt) for step in await super().steps(run_id, after)]  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - bytes are fields of bytes

    store = Spoiling()
    await walked(store, 3, Add(0, 9))
    with pytest.raises(DecodeError, match="the body"):
        await adding.step("r", store=store)


async def test_a_state_that_cannot_be_read_is_named() -> None:
    class Spoiling(MemoryStore):
        async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
            return replace(await super().claim(run_id, options), state=b"[")

    store = Spoiling()
    await walked(store, 3, Add(0, 9))
    with pytest.raises(DecodeError, match="the state"):
        await adding.step("r", store=store)


@dataclass
class Follow(BaseNode[Sum, None, str]):
    """Keeps its settings, or makes others, as the script says."""

    script: str
    settings: Settings
    other: Settings

    async def run(self, ctx: GraphRunContext[Sum]) -> Follow | End[str]:
        ctx.state.total += 1
        match self.script[:1]:
            case "k":
                return Follow(self.script[1:], self.settings, self.other)
            case "n":
                return Follow(self.script[1:], Settings(f"of step {ctx.seq}"), self.other)
            case "s":
                return Follow(self.script[1:], self.other, self.settings)
            case _:
                return End(f"{self.settings.name}, {self.other.name}, {ctx.state.total}")


following = Graph(nodes=[Follow], name="following")


@settings(max_examples=25)
@given(st.text("kkkkns", max_size=150), st.lists(st.integers(1, 90), max_size=6))
def test_wherever_a_run_is_resumed_it_ends_the_same(script: str, pauses: Sequence[int]) -> None:
    async def check() -> None:
        start = Follow(script, Settings("first"), Settings("other"))
        plain = await following.run(start, state=Sum())
        store = MemoryStore()
        async with following.iter(start, state=Sum(), store=store, run_id="r"):
            pass
        for steps in pauses:
            async with following.iter(resume="r", store=store) as run:
                for _ in range(steps):
                    await run.next()
        assert (await following.run(resume="r", store=store)).output == plain.output

    anyio.run(check)
