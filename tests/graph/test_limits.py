"""How many runs are executed at once, and how often nodes and models may begin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings, strategies as st

from agentgraph import Agent
from agentgraph.clock import Clock
from agentgraph.exceptions import DeadlineExceeded, GraphSetupError, RunWaiting, UserError
from agentgraph.graph import (
    BaseNode,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    RateLimit,
    RetryPolicy,
    Scheduler,
    Status,
)
from agentgraph.models.limited import RateLimitedModel
from agentgraph.models.test import TestModel
from agentgraph.stores import MemoryStore, SQLiteStore
from agentgraph.stores.samples import HandClock

pytestmark = pytest.mark.anyio


@dataclass
class Room:
    """Deps: who is in it."""

    active: int = 0
    most: int = 0
    order: list[int] = field(default_factory=list[int])
    lock: threading.Lock = field(default_factory=threading.Lock)

    async def visit(self, number: int) -> None:
        with self.lock:
            self.active += 1
            self.most = max(self.most, self.active)
            self.order.append(number)
        for _ in range(3):
            await checkpoint()
        with self.lock:
            self.active -= 1


@dataclass
class Visit(BaseNode[None, Room, int]):
    number: int
    again: bool = True

    async def run(self, ctx: GraphRunContext[None, Room]) -> Visit | End[int]:
        await ctx.deps.visit(self.number)
        return Visit(self.number, again=False) if self.again else End(self.number)


visiting: Graph[None, Room, int] = Graph(nodes=(Visit,), name="visiting")


@pytest.mark.parametrize("limit", [1, 2, 5, None])
async def test_no_more_runs_are_executed_than_the_scheduler_allows(limit: int | None) -> None:
    scheduler, room = Scheduler(MemoryStore(), limit=limit), Room()
    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(lambda n: visiting.run(Visit(n), deps=room, scheduler=scheduler), number)
    assert room.most == (limit or 5)
    assert sorted(room.order) == sorted([*range(5)] * 2)


async def test_who_came_first_is_served_first() -> None:
    scheduler, room = Scheduler(limit=1), Room()

    async def visit(number: int) -> None:
        await visiting.run(Visit(number), deps=room, scheduler=scheduler)

    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(visit, number)
            for _ in range(2):
                await checkpoint()  # it asks before the next one does
    assert room.order == [number for number in range(5) for _ in range(2)]


def test_a_limit_holds_across_threads_and_event_loops() -> None:
    scheduler, room = Scheduler(MemoryStore(), limit=2), Room()

    def work(number: int) -> None:
        anyio.run(lambda: visiting.run(Visit(number), deps=room, scheduler=scheduler))

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(room.order), room.active) == (12, 0)
    assert room.most <= 2


async def test_who_is_cancelled_while_it_waits_leaves_the_line() -> None:
    store, room = MemoryStore(), Room()
    scheduler = Scheduler(store, limit=1)
    async with visiting.iter(Visit(0), deps=room, scheduler=scheduler) as first:
        with anyio.move_on_after(0.01):
            await visiting.run(Visit(1), deps=room, scheduler=scheduler, run_id="never")
        assert await store.list() == [await store.load(first.run_id)]  # what waits is not even written
        async for _ in first:
            pass
    await visiting.run(Visit(2), deps=room, scheduler=scheduler)
    assert room.order == [0, 0, 2, 2]


async def test_a_place_that_comes_with_the_cancellation_is_handed_on() -> None:
    scheduler, room = Scheduler(limit=1), Room()
    scope = anyio.CancelScope()

    async def visit() -> None:
        with scope:
            await visiting.run(Visit(1), deps=room, scheduler=scheduler)

    async with anyio.create_task_group() as group:
        async with visiting.iter(Visit(0), deps=room, scheduler=scheduler):
            group.start_soon(visit)
            for _ in range(3):
                await checkpoint()
        scope.cancel()  # it has the place by now, and has not run since
    await visiting.run(Visit(2), deps=room, scheduler=scheduler)
    assert room.order == [2, 2]


@dataclass
class Above(BaseNode[None, Room, int]):
    async def run(self, ctx: GraphRunContext[None, Room]) -> End[int]:
        agent = Agent(TestModel(custom_result_text="1"))
        said = await ctx.run(agent, "hello")
        return End(int(said.data) + (await ctx.run(visiting, Visit(1), deps=ctx.deps)).output)


async def test_a_child_uses_the_place_of_its_parent() -> None:
    above: Graph[None, Room, int] = Graph(nodes=(Above,), name="above")
    assert (await above.run(Above(), deps=Room(), scheduler=Scheduler(MemoryStore(), limit=1))).output == 2


@dataclass
class Ask(BaseNode[None, None, str]):
    async def run(self, ctx: GraphRunContext) -> End[str]:
        return End(str(await ctx.wait_for("q")))


async def test_a_run_that_sleeps_or_fails_frees_its_place() -> None:
    store = MemoryStore()
    asking, scheduler = Graph(nodes=(Ask,), name="asking"), Scheduler(store, limit=1)
    for run_id in ("a", "b"):
        with pytest.raises(RunWaiting):
            await asking.run(Ask(), scheduler=scheduler, run_id=run_id)
    with pytest.raises(UserError):
        await asking.run(scheduler=scheduler)
    await store.answer("a", "q", "yes")
    assert (await asking.run(resume="a", scheduler=scheduler)).output == "yes"


async def test_agents_share_a_scheduler(tmp_path: Any) -> None:
    scheduler = Scheduler(store := SQLiteStore(tmp_path / "runs.db"), limit=1)
    agent = Agent(TestModel())
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(lambda n: agent.run("hello", scheduler=scheduler, run_id=f"r{n}"), number)
    runs = sorted(await store.list(), key=lambda run: run.created_at)
    assert [run.status for run in runs] == [Status.SUCCEEDED] * 3
    assert all(before.updated_at <= after.created_at for before, after in pairwise(runs))
    with pytest.raises(UserError, match="leave `store` or `scheduler` out"):
        await agent.run("hello", scheduler=scheduler, store=store)
    async with agent.run_stream(resume="r0", scheduler=Scheduler(store)) as response:
        assert await response.get_data() == "success (no tool calls)"
    await store.aclose()


def test_a_limit_that_lets_nothing_run_is_refused() -> None:
    with pytest.raises(UserError, match="give `limit` a number above 0"):
        Scheduler(limit=0)


# Rates: every test has a key of its own, for limits with one key are one.


@dataclass
class Called(BaseNode[None, Any, int]):
    left: int
    rate = RateLimit("called", 3, per=10)

    async def run(self, ctx: GraphRunContext[None, Any]) -> Called | End[int]:
        ctx.deps.append(ctx.clock.monotonic())
        return Called(self.left - 1) if self.left > 1 else End(0)


async def test_a_node_waits_for_its_rate() -> None:
    calling: Graph[None, Any, int] = Graph(nodes=(Called,), name="calling")
    times: list[float] = []
    clock = HandClock()
    await calling.run(Called(7), deps=times, scheduler=Scheduler(None, clock))
    assert times == [0, 0, 0, 10, 10, 10, 20]


@dataclass
class Begin(BaseNode[None, Any, int]):
    async def run(self, ctx: GraphRunContext[None, Any]) -> Fork[Hurry, Gather]:
        return Fork([Hurry(number) for number in range(5)], join=Gather)


@dataclass
class Hurry(BaseNode[None, Any]):
    number: int
    rate = RateLimit("hurry", 2, per=1)
    timeout = 5
    retry = RetryPolicy(delay=0)

    async def run(self, ctx: GraphRunContext[None, Any]) -> Join[int]:
        ctx.deps.append(ctx.clock.monotonic())
        if ctx.attempt == 1 and self.number == 0:
            raise ConnectionError
        return Join(self.number)


@dataclass
class Gather(BaseNode[None, Any, int]):
    values: list[int]

    async def run(self, ctx: GraphRunContext[None, Any]) -> End[int]:
        return End(sum(self.values))


async def test_branches_and_attempts_share_the_rate_of_their_class() -> None:
    hurrying: Graph[None, Any, int] = Graph(nodes=(Begin, Hurry, Gather), name="hurrying")
    times: list[float] = []
    done = await hurrying.run(Begin(), deps=times, scheduler=Scheduler(MemoryStore(), HandClock()))
    assert (done.output, times) == (10, [0, 0, 1, 1, 2, 2])


@dataclass
class Rare(BaseNode[None, None, int]):
    rate = RateLimit("rare", 1, per=1000)

    async def run(self, ctx: GraphRunContext) -> End[int]:
        return End(1)


rare = Graph(nodes=(Rare,), name="rare")


async def test_a_deadline_that_passes_in_the_wait_is_over() -> None:
    scheduler = Scheduler(None, HandClock())
    await rare.run(Rare(), scheduler=scheduler)
    with pytest.raises(DeadlineExceeded):
        await rare.run(Rare(), scheduler=scheduler, deadline=50.0)


async def test_a_deadline_cuts_the_wait() -> None:
    with anyio.move_on_after(0.01):
        await rare.run(Rare())  # the other event loop may have been here
    with pytest.raises(DeadlineExceeded):
        await rare.run(Rare(), deadline=0.01)


class Late(HandClock):
    """Whose sleeps take as long as it is told to, in turns of the event loop."""

    async def sleep(self, seconds: float) -> None:
        until = self.ticks + seconds
        while self.ticks < until:
            await checkpoint()


@settings(max_examples=60)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from([0.0, 0.5, 3.0]), st.booleans()), min_size=1, max_size=12),
    st.integers(0, 10**9),
)
def test_no_window_holds_more_than_the_limit_and_the_order_is_kept(
    limit: int, arrivals: list[tuple[float, bool]], key: int
) -> None:
    """Of each who arrives it is known how much later than the one before, and whether it gives up at once."""
    begun: list[tuple[int, float]] = []
    rate, clock = RateLimit(f"{key}/{limit}/{len(arrivals)}", limit, per=2.0), Late()

    async def call(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            await rate.wait(clock)
            begun.append((number, clock.ticks))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number, (pause, gives_up) in enumerate(arrivals):
                clock.ticks += pause
                scope = anyio.CancelScope()
                group.start_soon(call, number, scope)
                for _ in range(5):
                    await checkpoint()
                if gives_up:
                    scope.cancel()
            for _ in range(len(arrivals) * 40):
                clock.ticks += 0.25
                for _ in range(5):
                    await checkpoint()

    anyio.run(main)
    times = [time for _, time in begun]
    assert [number for number, _ in begun] == sorted(number for number, _ in begun)
    assert all(later - earlier >= 2.0 for earlier, later in zip(times, times[limit:], strict=False))
    assert {number for number, (_, gives_up) in enumerate(arrivals) if not gives_up} <= {number for number, _ in begun}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_waits_for_its_rate(*, stream: bool) -> None:
    clock: Clock = HandClock()
    agent = Agent(RateLimitedModel(TestModel(), RateLimit(f"model {stream}", 2, per=60), clock=clock))
    for _ in range(3):
        if stream:
            async with agent.run_stream("hello") as response:
                await response.get_data()
        else:
            await agent.run("hello")
    assert clock.monotonic() == 60


WRONG: list[Callable[[], object]] = [lambda: RateLimit("k", 0), lambda: RateLimit("k", 1, per=0)]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_rate_that_makes_no_sense_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(UserError, match="makes no sense"):
        wrong()


def test_the_graph_names_a_rate_that_is_none() -> None:
    @dataclass
    class Wrong(BaseNode[None, None, int]):
        rate: ClassVar[Any] = 3

        async def run(self, ctx: GraphRunContext) -> End[int]:
            raise NotImplementedError

    with pytest.raises(GraphSetupError, match=r"Wrong\.rate is no RateLimit"):
        Graph(nodes=(Wrong,))
