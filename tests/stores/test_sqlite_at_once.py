"""Writes that need no flush, done by who asks for them instead of the thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from agentgraph.exceptions import RunFenced, StoreError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import EventKind, EventRecord
from agentgraph.stores import SQLiteStore
from agentgraph.stores.samples import HandClock, new_run, next_commit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    made = SQLiteStore(tmp_path / "r.db", synchronous="NORMAL")
    yield made
    await made.aclose()


async def test_who_finds_the_file_locked_waits_in_the_queue(store: SQLiteStore) -> None:
    run = await store.create(new_run())
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as group:
            group.start_soon(store.commit, next_commit(run))
            await anyio.wait_all_tasks_blocked()  # the event loop goes on
            other.execute("ROLLBACK")
    assert (await store.load("r")).seq == 1


async def test_what_has_queued_before_is_written_before(store: SQLiteStore) -> None:
    run = await store.create(new_run())
    for n in range(50):
        store.tell("r", run.epoch, EventRecord(seq=n, attempt=1, n=0, kind=EventKind.EMITTED, body=b"1"))
        await store.commit(next_commit(run))
        run = await store.load("r")
    assert [event.seq for event in await store.events("r")] == [*range(50)]


async def test_a_refused_write_leaves_nothing_behind(store: SQLiteStore) -> None:
    run = await store.create(new_run())
    await store.commit(next_commit(run))
    with pytest.raises(RunFenced):
        await store.commit(next_commit(run))
    assert (await store.load("r")).seq == 1


async def test_the_first_claim_wakes_the_thread_that_renews_it(tmp_path: Path) -> None:
    store, other = SQLiteStore(tmp_path / "r.db", lease=0.9, synchronous="NORMAL"), SQLiteStore(tmp_path / "r.db")
    first = await store.create(new_run())
    while (await other.load("r")).lease_until <= first.lease_until:
        await anyio.lowlevel.checkpoint()
    await store.aclose()
    await other.aclose()


async def test_leases_that_are_due_are_renewed_with_the_next_write(tmp_path: Path) -> None:
    clock = HandClock()
    store = SQLiteStore(tmp_path / "r.db", clock=clock, lease=15, synchronous="NORMAL")
    run = await store.create(new_run())
    clock.seconds, clock.ticks = clock.seconds + 5, 5.0
    await store.commit(next_commit(run))
    assert (await store.load("r")).lease_until == clock.seconds + 15
    await store.aclose()


async def test_the_log_is_folded_into_the_file_by_the_thread(store: SQLiteStore) -> None:
    run = await store.create(new_run())
    log = store.path.with_name("r.db-wal")
    for _ in range(800):
        await store.commit(next_commit(run))
        run = await store.load("r")
    assert log.stat().st_size < 2 * 1000 * 4120


async def test_many_loops_and_threads_write_at_once(store: SQLiteStore) -> None:
    async def work(run_id: str) -> None:
        run = await store.create(new_run(run_id))
        for _ in range(20):
            await store.commit(next_commit(run))
            run = await store.load(run_id)
        await store.commit(next_commit(run, Status.SUCCEEDED))

    threads = [threading.Thread(target=anyio.run, args=(work, f"r{n}")) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await anyio.to_thread.run_sync(thread.join)
    assert {(run.status, run.seq) for run in await store.list()} == {(Status.SUCCEEDED, 21)}


async def test_a_closed_store_writes_nothing_at_once(store: SQLiteStore) -> None:
    run = await store.create(new_run())
    await store.aclose()
    with pytest.raises(StoreError, match="was closed"):
        await store.commit(next_commit(run))
