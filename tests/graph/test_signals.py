"""Runs that are stopped in the middle of a step: cancelled elsewhere, taken over, or without a lease."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from agentgraph.exceptions import RunCancelled, RunFenced, StoreError
from agentgraph.graph import GraphRunContext, Signal, Status, Store
from agentgraph.stores import MemoryStore, SQLiteStore
from agentgraph.stores.samples import HandClock, new_run
from tests.graph.samples import ENTIRE, START, Add, Tally, tally
from tests.stores.places import DatabasePlace, database_place
from tests.stores.proxy import Proxy

pytestmark = pytest.mark.anyio

Do = Callable[[], Awaitable[object]]
Ctx = GraphRunContext[Tally, Any]


class Standstill:
    """Deps that stop a run for good in step 1, and have something done when it stands there."""

    def __init__(self, do: Do) -> None:
        self.do = do
        self.stopped = 0

    async def __call__(self, ctx: Ctx) -> None:
        if ctx.seq == 1 and not self.stopped:
            async with anyio.create_task_group() as group:
                group.start_soon(self._do)
                try:
                    await anyio.sleep_forever()
                finally:
                    self.stopped += 1

    async def _do(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.do()


async def run(store: Store, stand: Standstill) -> None:
    await tally.run(Add(START), state=Tally(), deps=stand, store=store, run_id="r")


async def step_by_step(store: Store, stand: Standstill) -> None:
    async with tally.iter(Add(START), state=Tally(), deps=stand, store=store, run_id="r") as going:
        await going.next()
        await going.next()


@pytest.mark.parametrize("door", [run, step_by_step])
async def test_a_run_cancelled_in_the_middle_of_a_step_stops_at_once(
    store: Store, door: Callable[[Store, Standstill], Awaitable[None]]
) -> None:
    stand = Standstill(lambda: store.cancel("r"))
    with pytest.raises(RunCancelled) as caught:
        await door(store, stand)
    record = await store.load("r")
    assert (caught.value.run_id, stand.stopped, record.status, record.seq) == ("r", 1, Status.CANCELLED, 1)
    assert (await tally.run(resume="r", deps=stand, store=store)).state.texts == ENTIRE


async def test_a_run_cancelled_by_another_process_stops_when_its_lease_is_renewed(tmp_path: Path) -> None:
    store, elsewhere = SQLiteStore(tmp_path / "r.db", lease=1.5), SQLiteStore(tmp_path / "r.db")
    with pytest.raises(RunCancelled):
        await run(store, Standstill(lambda: elsewhere.cancel("r")))
    assert (await elsewhere.load("r")).status is Status.CANCELLED
    await store.aclose()
    await elsewhere.aclose()


async def test_a_cancel_between_two_steps_keeps_the_next_one_from_beginning(store: Store) -> None:
    ran: list[int] = []

    async def note(ctx: Ctx) -> None:
        ran.append(ctx.seq)

    async with tally.iter(Add(START), state=Tally(), deps=note, store=store, run_id="r") as going:
        await going.next()
        await store.cancel("r")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RunCancelled):
            await going.next()
    assert (ran, (await store.load("r")).status) == ([], Status.CANCELLED)


async def test_a_node_that_ends_in_spite_of_a_cancel_is_committed(store: Store) -> None:
    async def stubborn(ctx: Ctx) -> None:
        if ctx.seq == 1:
            with anyio.CancelScope(shield=True):
                await store.cancel("r")
                await anyio.wait_all_tasks_blocked()

    with pytest.raises(RunCancelled):
        await tally.run(Add(START), state=Tally(), deps=stubborn, store=store, run_id="r")
    record = await store.load("r")
    assert (record.status, record.seq) == (Status.CANCELLED, 2)


@pytest.mark.parametrize("door", [run, step_by_step])
async def test_a_run_that_another_owner_has_stops_and_writes_nothing(
    tmp_path: Path, door: Callable[[Store, Standstill], Awaitable[None]]
) -> None:
    clock = HandClock()
    first, second = SQLiteStore(tmp_path / "r.db", clock=clock), SQLiteStore(tmp_path / "r.db", clock=clock)

    async def take_over() -> None:
        clock.seconds += 15
        await second.claim("r")
        clock.ticks += 5
        await first.create(new_run("other"))  # the leases are renewed with it

    stand = Standstill(take_over)
    with pytest.raises(RunFenced, match="run 'r' was taken over at or before step 1"):
        await door(first, stand)
    record = await second.load("r")
    assert (stand.stopped, record.status, record.epoch, record.seq) == (1, Status.RUNNING, 2, 1)
    await first.aclose()
    await second.aclose()


async def test_a_claim_that_a_closed_memory_store_gave_away_is_told_so() -> None:
    store = MemoryStore()
    rung: list[tuple[Signal, str]] = []
    run = await store.create(new_run())
    store.watch("r", run.epoch, lambda signal, place: rung.append((signal, place)))
    await store.aclose()
    await store.claim("r")
    assert rung == [(Signal.LOST, "this process's memory")]


async def test_an_owner_stops_when_its_file_cannot_be_written_for_a_lease(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db", lease=0.6)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:

        async def lock() -> None:
            other.execute("BEGIN IMMEDIATE")

        stand = Standstill(lock)
        with pytest.raises(StoreError, match=r"r\.db: the lease of run 'r' ran out in step 1") as caught:
            await run(store, stand)
        assert (caught.value.run_id, stand.stopped) == ("r", 1)
        other.execute("ROLLBACK")
    assert (await tally.run(resume="r", deps=stand, store=store)).state.texts == ENTIRE
    assert (await store.load("r")).status is Status.SUCCEEDED
    await store.aclose()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[DatabasePlace]:
    with database_place(tmp_path) as place:
        yield place


async def test_an_owner_stops_when_its_server_is_away_for_a_lease(place: DatabasePlace) -> None:
    from agentgraph.stores import PostgresStore

    with Proxy(place.server) as proxy:
        store = PostgresStore(proxy.url, schema=place.schema, lease=0.6, patience=10)

        async def lose() -> None:
            proxy.shut()

        stand = Standstill(lose)
        with pytest.raises(StoreError, match="the lease of run 'r' ran out in step 1"):
            await run(store, stand)
        assert stand.stopped == 1
        proxy.reopen()
        await store.aclose()
    async with aclosing(place.open()) as again:
        assert (await tally.run(resume="r", deps=stand, store=again)).state.texts == ENTIRE
