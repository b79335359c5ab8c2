"""Steps that go on at a later time: in the process for a little while, in the store for a long one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings, strategies as st

from agentgraph.exceptions import GraphRuntimeError, RunCancelled, RunNotResumable, RunWaiting, UserError
from agentgraph.graph import (
    Appended,
    BaseNode,
    BranchError,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    Once,
    RetryPolicy,
    RunFilter,
    Scheduler,
    Status,
    Store,
)
from agentgraph.stores import MemoryStore
from agentgraph.stores.samples import HandClock
from tests.graph.mortal import Drowsy, Dying, Killed
from tests.graph.samples import Line

pytestmark = pytest.mark.anyio

DAY = 86400.0


@dataclass
class Notes:
    written: Annotated[list[Line], Appended] = field(default_factory=list[Line])


Ctx = GraphRunContext[Notes, Any]  # Any: deps are functions of such contexts
Do = Callable[[Ctx], Awaitable[object]]


@dataclass
class Work(BaseNode[Notes, Any, str]):
    async def run(self, ctx: GraphRunContext[Notes, Any]) -> End[str]:
        ctx.state.written.append(Line("begun"))
        do: Do = ctx.deps
        return End(str(await do(ctx)))


graph = Graph(nodes=[Work], name="work")


def sleeping(*lengths: float) -> Do:
    """Deps that sleep so long, one after the other, and say when they woke."""

    async def do(ctx: Ctx) -> list[float]:
        woken: list[float] = []
        for position, seconds in enumerate(lengths):
            await ctx.sleep(seconds, key=f"{position}")
            woken.append(ctx.now().timestamp())
        return woken

    return do


async def begin(store: Store, clock: HandClock, do: Do) -> str:
    scheduler = Scheduler(store, clock)
    return (await graph.run(Work(), state=Notes(), deps=do, scheduler=scheduler, run_id="r")).output


async def again(store: Store, clock: HandClock, do: Do) -> str:
    done = await graph.run(resume="r", deps=do, scheduler=Scheduler(store, clock))
    assert done.state.written == [Line("begun")]  # of the attempt that ended, alone
    assert await store.calls("r") == []
    return done.output


async def test_a_long_sleep_frees_the_process_and_outlives_it(store: Store) -> None:
    clock, do = HandClock(), sleeping(3 * DAY)
    began = clock.seconds
    with pytest.raises(RunWaiting, match=r"run 'r' sleeps until 1970-01-15 13:46:40\+00:00; resume it then") as caught:
        await begin(store, clock, do)
    assert caught.value.wake_at == datetime.fromtimestamp(began + 3 * DAY, UTC)
    record = await store.load("r")
    assert (record.status, record.owner, record.wake_at) == (Status.WAITING, None, began + 3 * DAY)
    clock.seconds += 3 * DAY
    assert await again(store, clock, do) == str([clock.seconds])
    assert (await store.load("r")).wake_at is None


async def test_resumed_too_early_it_sleeps_on_and_until_the_same_time(store: Store) -> None:
    clock, began = HandClock(), HandClock().seconds
    with pytest.raises(RunWaiting):
        await begin(store, clock, sleeping(3 * DAY))
    clock.seconds += DAY
    with pytest.raises(RunWaiting):
        await again(store, clock, sleeping(7 * DAY))  # what was said first holds
    assert (await store.load("r")).wake_at == began + 3 * DAY
    clock.seconds += 2 * DAY - 5
    assert await again(store, clock, sleeping(3 * DAY)) == str([began + 3 * DAY])  # the rest is short


async def test_runs_that_are_due_are_found(store: Store) -> None:
    clock = HandClock()
    with pytest.raises(RunWaiting):
        await begin(store, clock, sleeping(DAY))
    assert await store.list(RunFilter(due_before=clock.seconds)) == []
    clock.seconds += DAY
    (due,) = await store.list(RunFilter(due_before=clock.seconds))
    assert due.run_id == "r"
    await again(store, clock, sleeping(DAY))


async def test_a_short_sleep_happens_in_the_process(store: Store) -> None:
    clock = HandClock()
    began = clock.seconds
    assert await begin(store, clock, sleeping(14, 0, -3)) == str([began + 14] * 3)
    assert await store.calls("r") == []


async def test_a_run_that_is_kept_nowhere_sleeps_as_long_as_it_takes() -> None:
    clock = HandClock()
    done = await graph.run(Work(), state=Notes(), deps=sleeping(9 * DAY), scheduler=Scheduler(None, clock))
    assert done.output == str([clock.seconds])


async def test_sleeps_one_after_the_other(store: Store) -> None:
    clock, do = HandClock(), sleeping(DAY, DAY)
    with pytest.raises(RunWaiting):
        await begin(store, clock, do)
    clock.seconds += DAY
    with pytest.raises(RunWaiting):
        await again(store, clock, do)
    clock.seconds += DAY
    assert await again(store, clock, do) == str([clock.seconds] * 2)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300])
async def test_a_sleep_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(UserError, match="makes no sense"):
        await begin(MemoryStore(), HandClock(), sleeping(seconds))


async def test_two_sleeps_need_two_keys() -> None:
    async def twice(ctx: Ctx) -> None:
        await ctx.sleep(1)
        await ctx.sleep(1)

    with pytest.raises(GraphRuntimeError, match="sleeps twice under the key 'sleep'"):
        await begin(MemoryStore(), HandClock(), twice)


async def test_a_batch_waits_for_its_answers_and_its_earliest_time(store: Store) -> None:
    clock = HandClock()

    async def nap(ctx: Ctx, days: float) -> str:
        await ctx.sleep(days * DAY, key=str(days))
        return f"slept {days}"

    async def ask(ctx: Ctx) -> str:
        return str(await ctx.wait_for("q"))

    async def do(ctx: Ctx) -> list[str]:
        naps = [Once[Any](f"{days}", nap, [ctx, days], identity=days) for days in (2.0, 1.0)]
        return await ctx.once_all([*naps, Once("ask", ask, [ctx], identity="ask")])

    with pytest.raises(RunWaiting, match=r"waits for 1 answer\(s\), or until 1970-01-13") as caught:
        await begin(store, clock, do)
    assert caught.value.wake_at == datetime.fromtimestamp(clock.seconds + DAY, UTC)
    await store.answer("r", "q", "yes")
    clock.seconds += DAY
    with pytest.raises(RunWaiting, match="sleeps until"):
        await again(store, clock, do)
    clock.seconds += DAY
    assert await again(store, clock, do) == "['slept 2.0', 'slept 1.0', 'yes']"


async def test_a_time_that_comes_before_the_run_is_asleep_wakes_it() -> None:
    """Another branch, or call, may work on for longer than this one sleeps."""
    store, clock, made = MemoryStore(), HandClock(), list[str]()

    async def work(ctx: Ctx) -> str:
        made.append("work")
        while not ctx.journal.slept:  # the other one falls asleep first
            await checkpoint()
        await ctx.clock.sleep(2 * DAY)
        return "worked"

    async def do(ctx: Ctx) -> list[Any]:
        nap = Once[Any]("nap", ctx.sleep, [DAY], identity="nap")
        return await ctx.once_all([nap, Once[Any]("work", work, [ctx], identity="work")])

    assert await begin(store, clock, do) == "[None, 'worked']"
    assert made == ["work"]


async def test_a_run_that_is_cancelled_does_not_go_to_sleep() -> None:
    store, clock = Drowsy(), HandClock()

    async def cancel() -> None:
        await store.cancel("r")

    store.before_sleep = cancel
    with pytest.raises(RunCancelled):
        await begin(store, clock, sleeping(DAY))
    assert ((await store.load("r")).status, (await store.load("r")).wake_at) == (Status.CANCELLED, None)


async def test_a_short_sleep_is_cut_by_a_cancel(store: Store) -> None:
    async def do(ctx: Ctx) -> None:
        with anyio.move_on_after(0.01):
            await ctx.sleep(10)
        await store.cancel("r")
        await ctx.sleep(10, key="2")

    with pytest.raises(RunCancelled):
        await graph.run(Work(), state=Notes(), deps=do, store=store, run_id="r")


async def test_code_that_does_not_fit_lets_it_sleep_on(store: Store) -> None:
    clock = HandClock()
    with pytest.raises(RunWaiting):
        await begin(store, clock, sleeping(DAY))
    asleep = await store.load("r")

    @dataclass
    class Other(BaseNode[Notes, Any, str]):
        async def run(self, ctx: GraphRunContext[Notes, Any]) -> End[str]:
            raise NotImplementedError

    with pytest.raises(RunNotResumable, match="Work"):
        await Graph(nodes=[Other], name="work").run(resume="r", store=store)
    left = await store.load("r")
    assert (left.status, left.wake_at) == (asleep.status, asleep.wake_at)


async def test_a_sleep_is_no_failure_that_is_tried_again() -> None:
    @dataclass
    class Patient(Work):
        retry = RetryPolicy(attempts=5)

    store, clock, patient = MemoryStore(), HandClock(), Graph(nodes=[Patient], name="work")
    with pytest.raises(RunWaiting):
        await patient.run(Patient(), state=Notes(), deps=sleeping(DAY), scheduler=Scheduler(store, clock), run_id="r")
    assert (await store.load("r")).status is Status.WAITING


@pytest.mark.parametrize("kept", [True, False])
async def test_an_attempt_does_not_sleep_for_what_the_one_before_has_slept(*, kept: bool) -> None:
    @dataclass
    class Patient(Work):
        retry = RetryPolicy(delay=0)

    async def do(ctx: Ctx) -> None:
        await ctx.sleep(10)
        if ctx.attempt < 3:
            raise ConnectionError

    clock, patient = HandClock(), Graph(nodes=[Patient], name="work")
    scheduler = Scheduler(MemoryStore() if kept else None, clock)
    await patient.run(Patient(), state=Notes(), deps=do, scheduler=scheduler)
    assert clock.ticks == 10


@dataclass
class Begin(BaseNode[Notes, Any, list[str]]):
    naps: list[float]

    async def run(self, ctx: GraphRunContext[Notes, Any]) -> Fork[Nap, Gather]:
        return Fork([Nap(seconds) for seconds in self.naps], join=Gather)


@dataclass
class Nap(BaseNode[Notes, Any]):
    seconds: float

    async def run(self, ctx: GraphRunContext[Notes, Any]) -> Nap | Join[str]:
        called: list[str] = ctx.deps
        await ctx.once("before", called.append, f"before {ctx.branch}/{ctx.seq}")
        await ctx.sleep(self.seconds)
        await ctx.once("after", called.append, f"after {ctx.branch}/{ctx.seq}")
        ctx.state.written.append(Line("slept"))
        return Nap(self.seconds / 2) if ctx.seq == 0 else Join(f"{len(ctx.state.written)} of {self.seconds:.0f}")


@dataclass
class Gather(BaseNode[Notes, Any, list[str]]):
    values: list[str | BranchError]

    async def run(self, ctx: GraphRunContext[Notes, Any]) -> End[list[str]]:
        return End([str(value) for value in self.values])


forking: Graph[Notes, Any, list[str]] = Graph(nodes=(Begin, Nap, Gather), name="forking")


async def test_branches_sleep_until_the_earliest_wakes(store: Store) -> None:
    clock, called = HandClock(), list[str]()
    began = clock.seconds
    waits: list[float | None] = []
    which: Any = {"start_node": Begin([4 * DAY, DAY, 0]), "state": Notes(), "run_id": "r"}
    while True:
        try:
            done = await forking.run(**which, deps=called, scheduler=Scheduler(store, clock))
            break
        except RunWaiting:
            which = {"resume": "r"}
            until = (await store.load("r")).wake_at
            assert until is not None
            waits.append(until - began)
            clock.seconds = until
    assert done.output == [f"2 of {2 * DAY:.0f}", f"2 of {DAY / 2:.0f}", "2 of 0"]
    assert waits == [DAY, 1.5 * DAY, 4 * DAY, 6 * DAY]
    assert len(called) == len(set(called)) == 12


@dataclass
class Fan(BaseNode[Notes, Any, list[str]]):
    async def run(self, ctx: GraphRunContext[Notes, Any]) -> Fork[Either, Gather]:
        return Fork([Either(), Either()], join=Gather)


@dataclass
class Either(BaseNode[Notes, Any]):
    """Asks in the first branch, and sleeps in both."""

    async def run(self, ctx: GraphRunContext[Notes, Any]) -> Join[str]:
        asked = [Once[Any]("ask", ctx.wait_for, ["q"])] if ctx.branch == "0:0" else []
        await ctx.once_all([*asked, Once[Any]("nap", ctx.sleep, [DAY], identity="nap")])
        return Join(ctx.branch)


async def test_a_branch_that_asks_and_sleeps_finds_that_its_time_has_come(store: Store) -> None:
    clock, fan = HandClock(), Graph(nodes=(Fan, Either, Gather), name="fan")
    scheduler = Scheduler(store, clock)
    with pytest.raises(RunWaiting, match="or until"):
        await fan.run(Fan(), state=Notes(), scheduler=scheduler, run_id="r")
    clock.seconds += DAY
    with pytest.raises(RunWaiting, match="1 answer") as caught:
        await fan.run(resume="r", scheduler=scheduler)
    assert caught.value.wake_at is None
    assert ((await store.load("r")).wake_at, [each.seq for each in await store.branches("r")]) == (None, [0, 1])
    await store.answer("r", "q", "yes")
    assert (await fan.run(resume="r", scheduler=scheduler)).output == ["0:0", "0:1"]


@pytest.mark.parametrize(("began", "is_due"), [(1e6, True), (4e9, False)])  # 1970 and 2096
async def test_a_run_that_sleeps_is_stepped_when_it_is_due(store: Store, began: float, *, is_due: bool) -> None:
    with pytest.raises(RunWaiting):
        await begin(store, HandClock(began), sleeping(DAY))
    with nullcontext() if is_due else pytest.raises(RunWaiting):
        await graph.step("r", deps=sleeping(DAY), store=store)
    assert (await store.load("r")).status is (Status.SUCCEEDED if is_due else Status.WAITING)


async def lived(naps: list[float], kills: list[int]) -> tuple[list[str], list[str]]:
    """What a run ends with whose processes die at some of their writes, resumed too early and too late."""
    clock, called, store = HandClock(), list[str](), Dying(10**9)
    which: Any = {"start_node": Begin(naps), "state": Notes(), "run_id": "r"}
    for _ in range(100):
        store.left = kills.pop() if kills else 10**9
        try:
            done = await forking.run(**which, deps=called, scheduler=Scheduler(store, clock))
        except (Killed, BaseExceptionGroup):
            await store.bury()
        except RunWaiting:
            clock.seconds += DAY / 3
        else:
            return done.output, called
        which = {"resume": "r"}
    raise AssertionError


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([0.0, 5.0, DAY / 4, DAY, 2.5 * DAY]), min_size=1, max_size=4),
    st.lists(st.integers(1, 12), max_size=4),
)
def test_however_sleepers_are_killed_and_woken_they_end_as_if_nothing_was(naps: list[float], kills: list[int]) -> None:
    async def check() -> None:
        output, called = await lived(naps, [*kills])
        assert output == [f"2 of {seconds / 2:.0f}" for seconds in naps]
        assert len(set(called)) == 4 * len(naps)
        assert len(called) <= 4 * len(naps) + len(kills) * len(naps)  # a call whose row was not written is made again

    anyio.run(check)
