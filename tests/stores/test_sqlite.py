"""The SQLite store: its file, its one writer, its leases."""

from __future__ import annotations

import gc
import sqlite3
import stat
import struct
import weakref
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from agentgraph.exceptions import RunFenced, StoreError
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import OPENING, RunRecord
from agentgraph.stores import SQLiteStore
from agentgraph.stores.samples import HandClock, call, new_run, next_commit, settlement
from agentgraph.stores.sqlite_file import File
from agentgraph.stores.sqlite_schema import FORMAT

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    made = SQLiteStore(tmp_path / "r.db")
    yield made
    await made.aclose()


def read(path: Path, query: str) -> list[tuple[Any, ...]]:  # columns of any type
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def transactions(path: Path) -> int:
    """How many transactions the write-ahead log holds: the last frame of each tells the size of the database."""
    log = path.with_name(path.name + "-wal").read_bytes()
    (page_size,) = struct.unpack_from(">I", log, 8)
    frames = range(32, len(log), 24 + page_size)
    return sum(struct.unpack_from(">I", log, frame + 4)[0] > 0 for frame in frames)


async def test_a_new_file_is_its_owners_alone(store: SQLiteStore) -> None:
    await store.create(new_run())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.path.parent.iterdir()}
    assert modes == {"r.db": 0o600, "r.db-wal": 0o600, "r.db-shm": 0o600}


async def test_the_mode_of_an_existing_file_is_its_owners_affair(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    path.touch(0o640)
    path.chmod(0o640)
    await SQLiteStore(path).aclose()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_the_file_is_ours_and_has_a_write_ahead_log(store: SQLiteStore) -> None:
    assert read(store.path, "PRAGMA journal_mode") == [("wal",)]
    assert read(store.path, "SELECT value FROM meta WHERE name = 'format'") == [(str(FORMAT),)]
    assert read(store.path, "PRAGMA application_id") != [(0,)]


@pytest.mark.parametrize(("synchronous", "found"), [("FULL", 2), ("NORMAL", 1)])
def test_the_file_is_flushed_as_asked(tmp_path: Path, synchronous: Literal["FULL", "NORMAL"], found: int) -> None:
    with closing(File(tmp_path / "r.db", synchronous, 5).open()) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (found,)
    assert SQLiteStore(tmp_path / "other.db").settings[1] == "FULL"  # unless somebody asks


async def test_runs_survive_the_store(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db")
    run = await store.create(new_run(agent="a", conversation="c", parent="p"))
    await store.journal("r", run.epoch, call(0))
    await store.settle(settlement(run, Event.FAIL, error="why"))
    kept = await store.load("r"), await store.steps("r"), await store.calls("r"), await store.list()
    await store.aclose()
    again = SQLiteStore(tmp_path / "r.db")
    assert (await again.load("r"), await again.steps("r"), await again.calls("r"), await again.list()) == kept
    await again.aclose()


async def test_steps_that_come_at_once_share_a_transaction(store: SQLiteStore) -> None:
    runs = [await store.create(new_run(f"r{n}")) for n in range(50)]
    before = transactions(store.path)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # in the writer's way until all have queued
        async with anyio.create_task_group() as group:
            for run in runs:
                group.start_soon(store.commit, next_commit(run))
            await anyio.wait_all_tasks_blocked()
            other.execute("ROLLBACK")
    assert transactions(store.path) - before <= 2
    assert [run.seq for run in await store.list()] == [1] * 50


async def test_a_refused_item_fails_alone(store: SQLiteStore) -> None:
    runs = [await store.create(new_run(f"r{n}")) for n in range(10)]
    await store.commit(next_commit(runs[3]))
    fenced: list[str | None] = []

    async def work(run: RunRecord) -> None:
        try:
            await store.commit(next_commit(run))
        except RunFenced as error:
            fenced.append(error.run_id)

    async with anyio.create_task_group() as group:
        for run in runs:
            group.start_soon(work, run)
    assert fenced == ["r3"]
    assert {run.seq for run in await store.list()} == {1}


async def test_an_item_that_breaks_is_undone_and_the_others_go_through(store: SQLiteStore) -> None:
    runs = [await store.create(new_run(f"r{n}")) for n in range(10)]
    # A row that stands in the way of one step: its UPDATE succeeds, its INSERT does not.
    with closing(sqlite3.connect(store.path)) as other, other:
        other.execute(
            "INSERT INTO steps SELECT run_id, branch, 0, node, outcome, body, state, usage, attempt, started_at,"
            " ended_at, owner FROM steps WHERE run_id = 'r4'"
        )
    failed: list[StoreError] = []

    async def work(run: RunRecord) -> None:
        try:
            await store.commit(next_commit(run))
        except StoreError as error:
            failed.append(error)

    async with anyio.create_task_group() as group:
        for run in runs:
            group.start_soon(work, run)
    assert [error.run_id for error in failed] == ["r4"]
    assert {run.run_id: run.seq for run in await store.list()} == {f"r{n}": int(n != 4) for n in range(10)}


async def test_an_answer_comes_after_the_commit(store: SQLiteStore) -> None:
    run = await store.create(new_run())
    await store.commit(next_commit(run))
    assert read(store.path, "SELECT max(seq) FROM steps") == [(0,)]


async def test_who_is_cancelled_while_claiming_holds_nothing(store: SQLiteStore) -> None:
    await store.settle(settlement(await store.create(new_run()), Event.RELEASE))
    with anyio.CancelScope() as claiming:
        claiming.cancel()
        await store.claim("r")
    with anyio.CancelScope() as creating:
        creating.cancel()
        await store.create(new_run("other"))
    assert claiming.cancelled_caught
    assert creating.cancelled_caught
    run = await store.claim("r")
    assert (run.status, run.epoch) == (Status.RUNNING, 3)
    assert (await store.load("other")).status is Status.PENDING


async def test_who_is_cancelled_while_a_claim_is_refused_changes_nothing(store: SQLiteStore) -> None:
    held = await store.create(new_run())
    done = await store.create(new_run("done"))
    await store.commit(next_commit(done, Status.SUCCEEDED))
    for run_id in ("r", "done"):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.claim(run_id)
    assert await store.commit(next_commit(held)) is Status.RUNNING
    assert (await store.load("done")).status is Status.SUCCEEDED


async def test_who_is_cancelled_while_the_store_closes_gives_the_run_up(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db")
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other, anyio.CancelScope() as scope:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as group:
            group.start_soon(store.create, new_run())
            await anyio.wait_all_tasks_blocked()
            group.start_soon(store.aclose)
            while not store.closed:
                await anyio.lowlevel.checkpoint()
            scope.cancel()
            other.execute("ROLLBACK")
    assert read(store.path, "SELECT status, owner_pid FROM runs") == [("running", None)]


async def test_a_closed_store_refuses_everything(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db")
    run = await store.create(new_run())
    await store.aclose()
    assert store.closed
    await store.aclose()
    with pytest.raises(StoreError, match="open it again"):
        await store.commit(next_commit(run))
    for reading in (store.load("r"), store.steps("r"), store.calls("r"), store.list()):
        with pytest.raises(StoreError, match="was closed"):
            await reading


async def test_closing_writes_what_has_queued(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db")
    async with anyio.create_task_group() as group:
        for n in range(20):
            group.start_soon(store.create, new_run(f"r{n}"))
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        group.start_soon(store.aclose)
    assert read(store.path, "SELECT count(*), count(owner_pid) FROM runs") == [(20, 0)]


async def test_several_loops_and_threads_use_one_store(store: SQLiteStore) -> None:
    async def work(run_id: str) -> None:
        run = await store.create(new_run(run_id))
        await store.commit(next_commit(run, Status.SUCCEEDED))

    async def work_elsewhere(run_id: str, backend: str) -> None:
        await anyio.to_thread.run_sync(lambda: anyio.run(work, run_id, backend=backend))

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(work_elsewhere, f"r{number}", ("asyncio", "trio")[number % 2])
        await work("here")
    assert [run.status for run in await store.list()] == [Status.SUCCEEDED] * 5


async def test_reads_run_side_by_side(store: SQLiteStore) -> None:
    await store.create(new_run())
    found: list[int] = []

    async def work() -> None:
        found.append(len(await store.steps("r")))

    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(work)
    assert found == [1] * 30


async def test_leases_are_renewed_with_whatever_is_written(tmp_path: Path) -> None:
    clock = HandClock()
    store = SQLiteStore(tmp_path / "r.db", clock=clock, lease=15)
    for n in range(3):
        await store.create(new_run(f"r{n}"))
    clock.seconds, clock.ticks = clock.seconds + 4, 4.0
    await store.create(new_run("early"))
    assert (await store.load("r0")).lease_until == clock.seconds - 4 + 15
    clock.seconds, clock.ticks = clock.seconds + 1, 5.0
    await store.create(new_run("due"))
    assert {run.lease_until for run in await store.list()} == {clock.seconds + 15}
    await store.aclose()


async def test_a_lost_run_is_not_renewed(tmp_path: Path) -> None:
    clock = HandClock()
    stale, owner = SQLiteStore(tmp_path / "r.db", clock=clock), SQLiteStore(tmp_path / "r.db", clock=clock)
    await stale.create(new_run())
    clock.seconds += 15
    await owner.claim("r")
    taken = await owner.load("r")
    await owner.aclose()
    clock.ticks += 100
    await stale.create(new_run("other"))
    given_up = replace(taken, owner=None, lease_until=clock.seconds)
    assert await stale.load("r") == given_up
    await stale.aclose()
    again = SQLiteStore(tmp_path / "r.db", clock=clock)
    assert await again.load("r") == given_up
    await again.aclose()


async def test_leases_are_renewed_when_nothing_is_written(tmp_path: Path) -> None:
    store, other = SQLiteStore(tmp_path / "r.db", lease=0.9), SQLiteStore(tmp_path / "r.db")
    first = await store.create(new_run())
    while (await other.load("r")).lease_until <= first.lease_until:
        await anyio.lowlevel.checkpoint()
    await store.aclose()
    await other.aclose()


async def test_times_are_those_of_the_clock(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db", clock=HandClock(datetime(2030, 1, 2, tzinfo=UTC).timestamp()))
    run = await store.create(new_run())
    assert datetime.fromtimestamp(run.created_at, UTC) == datetime(2030, 1, 2, tzinfo=UTC)
    assert (await store.steps("r"))[0].seq == OPENING
    await store.aclose()


class BrokenClock(HandClock):
    broken = False

    def now(self) -> datetime:
        if self.broken:
            self.broken = False
            raise OverflowError("no such time")
        return super().now()


async def test_a_write_fails_with_whatever_breaks_it(tmp_path: Path) -> None:
    clock = BrokenClock()
    store = SQLiteStore(tmp_path / "r.db", clock=clock)
    run = await store.create(new_run())
    clock.broken = True
    with pytest.raises(OverflowError):
        await store.commit(next_commit(run))
    assert await store.commit(next_commit(run)) is Status.RUNNING
    await store.aclose()


class ForgettingClock(HandClock):
    """Holds the last reference to a store and drops it in the store's own thread."""

    def __init__(self) -> None:
        super().__init__()
        self.last: list[SQLiteStore] = []
        self.forgetting = False

    def monotonic(self) -> float:
        if self.forgetting:
            self.last.clear()
            gc.collect()
        return super().monotonic()


async def test_a_store_may_be_forgotten_in_its_own_thread(tmp_path: Path) -> None:
    clock = ForgettingClock()
    clock.last.append(SQLiteStore(tmp_path / "r.db", clock=clock, lease=0.01))
    path, gone = clock.last[0].path, weakref.ref(clock.last[0])
    await clock.last[0].create(new_run())
    clock.forgetting = True
    while read(path, "SELECT owner_pid FROM runs") != [(None,)]:
        await anyio.lowlevel.checkpoint()
    assert gone() is None
