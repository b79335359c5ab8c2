"""Connections that are lost at any moment: nothing is lost, nothing is done twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial

import anyio
import anyio.lowlevel
import psycopg
import pytest

from agentgraph.exceptions import RunBusy, RunExists, RunFenced, RunNotFound, StoreError, UserError
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import JournalKind, JournalRecord, NewRun, RunFilter, StoredRun
from agentgraph.stores import PostgresStore
from agentgraph.stores.samples import HandClock, call, commit, new_run, next_commit, settlement
from tests.stores.places import DatabasePlace
from tests.stores.proxy import Proxy

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop will do: connections are lost in threads, which know none."""
    return "asyncio"


@pytest.fixture
def proxy(place: DatabasePlace) -> Iterator[Proxy]:
    with Proxy(place.server) as proxy:
        yield proxy


@pytest.fixture
async def store(place: DatabasePlace, proxy: Proxy) -> AsyncIterator[PostgresStore]:
    """A store whose connections can be lost."""
    made = PostgresStore(proxy.url, schema=place.schema)
    await warm_up(made)
    yield made
    proxy.reopen()
    await made.aclose()


def question(run_id: str) -> JournalRecord:
    about = b'{"run_id":"%s","key":"/0/q","about":"?"}' % run_id.encode()
    return replace(call(0, "q", JournalKind.ASKED, about), usage=b"{}")


async def warm_up(store: PostgresStore) -> None:
    """Say every sentence once: the server is asked to learn it before it hears it for the first time."""
    run = await store.create(new_run("warm"))
    await store.journal("warm", 1, call(0))
    await store.commit(next_commit(run))
    await store.cancel("warm")
    await store.settle(settlement(replace(run, seq=1), Event.RELEASE))
    await store.claim("warm")
    await store.commit(next_commit(replace(run, seq=1, epoch=2), Status.SUCCEEDED))
    asking = await store.create(replace(new_run("asking", conversation="warm"), calls=[call(0)]))
    await store.settle(replace(settlement(asking, Event.WAIT), questions=[question("asking")]))
    await store.answer("asking", "q", 1)
    await store.cancel("asking")
    await store.delete("asking")


def loses(request: pytest.FixtureRequest, proxy: Proxy) -> Callable[[], None]:
    return proxy.cut if request.param is None else partial(proxy.lose_answer, request.param)


@pytest.fixture(params=[None, 0, 1])
def lose(request: pytest.FixtureRequest, proxy: Proxy) -> Callable[[], None]:
    """Loses the connection before the server gets what is sent next, or before it delivers its n-th answer."""
    return loses(request, proxy)


@pytest.fixture(params=[None, *range(12)])
def lose_amidst(request: pytest.FixtureRequest, proxy: Proxy) -> Callable[[], None]:
    """The same, for what takes more answers."""
    return loses(request, proxy)


async def test_a_run_is_created_once(store: PostgresStore, lose: Callable[[], None]) -> None:
    lose()
    run = await store.create(new_run())
    assert (run.epoch, run.status) == (1, Status.RUNNING)
    lose()
    with pytest.raises(RunExists):
        await store.create(new_run())
    assert await store.commit(next_commit(run)) is Status.RUNNING


async def test_a_run_is_claimed_once(store: PostgresStore, lose: Callable[[], None]) -> None:
    await store.settle(settlement(await store.create(new_run()), Event.RELEASE))
    lose()
    run = await store.claim("r")
    assert (run.epoch, run.attempt) == (2, 2)
    assert await store.commit(next_commit(run)) is Status.RUNNING


@pytest.mark.parametrize("status", [Status.RUNNING, Status.SUCCEEDED])
async def test_a_step_is_committed_once(store: PostgresStore, lose: Callable[[], None], status: Status) -> None:
    run = await store.create(new_run())
    await store.journal("r", 1, call(0))
    lose()
    assert await store.commit(next_commit(run, status, journaled=True)) is status
    after = await store.load("r")
    assert (after.seq, after.status) == (1, status)
    assert [step.seq for step in await store.steps("r")] == [-1, 0]
    assert await store.calls("r") == []


async def test_a_cancel_is_not_lost_with_the_answer(store: PostgresStore, proxy: Proxy) -> None:
    run = await store.create(new_run())
    proxy.lose_answer()
    assert await store.cancel("r") is Status.RUNNING
    proxy.lose_answer()
    assert await store.commit(next_commit(run)) is Status.CANCELLED


async def test_a_call_is_journaled_once(store: PostgresStore, lose: Callable[[], None]) -> None:
    await store.create(new_run())
    lose()
    await store.journal("r", 1, call(0))
    assert await store.calls("r") == [call(0)]


async def test_a_run_is_settled_once(store: PostgresStore, lose_amidst: Callable[[], None]) -> None:
    run = await store.create(new_run())
    lose_amidst()
    await store.settle(settlement(run, Event.FAIL, error="why", journal=[call(0)]))
    after = await store.load("r")
    assert (after.status, after.error, await store.calls("r")) == (Status.FAILED, "why", [call(0)])
    lose_amidst()
    with pytest.raises(RunFenced):
        await store.settle(settlement(run, Event.RELEASE))


async def test_a_claim_given_back_is_given_back_once(store: PostgresStore, lose: Callable[[], None]) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        lose()
        await store.create(new_run())
    while not await store.list(RunFilter(status=Status.PENDING)):
        await anyio.lowlevel.checkpoint()
    assert (await store.claim("r")).epoch == 2


async def test_a_run_goes_to_sleep_once(store: PostgresStore, lose_amidst: Callable[[], None]) -> None:
    run = await store.create(new_run())
    lose_amidst()
    asleep = replace(settlement(run, Event.WAIT, journal=[call(0, "done")]), questions=[question("r")])
    assert await store.settle(asleep) is Status.WAITING
    assert [row.kind for row in await store.calls("r")] == [JournalKind.DONE, JournalKind.ASKED]
    with pytest.raises(RunFenced):
        await store.settle(settlement(run, Event.FAIL))


async def test_a_question_is_answered_once(store: PostgresStore, lose_amidst: Callable[[], None]) -> None:
    run = await store.create(new_run())
    await store.settle(replace(settlement(run, Event.WAIT), questions=[question("r")]))
    lose_amidst()
    await store.answer("r", "q", 42)
    with pytest.raises(UserError, match="answered already"):
        await store.answer("r", "q", 43)
    assert [(row.kind, row.value) for row in await store.calls("r")] == [(JournalKind.ANSWERED, b"42")]


async def test_a_run_is_deleted_once(store: PostgresStore, lose_amidst: Callable[[], None]) -> None:
    await store.settle(settlement(await store.create(new_run()), Event.RELEASE))
    lose_amidst()
    assert await store.delete("r") == ["r"]
    with pytest.raises(RunNotFound):
        await store.delete("r")


async def test_runs_of_another_store_are_inserted_once(store: PostgresStore, lose_amidst: Callable[[], None]) -> None:
    run = replace(await store.load("warm"), run_id="moved")
    moved = StoredRun(run=run, steps=await store.steps("warm"), calls=[call(run.seq)])
    lose_amidst()
    await store.insert([moved])
    assert await store.steps("moved") == await store.steps("warm")
    with pytest.raises(RunExists):
        await store.insert([moved])


async def test_a_turn_is_taken_once(store: PostgresStore, lose_amidst: Callable[[], None]) -> None:
    lose_amidst()
    run = await store.create(new_run(conversation="c"))
    with pytest.raises(RunBusy):
        await store.create(new_run("other", conversation="c"))
    await store.commit(next_commit(run, Status.SUCCEEDED))
    lose_amidst()
    assert (await store.create(new_run("next", conversation="c", origin=("r", 1)))).epoch == 1


async def test_a_fork_is_made_once(store: PostgresStore, lose_amidst: Callable[[], None]) -> None:
    made: NewRun = replace(new_run("fork"), opening=None, seq=3, status=Status.PENDING, calls=[call(3)])
    lose_amidst()
    run = await store.create(made)
    assert (run.status, run.epoch, run.owner, run.seq) == (Status.PENDING, 0, None, 3)
    assert (await store.steps("fork"), await store.calls("fork")) == ([], [call(3)])
    assert (await store.claim("fork")).epoch == 1


@pytest.mark.parametrize("answers", range(8))
async def test_a_connection_lost_while_opening_is_told(place: DatabasePlace, answers: int) -> None:
    with Proxy(place.server) as proxy:
        proxy.lose_answer(answers)
        with pytest.raises(StoreError, match="cannot be opened: it cannot be reached"):
            PostgresStore(proxy.url, schema=place.schema)
        await PostgresStore(proxy.url, schema=place.schema).aclose()


async def test_reads_are_made_again(store: PostgresStore, lose: Callable[[], None]) -> None:
    await store.create(new_run())
    for _ in range(2):
        lose()
        assert (await store.load("r")).epoch == 1
        assert [step.seq for step in await store.steps("r")] == [-1]


async def test_many_writes_are_lost_together(store: PostgresStore, proxy: Proxy) -> None:
    runs = [await store.create(new_run(f"r{n}")) for n in range(20)]
    async with anyio.create_task_group() as group:
        for n, run in enumerate(runs):
            group.start_soon(store.commit, next_commit(run))
            if n % 5 == 0:
                proxy.lose_answer()
            group.start_soon(store.create, new_run(f"s{n}"))
    seqs = {run.run_id: run.seq for run in await store.list() if run.run_id[0] in "rs"}
    assert seqs == {f"r{n}": 1 for n in range(20)} | {f"s{n}": 0 for n in range(20)}


def waiting(connection: psycopg.Connection[tuple[object, ...]], name: str) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = %s"
    row = connection.execute(query, (name,)).fetchone()
    assert row is not None
    return int(str(row[0]))


async def test_a_step_that_arrives_late_is_taken_for_what_it_is(place: DatabasePlace, proxy: Proxy) -> None:
    """The server works on what the first connection sent while the second one asks for it, and sends it again."""
    store = PostgresStore(f"{proxy.url} application_name={place.schema}", schema=place.schema)
    run = await store.create(new_run())
    with place.connect() as other, place.connect() as watch:
        other.execute("BEGIN")
        other.execute("SELECT FROM runs FOR UPDATE")
        answers: list[Status] = []
        async with anyio.create_task_group() as group:

            async def work() -> None:
                answers.append(await store.commit(next_commit(run)))

            group.start_soon(work)
            while waiting(watch, place.schema) < 1:
                await anyio.lowlevel.checkpoint()
            proxy.cut()
            while waiting(watch, place.schema) < 2:
                await anyio.lowlevel.checkpoint()
            other.execute("ROLLBACK")
    assert answers == [Status.RUNNING]
    assert (await store.load("r")).seq == 1
    await store.aclose()


@pytest.mark.parametrize("status", [Status.RUNNING, Status.FAILED])
async def test_a_step_is_found_although_another_owner_went_on(place: DatabasePlace, status: Status) -> None:
    clock = HandClock()
    with Proxy(place.server) as proxy:
        store, other = PostgresStore(proxy.url, schema=place.schema, clock=clock), place.open(clock)
        await warm_up(store)
        run = await store.create(new_run())
        answers: list[Status] = []

        async def work() -> None:
            answers.append(await store.commit(next_commit(run, status)))

        async with anyio.create_task_group() as group:
            proxy.lose_answer()
            proxy.refuse()
            group.start_soon(work)
            while (await other.load("r")).seq == 0:
                await anyio.lowlevel.checkpoint()
            clock.seconds += 15
            assert (await other.claim("r")).epoch == 2
            proxy.reopen()
        assert answers == [status]
        with pytest.raises(RunFenced):
            await store.commit(commit("r", 1, 1))
        await store.aclose()
        await other.aclose()


async def test_a_server_that_stays_away_is_named(place: DatabasePlace) -> None:
    with Proxy(place.server) as proxy:
        store = PostgresStore(proxy.url, schema=place.schema, patience=0)
        run = await store.create(new_run())
        proxy.shut()
        with pytest.raises(StoreError, match=r"PostgreSQL database .* cannot be written: it cannot be reached") as lost:
            await store.commit(next_commit(run))
        assert "Whether step 0 of run 'r' was written is not known" in str(lost.value)
        assert lost.value.run_id == "r"
        with pytest.raises(StoreError, match=r"Nothing was written: run 'r' stands before step 0; see that the server"):
            await store.commit(next_commit(run))
        with pytest.raises(StoreError, match=r"Nothing was written: run 'r' stands as it was"):
            await store.settle(settlement(run, Event.FAIL))
        with pytest.raises(StoreError, match=r"cannot be read: it cannot be reached.*see that the server runs"):
            await store.load("r")
        proxy.reopen()
        run = await store.claim("r")  # given up, though the server could not be told
        assert (run.epoch, run.seq) == (2, 0)
        assert await store.commit(next_commit(run)) is Status.RUNNING
        await store.aclose()


async def test_what_cannot_be_renewed_or_given_up_is_told(
    place: DatabasePlace, caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy(place.server) as proxy:
        store = PostgresStore(proxy.url, schema=place.schema, patience=0, lease=0.9)
        await store.create(new_run())
        proxy.shut()
        while "leases could not be renewed" not in caplog.text:
            await anyio.lowlevel.checkpoint()
        await store.aclose()
    assert "could not be given up" in caplog.text


async def test_a_connection_that_an_administrator_ends_is_replaced(
    place: DatabasePlace, database: PostgresStore
) -> None:
    run = await database.create(new_run())
    await database.load("r")
    with place.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'agentgraph' AND pid <> pg_backend_pid() AND query LIKE %s",
            (f"%{place.schema}%",),
        )
    assert await database.commit(next_commit(run)) is Status.RUNNING
    assert (await database.load("r")).seq == 1
