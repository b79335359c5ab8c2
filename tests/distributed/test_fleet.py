"""Fleets of real workers on a real server, killed, stopped and cut off in the middle of their work."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import psycopg
import pytest
from anyio import to_thread

from agentgraph.distributed import DBOSDispatcher, Limits, Rate
from agentgraph.graph import Status
from tests.postgres_server import PostgresServer

from .fleet import Fleet, Worker, database, ended
from .jobs import Counted, Hold, Mark, Step, counter, holder, read

pytestmark = pytest.mark.anyio

RUNS, STEPS = 500, 20
GIVEN_OUT = """
    SELECT replace(workflow_uuid, ':lost', ''), started_at_epoch_ms FROM agentgraph_dbos.workflow_status
    WHERE started_at_epoch_ms > 0
"""
COMMITTED = "SELECT count(*), count(DISTINCT (run_id, seq)) FROM agentgraph.steps WHERE seq >= 0"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One that may be stopped."""
    made = PostgresServer()
    yield made
    made.remove()


@pytest.fixture
def far_url(server: PostgresServer) -> Iterator[str]:
    """A database of it."""
    with database(server.url) as found:
        yield found


def committed(url: str) -> tuple[int, int]:
    """How many steps there are, and how many different ones."""
    with psycopg.connect(url) as connection:
        row = connection.execute(COMMITTED).fetchone()
    assert row is not None
    return row[0], row[1]


def wait_for(url: str, steps: int) -> None:
    while committed(url)[0] < steps:
        time.sleep(0.05)


def repeated(marks: Sequence[Mark]) -> list[Mark]:
    """First calls that were made again although the second one had been, which knows that they were in the journal."""
    second = {(mark.run, mark.step): place for place, mark in reversed([*enumerate(marks)]) if mark.what == "second"}
    firsts = [(place, mark) for place, mark in enumerate(marks) if mark.what == "first"]
    return [mark for place, mark in firsts if place > second.get((mark.run, mark.step), len(marks))]


async def submit_many(dispatcher: DBOSDispatcher) -> list[str]:
    ids = [f"run-{number}" for number in range(RUNS)]

    async def submit_some(some: Sequence[str]) -> None:
        for run_id in some:
            await dispatcher.submit(counter, Step(STEPS), state=Counted(), run_id=run_id)

    async with anyio.create_task_group() as group:
        for first in range(10):
            group.start_soon(submit_some, ids[first::10])
    return ids


async def harm(url: str, server: PostgresServer, workers: Sequence[Worker]) -> None:
    """Kill one, stop another until the rest have gone on without it, and let the server crash meanwhile."""
    killed, stopped, _ = workers
    for steps, then in (
        (1_000, partial(killed.send, signal.SIGKILL)),
        (2_500, partial(stopped.send, signal.SIGSTOP)),
        (4_000, server.crash),
        (4_000, server.start),
        (8_000, partial(stopped.send, signal.SIGCONT)),
    ):
        if then != server.start:
            await to_thread.run_sync(wait_for, url, steps)
        await to_thread.run_sync(then)


async def test_a_fleet_that_is_killed_stopped_and_cut_off_does_every_step_once(
    server: PostgresServer, far_url: str, marks: Path
) -> None:
    async with DBOSDispatcher(far_url) as dispatcher:
        with Fleet(far_url, marks, 3, "--lease", "2", "--concurrency", "40") as fleet:
            ids = await submit_many(dispatcher)
            await harm(far_url, server, fleet.workers)
            runs = await ended(dispatcher.store, ids)
            _, stopped, last = fleet.workers
            for worker in (stopped, last):
                worker.send(signal.SIGTERM)
            assert [worker.wait() for worker in (stopped, last)] == [0, 0]
    assert Counter((run.status, run.seq) for run in runs) == {(Status.SUCCEEDED, STEPS): RUNS}
    assert committed(far_url) == (RUNS * STEPS, RUNS * STEPS)
    # It may have been stopped in the very moment that a call began, of which there is one at a time.
    late = repeated(read(marks))
    assert len(late) <= 1
    assert {mark.pid for mark in late} <= {stopped.pid}


def spans(marks: Sequence[Mark], killed: Mapping[int, float]) -> list[tuple[str, float, float]]:
    """Tenant, beginning and end of each time that a run was executed; `killed` ends what a process has left."""
    ends = {(mark.run, mark.pid): mark.at for mark in marks if mark.what == "end"}
    begins = [mark for mark in marks if mark.what == "begin"]
    return [
        (mark.run.partition("-")[0], mark.at, ends.get((mark.run, mark.pid), killed.get(mark.pid, 0)))
        for mark in begins
    ]


def most_at_once(found: Sequence[tuple[str, float, float]]) -> int:
    """How many there were at the same time."""
    return max((sum(begin <= at < end for _, begin, end in found) for _, at, _ in found), default=0)


@contextmanager
def given_out(url: str) -> Generator[set[tuple[str, int]]]:
    """Entries of queues and when they were given out, in milliseconds: also of those that are given out again."""
    found, over = set[tuple[str, int]](), threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not over.wait(0.1):
                found.update(connection.execute(GIVEN_OUT).fetchall())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def most_within(seconds: float, times: Collection[float]) -> int:
    """Of these moments, in seconds."""
    return max(sum(first <= each < first + seconds for each in times) for first in times)


async def test_limits_hold_over_workers_and_while_a_killed_one_is_recovered_from(url: str, marks: Path) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        limits = Limits(concurrency=5, per_tenant=2, rate=Rate(10, 2.0), poll=0.05)
        await dispatcher.limit("holder", limits)
        ids = [
            await dispatcher.submit(holder, Hold(0.3), state=Counted(), tenant=tenant, run_id=f"{tenant}-{number}")
            for number in range(10)
            for tenant in ("a", "b", "c")
        ]
        with given_out(url) as given, Fleet(url, marks, 2, "--lease", "2") as fleet:
            with anyio.fail_after(60):
                await to_thread.run_sync(wait_for, url, 10)
            killed = fleet.workers[0]
            killed.send(signal.SIGKILL)
            killed.wait()
            died = {killed.pid: time.monotonic()}
            runs = await ended(dispatcher.store, ids)
    found = spans(read(marks), died)
    assert {run.status for run in runs} == {Status.SUCCEEDED}
    assert most_at_once(found) <= 5
    assert all(most_at_once([span for span in found if span[0] == tenant]) <= 2 for tenant in "abc")
    assert most_within(2.0, [at / 1000 for _, at in given]) <= 10
    # The worker begins a run a moment after that: on a busy machine much more than the tenth that is allowed for.
    assert most_within(1.0, [begin for _, begin, _ in found]) <= 10
