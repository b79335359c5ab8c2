"""Runs as their callers step through them, kept or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentgraph.exceptions import (
    GraphRuntimeError,
    RunExists,
    RunFenced,
    RunNotFound,
    StoreError,
    UserError,
)
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, Status, Store
from agentgraph.stores import MemoryStore
from tests.graph.samples import ENTIRE, START, Add, Line, Show, Tally, failing, tally

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["kept", "not kept"])
def maybe(request: pytest.FixtureRequest) -> Store | None:
    return MemoryStore() if request.param == "kept" else None


async def test_a_run_goes_to_its_end(store: Store) -> None:
    done = await tally.run(Add(START), state=Tally(), store=store)
    assert (done.output, done.state.texts, done.state.count) == ("again 3", ENTIRE, 3)
    assert len(done.run_id) == 32


async def test_a_run_is_stored_with_its_first_node_before_that_runs(store: Store) -> None:
    async def look(ctx: GraphRunContext[Tally, Any]) -> None:
        if ctx.seq == 0:
            record = await store.load(ctx.run_id)
            assert (record.status, record.pending, record.seq) == (Status.RUNNING, "Show", 0)
            assert record.owner is not None
            seen.append(record.run_id)

    seen: list[str] = []
    done = await tally.run(Show(START), state=Tally(), deps=look, store=store)
    assert seen == [done.run_id]


def test_run_sync_is_run() -> None:
    assert tally.run_sync(Add(START), state=Tally()).output == "again 3"


async def test_iterating_gives_each_node_before_it_runs(maybe: Store | None) -> None:
    seen: list[tuple[str, int]] = []
    async with tally.iter(Add(START), state=Tally(), store=maybe) as run:
        assert (run.next_node, run.result, run.started) == (Add(START), None, False)
        async for node in run:
            assert run.started
            seen.append((type(node).__name__, run.state.count))
    assert seen == [("Add", 0), ("Show", 1), ("Add", 1), ("Show", 2), ("Add", 2), ("Show", 3), ("End", 3)]
    assert run.result is not None
    assert (run.result.output, run.result.run_id, run.next_node) == ("again 3", run.run_id, End("again 3"))
    assert run.deps is None


async def test_next_takes_one_step(maybe: Store | None) -> None:
    async with tally.iter(Add(START), state=Tally(), store=maybe) as run:
        assert await run.next() == Show(Line("go 1"))
        pending = run.next_node
        assert isinstance(pending, Show)
        assert await run.next(pending) == Add(Line("again"))
        assert [type(node).__name__ async for node in run] == ["Show", "Add", "Show", "End"]
        assert await run.next() == End("again 3")
        with pytest.raises(GraphRuntimeError, match="is succeeded and takes no step"):
            await run.next(Add(START))


async def test_next_with_another_node_replaces_the_pending_one(maybe: Store | None) -> None:
    async with tally.iter(Add(START), state=Tally(count=2), store=maybe, run_id="r") as run:
        await run.next()
        assert await run.next(Show(Line("mine"))) == End("mine")
    if maybe is not None:
        steps = [(step.seq, step.node, step.outcome) for step in await maybe.steps("r")]
        assert steps == [(-1, "", "Add"), (0, "Add", "Show"), (1, "(edit)", "Show"), (2, "Show", "End")]


async def test_a_replaced_node_takes_its_journal_with_it(memory: MemoryStore) -> None:
    made: list[str] = []

    async def call(ctx: GraphRunContext[Tally, Any]) -> None:
        await ctx.once("k", made.append, "called")
        if len(made) == 1:
            raise KeyError

    async with tally.iter(Add(START), state=Tally(), deps=call, store=memory, run_id="r") as run:
        await run.next()
        with pytest.raises(KeyError):
            await run.next()
    assert len(await memory.calls("r")) == 1
    async with tally.iter(resume="r", deps=call, store=memory) as run:
        await run.next(Show(Line("other")))
        assert made == ["called"] * 2
        assert await memory.calls("r") == []


async def test_resuming_after_a_replacement_goes_on_with_it(store: Store) -> None:
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r") as run:
        await run.next()
        with pytest.raises(KeyError):
            await _failing_next(run)
    async with tally.iter(resume="r", store=store) as run:
        assert run.next_node == Show(Line("mine"))
        assert run.ctx.seq == 2


async def _failing_next(run: Any) -> None:
    run.ctx.deps = failing(2, KeyError())
    await run.next(Show(Line("mine")))


async def test_leaving_early_releases_the_run(store: Store) -> None:
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r") as run:
        async for node in run:
            if isinstance(node, Show):
                break
    record = await store.load("r")
    assert (record.status, record.seq, record.pending, record.owner) == (Status.PENDING, 1, "Show", None)
    with pytest.raises(GraphRuntimeError, match="run 'r' is pending and takes no step; go on with `resume='r'`"):
        await run.next(Add(START))
    assert (await tally.run(resume="r", store=store)).state.texts == ENTIRE


async def test_an_error_of_the_block_cancels(store: Store) -> None:
    async def fail() -> None:
        async with tally.iter(Add(START), state=Tally(), store=store, run_id="r") as run:
            await run.next()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await store.load("r")).status is Status.CANCELLED
    assert (await tally.run(resume="r", store=store)).state.texts == ENTIRE


async def test_an_error_after_the_end_changes_nothing(memory: MemoryStore) -> None:
    async def fail() -> None:
        async with tally.iter(Add(START), state=Tally(), store=memory, run_id="r") as run:
            async for _ in run:
                pass
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert (await memory.load("r")).status is Status.SUCCEEDED


async def test_cancelling_ends_the_run(memory: MemoryStore) -> None:
    async with tally.iter(Add(START), state=Tally(), store=memory, run_id="r") as run:
        await run.cancel()
        await run.cancel()
        with pytest.raises(GraphRuntimeError, match="is cancelled and takes no step"):
            await run.next()
    assert (await memory.load("r")).status is Status.CANCELLED


async def test_a_failing_node_fails_the_run_and_is_run_again(store: Store) -> None:
    with pytest.raises(KeyError) as caught:
        await tally.run(Add(START), state=Tally(), deps=failing(3, KeyError("no")), store=store, run_id="r")
    assert caught.value.__notes__ == ["raised in run 'r', step 3 (Show)"]
    record = await store.load("r")
    assert (record.status, record.error, record.pending) == (Status.FAILED, "KeyError: 'no'", "Show")
    async with tally.iter(resume="r", store=store) as run:
        assert (run.next_node, run.ctx.seq, run.ctx.attempt) == (Show(Line("again 2")), 3, 2)
        assert run.state.texts == ENTIRE[:4]
        await run.next()
        assert run.ctx.attempt == 1


async def test_an_error_of_ours_carries_the_run() -> None:
    with pytest.raises(StoreError) as caught:
        await tally.run(Add(START), state=Tally(), deps=failing(1, StoreError("full")), store=MemoryStore(), run_id="r")
    assert caught.value.run_id == "r"
    with pytest.raises(RunNotFound) as other:
        await tally.run(Add(START), state=Tally(), deps=failing(1, RunNotFound("child")), run_id="r")
    assert other.value.run_id == "child"


async def test_what_a_node_may_not_return() -> None:
    @dataclass
    class Wrong(BaseNode[None, None, int]):
        what: str

        async def run(self, ctx: GraphRunContext[None, None]) -> Wrong | Right:
            odd: Any = {"number": 1, "end": End(1), "stranger": Add(START)}.get(self.what, Right())
            return odd  # type: ignore[no-any-return] # what is tested

    @dataclass
    class Right(BaseNode[None, None, int]):
        async def run(self, ctx: GraphRunContext[None, None]) -> End[int]:
            back: Any = Wrong("number")
            return back  # type: ignore[no-any-return] # what is tested

    graph = Graph[None, None, int](nodes=[Wrong, Right], name="g")
    for what, message in {
        "number": "Wrong.run returned int, neither a node nor an End, which its return annotation does not name",
        "end": "Wrong.run returned End, which its return annotation does not name",
        "stranger": "Add is not a node of graph 'g'; it has Wrong, Right",
        "right": "Right.run returned Wrong, which its return annotation does not name",
    }.items():
        with pytest.raises(GraphRuntimeError, match=message):
            await graph.run(Wrong(what))


async def test_a_node_of_another_graph_may_not_be_next(memory: MemoryStore) -> None:
    @dataclass
    class Foreign(BaseNode[Tally, Any, str]):
        async def run(self, ctx: GraphRunContext[Tally, Any]) -> End[str]:
            return End("")

    async with tally.iter(Add(START), state=Tally(), store=memory, run_id="r") as run:
        with pytest.raises(GraphRuntimeError, match="Foreign is not a node of graph 'tally'"):
            await run.next(Foreign())
        assert isinstance(await run.next(), Show)


async def test_how_a_run_begins() -> None:
    with pytest.raises(UserError, match="give one of the two"):
        await tally.run(state=Tally())
    with pytest.raises(UserError, match="give one of the two"):
        await tally.run(Add(START), resume="r", store=MemoryStore())
    with pytest.raises(UserError, match="run 'r' goes on with its own id and state"):
        await tally.run(resume="r", store=MemoryStore(), run_id="x")
    with pytest.raises(UserError, match="run 'r' goes on with its own id and state"):
        await tally.run(resume="r", store=MemoryStore(), state=Tally())


async def test_an_id_is_used_once(store: Store) -> None:
    await tally.run(Add(START), state=Tally(), store=store, run_id="r")
    with pytest.raises(RunExists, match="run 'r' already; go on with `resume='r'`"):
        await tally.run(Add(START), state=Tally(), store=store, run_id="r")


async def test_a_store_can_be_named_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    await tally.run(Add(START), state=Tally(), store=path, run_id="r")
    assert (await tally.run(resume="r", store=str(path))).output == "again 3"


async def test_counters_are_kept_with_each_step_that_changes_them(memory: MemoryStore) -> None:
    graph = Graph(nodes=[Add, Show], name="counted", usage_of=lambda state: {"count": state.count})
    await graph.run(Add(START), state=Tally(), store=memory, run_id="r")
    usage = [step.usage for step in await memory.steps("r")]
    assert usage == [b'{"count":0}', b'{"count":1}', b"", b'{"count":2}', b"", b'{"count":3}', b""]
    assert (await memory.load("r")).usage == b'{"count":3}'


async def test_a_node_can_be_tested_outside_any_run() -> None:
    ctx: GraphRunContext[Tally, Any] = GraphRunContext(Tally(), None)
    assert GraphRunContext(state=ctx.state, deps=None).state is ctx.state
    assert await Add(START).run(ctx) == Show(Line("go 1"))
    assert await ctx.once("k", str, 1) == "1"
    ctx.emit("heard by nobody")
    assert ctx.now().tzinfo is not None


class Broken(MemoryStore):
    """Fails to write the step after the first."""

    error: Exception = StoreError("the disk is full")
    settles = True

    async def commit(self, commit: Any) -> Status:
        if commit.step.seq == 1:
            raise self.error
        return await super().commit(commit)

    async def settle(self, settlement: Any) -> Status:
        if not self.settles:
            raise self.error
        return await super().settle(settlement)


async def test_a_store_that_cannot_be_written_stops_the_run_where_it_was_committed() -> None:
    store = Broken()
    with pytest.raises(StoreError, match="the disk is full") as caught:
        await tally.run(Add(START), state=Tally(), store=store, run_id="r")
    assert caught.value.run_id == "r"
    record = await store.load("r")
    assert (record.status, record.seq, record.error) == (Status.FAILED, 1, "StoreError: the disk is full")


@pytest.mark.parametrize("error", [StoreError("the disk is full"), RunFenced("r", 1)])
async def test_the_error_is_heard_of_where_giving_up_fails_too(error: Exception) -> None:
    store = Broken()
    store.settles, store.error = False, error
    with pytest.raises(type(error)):
        await tally.run(Add(START), state=Tally(), store=store, run_id="r")
    assert (await store.load("r")).status is Status.RUNNING
