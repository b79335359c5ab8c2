"""The PostgreSQL store: its one writer, its leases by the server's clock."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from agentgraph.exceptions import RunBusy, RunExists, RunFenced, RunNotFound, StoreError, UserError
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import OPENING, JournalKind, RunRecord
from agentgraph.stores import PostgresStore
from agentgraph.stores.postgres_database import Database
from agentgraph.stores.samples import HandClock, call, new_run, next_commit, settlement
from tests.stores.places import DatabasePlace

pytestmark = pytest.mark.anyio


@contextmanager
def locked(place: DatabasePlace) -> Generator[None]:
    """Nobody can write a run meanwhile."""
    with place.connect() as other, other.transaction():
        other.execute("LOCK TABLE runs IN EXCLUSIVE MODE")
        yield


async def test_runs_survive_the_store(place: DatabasePlace) -> None:
    store = place.open()
    run = await store.create(new_run(agent="a", conversation="c", parent="p"))
    await store.journal("r", run.epoch, call(0))
    await store.settle(settlement(run, Event.FAIL, error="why"))
    kept = await store.load("r"), await store.steps("r"), await store.calls("r"), await store.list()
    await store.aclose()
    again = place.open()
    assert (await again.load("r"), await again.steps("r"), await again.calls("r"), await again.list()) == kept
    await again.aclose()


async def test_times_are_those_of_the_server(place: DatabasePlace, database: PostgresStore) -> None:
    with place.connect() as connection:
        before = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
        run = await database.create(new_run())
        after = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    assert before is not None
    assert after is not None
    assert before < (run.created_at,) < after
    assert run.lease_until == pytest.approx(run.created_at + 15)


async def test_steps_that_come_at_once_share_a_transaction(place: DatabasePlace, database: PostgresStore) -> None:
    runs = [await database.create(new_run(f"r{n}")) for n in range(50)]
    async with anyio.create_task_group() as group:
        with locked(place):
            for run in runs:
                group.start_soon(database.commit, next_commit(run))
            await anyio.wait_all_tasks_blocked()
    with place.connect() as connection:
        transactions = connection.execute("SELECT DISTINCT xmin::text FROM steps WHERE seq = 0").fetchall()
    assert len(transactions) <= 2
    assert [run.seq for run in await database.list()] == [1] * 50


async def test_all_kinds_of_writes_share_a_transaction(place: DatabasePlace, database: PostgresStore) -> None:
    runs = [await database.create(new_run(f"r{n}")) for n in range(4)]
    async with anyio.create_task_group() as group:
        with locked(place):
            group.start_soon(database.commit, next_commit(runs[0]))
            await anyio.wait_all_tasks_blocked()
            for key in "abc":
                group.start_soon(database.journal, "r1", 1, call(0, key))
            group.start_soon(database.settle, settlement(runs[2], Event.FAIL, error="why", journal=[call(0), call(0)]))
            group.start_soon(database.commit, next_commit(runs[3], Status.SUCCEEDED))
            group.start_soon(database.create, new_run("new"))
            group.start_soon(database.cancel, "r0")
            await anyio.wait_all_tasks_blocked()
    found = {run.run_id: (run.status, run.seq) for run in await database.list()}
    assert found == {
        "r0": (Status.RUNNING, 1),
        "r1": (Status.RUNNING, 0),
        "r2": (Status.FAILED, 0),
        "r3": (Status.SUCCEEDED, 1),
        "new": (Status.RUNNING, 0),
    }
    assert sorted(record.key for record in await database.calls("r1")) == ["a", "b", "c"]
    assert await database.calls("r2") == [call(0)]
    assert await database.commit(next_commit(await database.load("r0"))) is Status.CANCELLED


async def test_what_belongs_to_one_run_stays_in_order(place: DatabasePlace, database: PostgresStore) -> None:
    run = await database.create(new_run())
    other = await database.create(new_run("other"))
    async with anyio.create_task_group() as group:
        with locked(place):
            group.start_soon(database.commit, next_commit(other))
            await anyio.wait_all_tasks_blocked()
            group.start_soon(database.commit, next_commit(run))
            await anyio.wait_all_tasks_blocked()
            group.start_soon(database.settle, settlement(replace(run, seq=1), Event.RELEASE))
            await anyio.wait_all_tasks_blocked()
            group.start_soon(database.claim, "r")
            await anyio.wait_all_tasks_blocked()
            group.start_soon(database.commit, next_commit(replace(run, seq=1, epoch=2)))
            await anyio.wait_all_tasks_blocked()
    after = await database.load("r")
    assert (after.seq, after.epoch, after.status) == (2, 2, Status.RUNNING)


async def test_a_refused_item_fails_alone(database: PostgresStore) -> None:
    runs = [await database.create(new_run(f"r{n}")) for n in range(10)]
    await database.commit(next_commit(runs[3]))
    fenced: list[str | None] = []

    async def work(run: RunRecord) -> None:
        try:
            await database.commit(next_commit(run))
        except RunFenced as error:
            fenced.append(error.run_id)

    async with anyio.create_task_group() as group:
        for run in runs:
            group.start_soon(work, run)
    assert fenced == ["r3"]
    assert {run.seq for run in await database.list()} == {1}


async def test_an_item_that_breaks_is_undone_and_the_others_go_through(
    place: DatabasePlace, database: PostgresStore
) -> None:
    runs = [await database.create(new_run(f"r{n}")) for n in range(10)]
    # A row that stands in the way of one step: its UPDATE succeeds, its INSERT does not.
    with place.connect() as other:
        other.execute("UPDATE steps SET seq = 0 WHERE run_id = 'r4'")
    failed: list[StoreError] = []

    async def work(run: RunRecord) -> None:
        try:
            await database.commit(next_commit(run))
        except StoreError as error:
            failed.append(error)

    async with anyio.create_task_group() as group:
        for run in runs:
            group.start_soon(work, run)
    assert [error.run_id for error in failed] == ["r4"]
    assert "Nothing was written: run 'r4' stands before step 0" in str(failed[0])
    assert {run.run_id: run.seq for run in await database.list()} == {f"r{n}": int(n != 4) for n in range(10)}


async def test_what_the_server_cannot_keep_is_refused(database: PostgresStore) -> None:
    with pytest.raises(StoreError, match="0x00"):
        await database.create(new_run("a\0b"))
    assert (await database.create(new_run())).epoch == 1


async def test_who_is_cancelled_while_claiming_holds_nothing(database: PostgresStore) -> None:
    await database.settle(settlement(await database.create(new_run()), Event.RELEASE))
    with anyio.CancelScope() as claiming:
        claiming.cancel()
        await database.claim("r")
    with anyio.CancelScope() as creating:
        creating.cancel()
        await database.create(new_run("other"))
    assert claiming.cancelled_caught
    assert creating.cancelled_caught
    run = await database.claim("r")
    assert (run.status, run.epoch) == (Status.RUNNING, 3)
    assert (await database.load("other")).status is Status.PENDING


async def test_who_is_cancelled_while_a_claim_is_refused_changes_nothing(database: PostgresStore) -> None:
    held = await database.create(new_run())
    done = await database.create(new_run("done"))
    await database.commit(next_commit(done, Status.SUCCEEDED))
    for run_id in ("r", "done"):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await database.claim(run_id)
    assert await database.commit(next_commit(held)) is Status.RUNNING
    assert (await database.load("done")).status is Status.SUCCEEDED


async def act_while_the_run_changes(place: DatabasePlace, act: Callable[[], Coroutine[object, object, object]]) -> None:
    """The store looks at the run, then it changes, then the store wants to write it."""
    with place.connect() as other:
        other.execute("BEGIN")
        other.execute("UPDATE runs SET lease_until = 1")
        async with anyio.create_task_group() as group:
            group.start_soon(act)
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"
            while not other.execute(waits).fetchall():
                await anyio.lowlevel.checkpoint()
            other.execute("COMMIT")


async def test_a_run_that_changes_while_it_is_claimed_is_looked_at_again(
    place: DatabasePlace, database: PostgresStore
) -> None:
    await database.settle(settlement(await database.create(new_run()), Event.RELEASE))
    await act_while_the_run_changes(place, partial(database.claim, "r"))
    assert (await database.load("r")).epoch == 2


async def test_a_run_that_changes_while_it_is_cancelled_is_looked_at_again(
    place: DatabasePlace, database: PostgresStore
) -> None:
    await database.settle(settlement(await database.create(new_run()), Event.RELEASE))
    await act_while_the_run_changes(place, partial(database.cancel, "r"))
    assert (await database.load("r")).status is Status.CANCELLED


async def test_an_answer_that_comes_before_the_question_is_stored_keeps_the_run_awake(database: PostgresStore) -> None:
    run = await database.create(new_run())
    asked = call(0, "q", JournalKind.ASKED)
    await database.journal("r", 1, asked)
    await database.answer("r", "/0/q", {"yes": True}, "d")
    asleep = replace(settlement(run, Event.WAIT), questions=[asked])
    assert await database.settle(asleep) is Status.RUNNING
    assert [(row.kind, row.value) for row in await database.calls("r")] == [(JournalKind.ANSWERED, b'{"yes":true}')]
    assert await database.commit(next_commit(run)) is Status.RUNNING


async def test_answers_and_sleep_are_refused_where_they_do_not_fit(database: PostgresStore) -> None:
    run = await database.create(new_run())
    with pytest.raises(UserError, match="no open question 'q'"):
        await database.answer("r", "q", 1)
    with pytest.raises(RunNotFound, match="'unknown' in PostgreSQL database"):
        await database.answer("unknown", "q", 1)
    with pytest.raises(RunFenced):
        await database.settle(replace(settlement(replace(run, epoch=7), Event.WAIT), questions=[call(0)]))
    with pytest.raises(RunFenced):
        await database.settle(replace(settlement(replace(run, run_id="no"), Event.WAIT), questions=[call(0)]))


async def test_one_of_many_takes_the_next_turn(place: DatabasePlace) -> None:
    stores = [place.open() for _ in range(4)]
    taken: list[str] = []

    async def work(n: int) -> None:
        with suppress(RunBusy):
            taken.append((await stores[n].create(new_run(f"r{n}", conversation="c"))).run_id)

    async with anyio.create_task_group() as group:
        for n in range(4):
            group.start_soon(work, n)
    assert taken == [run.run_id for run in await stores[0].list()]
    with pytest.raises(RunBusy):
        await stores[0].create(new_run("next", conversation="c"))
    await stores[0].commit(next_commit(await stores[0].load(taken[0])))
    for store in stores:
        await store.aclose()


async def test_a_fork_has_an_id_of_its_own(database: PostgresStore) -> None:
    await database.create(new_run())
    made = replace(new_run(), opening=None, status=Status.PENDING, calls=[call(0)])
    with pytest.raises(RunExists):
        await database.create(made)
    assert await database.calls("r") == []


async def test_a_closed_store_refuses_everything(place: DatabasePlace) -> None:
    store = place.open()
    run = await store.create(new_run())
    await store.aclose()
    assert store.closed
    await store.aclose()
    with pytest.raises(StoreError, match="open it again"):
        await store.commit(next_commit(run))
    for reading in (store.load("r"), store.steps("r"), store.calls("r"), store.list()):
        with pytest.raises(StoreError, match="was closed"):
            await reading


async def test_closing_writes_what_has_queued(place: DatabasePlace) -> None:
    store = place.open()
    async with anyio.create_task_group() as group:
        for n in range(20):
            group.start_soon(store.create, new_run(f"r{n}"))
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        group.start_soon(store.aclose)
    with place.connect() as connection:
        assert connection.execute("SELECT count(*), count(owner_pid) FROM runs").fetchall() == [(20, 0)]


async def test_several_loops_and_threads_use_one_store(database: PostgresStore) -> None:
    async def work(run_id: str) -> None:
        run = await database.create(new_run(run_id))
        await database.commit(next_commit(run, Status.SUCCEEDED))

    async def work_elsewhere(run_id: str, backend: str) -> None:
        await anyio.to_thread.run_sync(lambda: anyio.run(work, run_id, backend=backend))

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(work_elsewhere, f"r{number}", ("asyncio", "trio")[number % 2])
        await work("here")
    assert [run.status for run in await database.list()] == [Status.SUCCEEDED] * 5


async def test_reads_share_a_few_connections(place: DatabasePlace, database: PostgresStore) -> None:
    await database.create(new_run())
    found: list[int] = []

    async def work() -> None:
        found.append(len(await database.steps("r")))

    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(work)
    assert found == [1] * 30


async def test_leases_are_renewed_together(place: DatabasePlace) -> None:
    clock = HandClock()
    store = place.open(clock)
    for n in range(3):
        await store.create(new_run(f"r{n}"))
    clock.seconds, clock.ticks = clock.seconds + 4, 4.0
    await store.create(new_run("early"))
    assert (await store.load("r0")).lease_until == clock.seconds - 4 + 15
    clock.seconds, clock.ticks = clock.seconds + 1, 5.0
    await store.create(new_run("due"))
    assert {run.lease_until for run in await store.list()} == {clock.seconds + 15}
    await store.aclose()


async def test_a_lost_run_is_not_renewed(place: DatabasePlace) -> None:
    clock = HandClock()
    stale, owner = place.open(clock), place.open(clock)
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
    again = place.open(clock)
    assert await again.load("r") == given_up
    await again.aclose()


async def test_a_blocked_event_loop_loses_no_lease(place: DatabasePlace) -> None:
    store = place.open(lease=0.9)
    first = await store.create(new_run())
    with place.connect() as connection:
        renewed = "SELECT 1 FROM runs WHERE lease_until > %s"
        while not connection.execute(renewed, (first.lease_until,)).fetchall():
            pass  # the loop has no turn
    await store.aclose()


@pytest.mark.parametrize(("synchronous", "found"), [("FULL", "on"), ("NORMAL", "off")])
async def test_the_server_flushes_as_asked(place: DatabasePlace, synchronous: str, found: str) -> None:
    database = Database.at(place.server, place.schema, "FULL" if synchronous == "FULL" else "NORMAL")
    with database.open() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == (found,)


async def test_any_text_of_an_error_is_kept(database: PostgresStore) -> None:
    run = await database.create(new_run())
    await database.settle(settlement(run, Event.FAIL, error="a \0 and a \udc80"))
    assert (await database.load("r")).error == "a \\x00 and a \\udc80"


async def test_ids_of_all_kinds_are_kept(database: PostgresStore) -> None:
    for run_id in ("ä/1", "Z", "a", "'; DROP TABLE runs; --", "%s {schema}"):
        run = await database.create(new_run(run_id))
        assert await database.commit(next_commit(run)) is Status.RUNNING
        assert [step.seq for step in await database.steps(run_id)] == [OPENING, 0]


async def test_the_case_of_a_schema_matters(place: DatabasePlace) -> None:
    odd = replace(place, schema=f"{place.schema}_Größe")
    store = odd.open()
    run = await store.create(new_run())
    await store.commit(next_commit(run, Status.SUCCEEDED))
    assert [run.status for run in await store.list()] == [Status.SUCCEEDED]
    await store.aclose()
    odd.drop()


async def test_a_forgotten_store_goes_away(place: DatabasePlace) -> None:
    store = place.open()
    await store.create(new_run())
    await store.load("r")
    gone, writer = weakref.ref(store), f"agentgraph {store.place}"
    del store
    gc.collect()
    assert gone() is None
    for thread in threading.enumerate():  # it was closed by whichever thread collected it
        if thread.name == writer:
            thread.join()
    again = place.open()
    assert (await again.claim("r")).epoch == 2
    await again.aclose()
