"""A server that restarts, or stays away for a while, in the middle of runs: they go on, and nothing is done twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from agentgraph.exceptions import StoreError
from agentgraph.graph import Status
from agentgraph.stores import PostgresStore
from agentgraph.stores.samples import call, commit, new_run, next_commit
from tests.graph.counting import Count, Sums, Traces, counting
from tests.postgres_server import PostgresServer, fresh_schema

pytestmark = pytest.mark.anyio

RUNS = [f"r{number}" for number in range(6)]
LAST = 40
TOTAL = sum(range(LAST + 1))


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop will do: connections are lost in threads, which know none."""
    return "asyncio"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One that may be stopped."""
    made = PostgresServer()
    yield made
    made.remove()


@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_a_server_that_restarts_is_waited_for(server: PostgresServer, how: str) -> None:
    store = PostgresStore(server.url, schema=fresh_schema(), patience=60)
    committed: dict[str, int] = {}
    ending = threading.Event()

    async def work(run_id: str) -> None:
        run = await store.create(new_run(run_id))
        while not ending.is_set():
            await store.journal(run_id, run.epoch, call(run.seq))
            await store.commit(next_commit(run, journaled=True))
            run = await store.load(run_id)
            committed[run_id] = run.seq

    async def until(steps: int) -> None:
        while len(committed) < 4 or min(committed.values()) < steps:
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        for n in range(4):
            group.start_soon(work, f"r{n}")
        await until(3)
        await anyio.to_thread.run_sync(server.stop if how == "stop" else server.crash)
        await anyio.to_thread.run_sync(server.start)
        await until(max(committed.values()) + 3)
        ending.set()
    for run_id, seq in committed.items():
        assert [step.seq for step in await store.steps(run_id)] == list(range(-1, seq))
        assert await store.calls(run_id) == []
    await store.aclose()


async def test_a_store_works_again_when_its_server_does(server: PostgresServer) -> None:
    store = PostgresStore(server.url, schema=fresh_schema(), patience=0)
    run = await store.create(new_run())
    await store.commit(next_commit(run))
    await anyio.to_thread.run_sync(server.stop)
    try:
        with pytest.raises(StoreError, match=r"PostgreSQL database 'postgres' on .* cannot be written"):
            await store.commit(commit("r", 1, 1))
        with pytest.raises(StoreError, match="cannot be opened: it cannot be reached"):
            PostgresStore(server.url)
    finally:
        await anyio.to_thread.run_sync(server.start)
    assert await store.commit(commit("r", 1, 1)) is Status.RUNNING
    assert [step.seq for step in await store.steps("r")] == [-1, 0, 1]
    await store.aclose()


async def restart(server: PostgresServer, how: str, traces: Traces) -> None:
    """In the middle of all runs."""
    while not all(traces[run_id, 2] for run_id in RUNS):
        await anyio.lowlevel.checkpoint()
    await anyio.to_thread.run_sync(server.stop if how == "stop" else server.crash)
    assert not any(traces[run_id, LAST] for run_id in RUNS)
    await anyio.to_thread.run_sync(server.start)


@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_runs_do_not_notice_that_their_server_restarts(server: PostgresServer, how: str) -> None:
    store, traces, totals = PostgresStore(server.url, schema=fresh_schema(), patience=60), Traces(), dict[str, int]()

    async def count(run_id: str) -> None:
        ended = await counting.run(Count(0, LAST), state=Sums(), deps=traces, store=store, run_id=run_id)
        totals[run_id] = ended.output

    async with anyio.create_task_group() as group:
        for run_id in RUNS:
            group.start_soon(count, run_id)
        await restart(server, how, traces)
    assert totals == dict.fromkeys(RUNS, TOTAL)
    assert traces == {(run_id, seq): 1 for run_id in RUNS for seq in range(LAST + 1)}
    for run_id in RUNS:
        assert [step.seq for step in await store.steps(run_id)] == list(range(-1, LAST + 1))
    await store.aclose()


@pytest.mark.parametrize("how", ["stop", "crash"])
async def test_runs_whose_server_stays_away_name_it_and_can_be_resumed(server: PostgresServer, how: str) -> None:
    store, traces, errors = PostgresStore(server.url, schema=fresh_schema(), patience=0), Traces(), dict[str, str]()

    async def count(run_id: str) -> None:
        with pytest.raises(StoreError) as caught:
            await counting.run(Count(0, LAST), state=Sums(), deps=traces, store=store, run_id=run_id)
        assert caught.value.run_id == run_id
        errors[run_id] = str(caught.value)

    async with anyio.create_task_group() as group:
        for run_id in RUNS:
            group.start_soon(count, run_id)
        await restart(server, how, traces)
    assert all(f"{store.place} cannot be written" in error for error in errors.values())
    assert set(errors) == set(RUNS)
    for run_id in RUNS:
        known = {row.seq for row in await store.steps(run_id)} | {row.seq for row in await store.calls(run_id)}
        before = Traces(traces)
        ended = await counting.run(resume=run_id, deps=traces, store=store)
        assert (ended.output, ended.state.parts) == (TOTAL, list(range(LAST + 1)))
        assert not {seq for _, seq in traces - before} & known
    await store.aclose()
