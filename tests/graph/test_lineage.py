"""Runs that go on from a step of another one: forks of runs, of forks, of what waits and of what has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from agentgraph.exceptions import RunExists, RunNotFound, RunWaiting, UserError
from agentgraph.graph import (
    BaseNode,
    End,
    Graph,
    GraphRunContext,
    NewRun,
    Once,
    Question,
    RunInfo,
    Scheduler,
    Status,
    Store,
    fork,
    lineage,
)
from agentgraph.stores import MemoryStore
from tests.graph.samples import ENTIRE, START, Add, Line, Show, Tally, failing, tally

pytestmark = pytest.mark.anyio

STEPS = 6
"""So many has a run of the sample graph."""


async def whole(store: Store) -> None:
    await tally.run(Add(START), state=Tally(), store=store, run_id="r")


async def forked(store: Store, origin: str, run_id: str, step: int | None = None) -> None:
    await fork(store, await store.load(origin), run_id, step)


@pytest.mark.parametrize("step", range(STEPS + 1))
async def test_a_fork_goes_on_from_any_step(store: Store, step: int) -> None:
    await whole(store)
    before = await store.load("r"), await store.steps("r")
    await forked(store, "r", "fork", step)
    record = await store.load("fork")
    assert (record.seq, record.origin, record.owner, record.epoch) == (step, ("r", step), None, 0)
    assert record.status is (Status.SUCCEEDED if step == STEPS else Status.PENDING)
    async with tally.iter(resume="fork", store=store) as run:
        assert run.state.texts == ENTIRE[: 2 * ((step + 1) // 2)]
        assert run.state.count == (step + 1) // 2
        [_ async for _ in run]
    assert run.result is not None
    assert (run.result.output, run.state.texts) == ("again 3", ENTIRE)
    assert [row.seq for row in await store.steps("fork")] == list(range(step, STEPS))  # the rest is pointed at
    assert (await store.load("r"), await store.steps("r")) == before


@pytest.mark.parametrize("first", range(STEPS + 1))
async def test_a_fork_can_be_forked_at_any_step_also_below_its_own(store: Store, first: int) -> None:
    await whole(store)
    await forked(store, "r", "fork", first)
    await tally.run(resume="fork", store=store)
    for step in range(STEPS + 1):
        await forked(store, "fork", f"fork at {step}", step)
        done = await tally.run(resume=f"fork at {step}", store=store)
        assert (done.output, done.state.texts) == ("again 3", ENTIRE)


@settings(max_examples=30)
@given(steps=st.lists(st.integers(0, STEPS), max_size=6), run=st.lists(st.booleans(), min_size=6, max_size=6))
async def test_forks_of_forks_end_like_the_run(steps: list[int], run: list[bool]) -> None:
    store, newest = MemoryStore(), "r"
    await whole(store)
    for number, (step, runs) in enumerate(zip(steps, run, strict=False)):
        at = min(step, (await store.load(newest)).seq)
        await forked(store, newest, f"fork {number}", at)
        newest = f"fork {number}"
        if runs:
            await tally.run(resume=newest, store=store)
    done = await tally.run(resume=newest, store=store)
    assert (done.output, done.state.texts, done.state.count) == ("again 3", ENTIRE, 3)


async def test_without_a_step_a_fork_is_the_run_as_it_stands(store: Store) -> None:
    with pytest.raises(KeyError):
        await tally.run(Add(START), state=Tally(), deps=failing(3, KeyError()), store=store, run_id="r")
    await forked(store, "r", "fork")
    record = await store.load("fork")
    assert (record.seq, record.pending, record.status, record.error) == (3, "Show", Status.PENDING, None)
    assert (await store.load("r")).status is Status.FAILED
    assert (await tally.run(resume="fork", store=store)).state.texts == ENTIRE
    assert (await tally.run(resume="r", store=store)).state.texts == ENTIRE


async def test_a_fork_changes_its_own_history_alone(store: Store) -> None:
    await whole(store)
    await forked(store, "r", "fork", 3)
    async with tally.iter(resume="fork", store=store) as run:
        await run.next(Show(Line("edited")))
        run.state.log[1] = Line("rewritten")
        await run.next()
    assert (await tally.run(resume="fork", store=store)).state.texts == [
        "go",
        "rewritten",
        "again",
        "again 2",
        "again",
        "again 3",
    ]
    assert (await tally.run(resume="r", store=store)).state.texts == ENTIRE


async def test_a_run_that_is_executed_can_be_forked(store: Store) -> None:
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r") as run:
        await run.next()
        await forked(store, "r", "fork")
        assert (await tally.run(resume="fork", store=store)).state.texts == ENTIRE
        assert isinstance(await run.next(), Add)


async def test_what_cannot_be_forked(store: Store) -> None:
    await whole(store)
    for step in (-1, STEPS + 1):
        with pytest.raises(UserError, match=rf"run 'r' has no step {step} to fork at; its steps are 0 to 6"):
            await forked(store, "r", "fork", step)
    with pytest.raises(RunExists):
        await forked(store, "r", "r", 2)
    with pytest.raises(RunNotFound):
        await forked(store, "unknown", "fork")
    assert [run.run_id for run in await store.list()] == ["r"]


async def test_a_fork_belongs_to_no_conversation_unless_told(store: Store) -> None:
    info = RunInfo(run_id="r", named=True, conversation="c", options=b'{"limit":1}', agent="a")
    execution = await Scheduler(store).begin(tally, Add(START), (Tally(), None), info)
    await execution.end()
    origin = await store.load("r")
    await fork(store, origin, "alone")
    await fork(store, origin, "along", conversation="d")
    forks = [await store.load(run_id) for run_id in ("alone", "along")]
    assert [run.conversation for run in forks] == [None, "d"]
    assert [(run.options, run.agent, run.graph) for run in forks] == [(b'{"limit":1}', "a", "tally")] * 2


# --------------------------------------------------------------------------------------- forks at a step under way


@dataclass
class Work(BaseNode[None, Any, str]):
    async def run(self, ctx: GraphRunContext[None, Any]) -> End[str]:
        do: Callable[[GraphRunContext[None, Any]], Awaitable[object]] = ctx.deps  # Any: a function of such contexts
        return End(str(await do(ctx)))


graph = Graph(nodes=[Work], name="work")


async def test_finished_calls_come_along_to_a_pending_step_and_answers_do_not(store: Store) -> None:
    made: list[str] = []

    async def do(ctx: GraphRunContext[None, Any]) -> str:
        await ctx.once("call", made.append, "call")
        first, second = await ctx.once_all([Once(key, partial(ctx.wait_for, key)) for key in ("first", "second")])
        return f"{first} {second}"

    with pytest.raises(RunWaiting):
        await graph.run(Work(), deps=do, store=store, run_id="r")
    await store.answer("r", "first", 1)
    await forked(store, "r", "fork")
    assert (await store.load("fork")).status is Status.PENDING
    assert [row.key for row in await store.calls("fork")] == ["call"]
    with pytest.raises(RunWaiting) as caught:
        await graph.run(resume="fork", deps=do, store=store)
    asked = [(question.run_id, question.key) for question in caught.value.questions if isinstance(question, Question)]
    assert asked == [("fork", "/0/first"), ("fork", "/0/second")]
    for run_id, first in (("fork", 10), ("r", None)):
        if first is not None:
            await store.answer(run_id, "first", first)
        await store.answer(run_id, "second", 2)
    assert (await graph.run(resume="fork", deps=do, store=store)).output == "10 2"
    assert (await graph.run(resume="r", deps=do, store=store)).output == "1 2"
    assert made == ["call"]


async def test_a_call_whose_value_was_lost_is_not_made_again_in_a_fork(store: Store) -> None:
    made: list[str] = []

    def odd() -> object:
        made.append("odd")
        return object()

    async def do(ctx: GraphRunContext[None, Any]) -> None:
        await ctx.once("odd", odd)
        raise KeyError

    with pytest.raises(KeyError):
        await graph.run(Work(), deps=do, store=store, run_id="r")
    await forked(store, "r", "fork")
    with pytest.raises(Exception, match="what it returned could not be stored"):
        await graph.run(resume="fork", deps=do, store=store)
    assert made == ["odd"]


async def test_the_calls_of_an_earlier_step_stay_behind(store: Store) -> None:
    async def do(ctx: GraphRunContext[Tally, Any]) -> None:
        await ctx.once("call", str)
        raise KeyError

    with pytest.raises(KeyError):
        await tally.run(Add(START), state=Tally(), deps=do, store=store, run_id="r")
    await forked(store, "r", "fork", 0)
    assert [row.key for row in await store.calls("r")] == ["call"]
    assert await store.calls("fork") == []


# ------------------------------------------------------------------------------------------------------- long chains


async def test_a_chain_of_runs_may_be_longer_than_the_stack() -> None:
    store, before = MemoryStore(), "r"
    await whole(store)
    for number in range(1500):
        new = NewRun(
            run_id=f"fork {number}",
            graph="tally",
            seq=2,
            pending="Add",
            status=Status.PENDING,
            state=b'{"count":1}',
            origin=(before, 2),
            named=True,
        )
        before = (await store.create(new)).run_id
    assert [row.seq for row in await lineage(store, await store.load(before))] == [-1, 0, 1]
    assert (await tally.run(resume=before, store=store)).state.texts == ENTIRE
