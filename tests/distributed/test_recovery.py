"""Which workers are taken for lost, and what stands still without any of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import anyio
import psycopg
import pytest
from anyio import to_thread
from dbos import DBOSClient

from agentgraph.distributed import DBOSDispatcher, Limits, Rate
from agentgraph.distributed.queues import Queues
from agentgraph.distributed.recovery import GRACE, Own, Recovery, Seen
from agentgraph.graph import Status
from agentgraph.stores.owner import this_process
from agentgraph.stores.postgres_database import Database

from .fleet import ended, is_now, until, wait_while
from .jobs import Counted, Step, counter

HERE = this_process()
ELSEWHERE = replace(HERE, host="another machine")
GONE = replace(HERE, started=HERE.started - 1)

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("seen", "lost"),
    [
        (Seen(executor="w", free=False, owner=HERE), False),
        (Seen(executor="w", free=False, owner=HERE, silent=11), True),  # it hangs
        (Seen(executor="w", free=False, owner=ELSEWHERE, silent=11), True),
        (Seen(executor="w", free=True, owner=HERE, silent=9, missed=9), False),  # the server has restarted
        (Seen(executor="w", free=True, owner=HERE, silent=11), True),
        (Seen(executor="w", free=True, owner=GONE), True),  # it was killed
        (Seen(executor="w", free=False, owner=GONE), False),  # the server is about to find that out
        (Seen(executor="w", free=True, owner=ELSEWHERE, missed=GRACE), False),
        (Seen(executor="w", free=True, owner=ELSEWHERE, missed=GRACE + 0.1), True),
        (Seen(executor="w", free=True, owner=replace(HERE, host=""), missed=GRACE + 0.1), True),
        (Seen(executor="w", free=True, owner=None), True),  # it has ended, and left an entry
        (Seen(executor="w", free=False, owner=None), False),  # it is about to begin
    ],
)
def test_a_worker_is_lost_when_it_is_dead_or_hangs(seen: Seen, *, lost: bool) -> None:
    assert seen.is_lost(10) is lost


def entries(url: str, statement: str = "") -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        if statement:
            connection.execute(statement.encode())
        row = connection.execute("SELECT count(*) FROM agentgraph_dbos.workflow_status").fetchone()
    assert row is not None
    return int(row[0])


KNOWN = (
    "INSERT INTO agentgraph.workers (executor, owner_host, owner_pid, owner_started, owner_name, queues, started_at, "
    "beat_at) VALUES ('{}', 'far', 1, 1, 'far', '{{counter}}', 0, 1e12)"
)


TAKE = (
    "UPDATE agentgraph_dbos.workflow_status SET status = 'PENDING', executor_id = '{}', rate_limited = true, "
    "started_at_epoch_ms = extract(epoch FROM clock_timestamp()) * 1000"
)


async def serve_until_done(dispatcher: DBOSDispatcher, run_id: str) -> None:
    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: dispatcher.serve([counter]))
            await until(dispatcher.store, run_id, is_now(Status.SUCCEEDED))
            dispatcher.stop()


async def test_a_run_that_stands_in_no_queue_is_found(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        run_id = await dispatcher.submit(counter, Step(2), state=Counted())
        assert entries(url, "DELETE FROM agentgraph_dbos.workflow_status") == 0
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE agentgraph.runs SET updated_at = 0")
        await serve_until_done(dispatcher, run_id)


async def test_what_a_living_worker_was_given_and_knows_nothing_of_is_given_out_again(url: str) -> None:
    queues = Queues(Database.at(url, "agentgraph", "FULL"))
    async with DBOSDispatcher(url) as dispatcher:
        ids = [await dispatcher.submit(counter, Step(2), state=Counted(), run_id=run_id) for run_id in ("a", "b")]
    entries(
        url, "UPDATE agentgraph_dbos.workflow_status SET status = 'PENDING', executor_id = 'w', started_at_epoch_ms = 1"
    )
    recovery = Recovery(queues, 1.0, own=lambda: Own(executor="w", under_way=[f"{ids[0]}:1"]))
    with psycopg.connect(url, autocommit=True) as connection:
        for given in ([], ["b:1"]):
            recovery.give_back_unbegun(connection)
            found = connection.execute(
                "SELECT workflow_uuid FROM agentgraph_dbos.workflow_status WHERE status = 'ENQUEUED'"
            )
            assert [name for (name,) in found] == given


FORGOTTEN = """
    SELECT run_id FROM agentgraph.runs AS r WHERE status <> 'succeeded' AND NOT EXISTS (
        SELECT FROM agentgraph_dbos.workflow_status AS s WHERE s.status IN ('ENQUEUED', 'PENDING')
        AND s.workflow_uuid LIKE r.run_id || ':%'
    )
"""
"""Runs that have not ended, and that nobody is told to go on with."""


def wait_until_taken(url: str) -> None:
    """Until a worker has taken an entry."""
    taken = "SELECT FROM agentgraph_dbos.workflow_status WHERE status = 'PENDING' LIMIT 1"
    with psycopg.connect(url, autocommit=True) as connection:
        while not connection.execute(taken).fetchall():
            time.sleep(0.001)


async def test_what_a_worker_takes_while_it_ends_is_for_others(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        ids = [await dispatcher.submit(counter, Step(2), state=Counted()) for _ in range(20)]
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: dispatcher.serve([counter]))
            await to_thread.run_sync(wait_until_taken, url)
            dispatcher.stop()
        with psycopg.connect(url) as connection:
            assert connection.execute(FORGOTTEN).fetchall() == []
        with anyio.fail_after(40):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: dispatcher.serve([counter]))
                await ended(dispatcher.store, ids)
                dispatcher.stop()


async def test_what_a_worker_on_another_machine_has_left_is_done(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        run_id = await dispatcher.submit(counter, Step(2), state=Counted())
        taken = "UPDATE agentgraph_dbos.workflow_status SET status = 'PENDING', executor_id = 'far-1'"
        entries(url, taken)
        entries(url, KNOWN.format("far-1"))
        entries(url, KNOWN.format("far-2"))
        await serve_until_done(dispatcher, run_id)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT executor FROM agentgraph.workers").fetchall() == []


async def test_what_was_lost_of_a_queue_with_a_rate_goes_on_at_once_and_has_begun_twice(url: str) -> None:
    def lose(worker: str) -> None:
        """A worker that has died on this machine had taken the run."""
        entries(url, TAKE.format(worker) + f" WHERE workflow_uuid = '{run_id}:1'")
        entries(url, KNOWN.format(worker).replace("'far', 1", f"'{HERE.host}', 1"))

    async with DBOSDispatcher(url) as dispatcher:
        await dispatcher.limit("counter", Limits(rate=Rate(2, per=600)))
        run_id = await dispatcher.submit(counter, Step(2), state=Counted(), run_id="first")
        lose("one")
        await serve_until_done(dispatcher, run_id)
        await dispatcher.submit(counter, Step(2), state=Counted(), run_id="second")
        lose("two")  # as if, though it has ended
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: dispatcher.serve([counter]))
            looked_at = "SELECT FROM agentgraph.workers WHERE executor = 'two' AND missed_at IS NULL"
            await to_thread.run_sync(wait_while, url, looked_at)
            dispatcher.stop()
        (queue,) = (await dispatcher.state()).queues
        assert (queue.load.waiting, queue.load.running) == (1, 1)  # the second run, and what was lost
        await dispatcher.store.delete(run_id)
    assert entries(url) == 1


async def test_with_a_run_its_entries_are_deleted(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        run_id = await dispatcher.submit(counter, Step(2), state=Counted())
        await serve_until_done(dispatcher, run_id)
        assert entries(url) == 1
        await dispatcher.store.delete(run_id)
    assert entries(url) == 0


SUBMIT = """
import sys
import time
sys.modules["dbos"] = None
import asyncio
from agentgraph.distributed import DBOSDispatcher, Limits
from agentgraph.exceptions import UserError
from tests.distributed.jobs import Counted, Step, counter

async def main():
    async with DBOSDispatcher(sys.argv[1], schema=sys.argv[2]) as dispatcher:
        for act in (
            lambda: dispatcher.submit(counter, Step(2), state=Counted(), run_id="r"),
            lambda: dispatcher.limit("q", Limits()),
            lambda: dispatcher.serve([counter]),
        ):
            try:
                print(await act())
            except UserError as error:
                print("-", str(error).rpartition(";")[2])

asyncio.run(main())
"""


REFUSED = "-  pip install 'agentgraph[dbos]'"


@pytest.mark.parametrize(("schema", "said"), [("agentgraph", ["r", REFUSED, REFUSED]), ("fresh", [REFUSED] * 3)])
def test_who_submits_needs_no_dbos_where_the_tables_are(url: str, schema: str, said: list[str]) -> None:
    command = [sys.executable, "-c", SUBMIT, url, schema]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.splitlines() == said


async def test_of_all_that_look_for_lost_workers_one_does_at_a_time(url: str) -> None:
    queues = Queues(Database.at(url, "agentgraph", "FULL"))
    alone = queues.render("SELECT pg_advisory_lock(hashtextextended('agentgraph recovery {schema}', 3))")
    entries(url, KNOWN.format("far-1"))
    recovery = Recovery(queues, 1.0)
    with psycopg.connect(url, autocommit=True) as looking:
        looking.execute(alone)
        recovery.start()
        await anyio.sleep(0.6)
        missed = looking.execute("SELECT missed_at FROM agentgraph.workers").fetchall()
    with anyio.fail_after(20):
        await to_thread.run_sync(wait_while, url, "SELECT FROM agentgraph.workers", abandon_on_cancel=True)
    recovery.stop()
    assert missed == [(None,)]


TAKEN = "SELECT FROM agentgraph_dbos.workflow_status WHERE status = 'PENDING'"


class Forgetful(Queues):
    """Loses an entry just before it is given back, once."""

    @contextmanager
    def client(self) -> Generator[DBOSClient]:
        with self.connection() as connection:
            gone = "DELETE FROM agentgraph_dbos.workflow_status WHERE executor_id = 'lost' AND workflow_uuid = 'a:1'"
            connection.execute(gone)
        with super().client() as client:
            yield client


async def test_an_entry_that_is_gone_when_it_is_given_back_keeps_nobody_from_looking(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        for run_id in "ab":
            await dispatcher.submit(counter, Step(2), state=Counted(), run_id=run_id)
    entries(url, "UPDATE agentgraph_dbos.workflow_status SET status = 'PENDING', executor_id = 'lost'")
    recovery = Recovery(Forgetful(Database.at(url, "agentgraph", "FULL")), 1.0)
    recovery.start()
    with anyio.fail_after(20):
        await to_thread.run_sync(wait_while, url, TAKEN, abandon_on_cancel=True)
    recovery.stop()
    assert "looked for again" in caplog.text


async def test_who_has_just_begun_to_look_takes_nobody_for_lost_by_what_was_before(url: str) -> None:
    """After a restart of the server all locks are free, and nobody could give a sign of life."""
    queues = Queues(Database.at(url, "agentgraph", "FULL"))
    async with DBOSDispatcher(url) as dispatcher:
        for executor in ("free", "silent", "lost"):
            await dispatcher.submit(counter, Step(2), state=Counted(), run_id=executor)
            entries(url, KNOWN.format(executor))
    entries(url, "UPDATE agentgraph_dbos.workflow_status SET executor_id = split_part(workflow_uuid, ':', 1)")
    entries(url, "UPDATE agentgraph_dbos.workflow_status SET status = 'PENDING'")
    entries(url, "UPDATE agentgraph.workers SET missed_at = 0, beat_at = 0")
    entries(url, "DELETE FROM agentgraph.workers WHERE executor = 'lost'")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            queues.render("SELECT pg_advisory_lock({lock}) FROM (SELECT 'silent' AS executor) AS worker")
        )
        recovery = Recovery(queues, 10.0)
        recovery.start()
        with anyio.fail_after(20):
            await to_thread.run_sync(wait_while, url, f"{TAKEN} AND executor_id = 'lost'", abandon_on_cancel=True)
        recovery.stop()
        left = connection.execute("SELECT executor_id FROM agentgraph_dbos.workflow_status WHERE status = 'PENDING'")
        assert {executor for (executor,) in left} == {"free", "silent"}


async def test_of_all_that_look_for_runs_that_nobody_was_told_of_one_does_at_a_time(url: str) -> None:
    recovery = Recovery(Queues(Database.at(url, "agentgraph", "FULL")), 1.0)
    async with DBOSDispatcher(url) as dispatcher:
        await dispatcher.submit(counter, Step(2), state=Counted(), run_id="r")
    entries(url, "DELETE FROM agentgraph_dbos.workflow_status")
    entries(url, "UPDATE agentgraph.runs SET updated_at = 0")
    with psycopg.connect(url) as one, psycopg.connect(url) as other, one.transaction():
        assert [recovery.find_stranded(connection) for connection in (one, other)] == [["r"], []]
