"""Connections that are lost, tables that are not there, and locks that somebody else has."""

from __future__ import annotations

import gc
import threading

import anyio
import psycopg
import pytest
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from agentgraph.distributed import DBOSDispatcher, Limits
from agentgraph.distributed.database import install
from agentgraph.distributed.pulse import Pulse
from agentgraph.distributed.queues import Queues
from agentgraph.distributed.recovery import Recovery
from agentgraph.exceptions import StoreError
from agentgraph.graph import Status, open_questions
from agentgraph.stores import PostgresStore, SivCipher, new_key
from agentgraph.stores.postgres_database import Database

from .fleet import ended, is_now, until, wait_while
from .jobs import Asks, Counted, Hold, Step, asker, counter, holder

pytestmark = pytest.mark.anyio

CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def cut_all(url: str) -> None:
    """End all connections to a database but this one."""
    with psycopg.connect(url) as connection:
        connection.execute(CUT, (connection.info.backend_pid,))


def queues_of(url: str, schema: str = "agentgraph") -> Queues:
    return Queues(Database.at(url, schema, "FULL"))


async def test_runs_do_not_notice_that_every_connection_is_lost_again_and_again(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher, anyio.create_task_group() as group:
        ids = [await dispatcher.submit(counter, Step(30), state=Counted()) for _ in range(20)]
        ids += [await dispatcher.submit(holder, Hold(1.5), state=Counted()) for _ in range(3)]
        group.start_soon(lambda: dispatcher.serve([counter, holder]))
        for _ in range(4):
            await anyio.sleep(0.4)
            await to_thread.run_sync(cut_all, url)
        runs = await ended(dispatcher.store, ids)
        assert {run.error for run in runs} == {None}
        assert [run.seq for run in runs] == [30] * 20 + [1] * 3
        dispatcher.stop()


async def test_a_worker_takes_its_lock_as_soon_as_a_lost_session_of_its_own_is_missed(url: str) -> None:
    queues = queues_of(url)
    pulse = Pulse(queues, "w", ["q"], lambda: (0, False))
    take = queues.render("SELECT pg_advisory_lock({lock}) FROM (SELECT 'w' AS executor) AS worker")
    with psycopg.connect(url, autocommit=True) as before:
        before.execute(take)
        beginning = threading.Thread(target=pulse.start)
        beginning.start()
        beginning.join(0.3)
        assert beginning.is_alive()
    beginning.join(10)
    assert not beginning.is_alive()
    pulse.stop()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT executor FROM agentgraph.workers").fetchall() == []


async def test_a_worker_that_never_has_its_lock_can_end(url: str) -> None:
    queues = queues_of(url)
    pulse = Pulse(queues, "w", ["q"], lambda: (0, False))
    take = queues.render("SELECT pg_advisory_lock({lock}) FROM (SELECT 'w' AS executor) AS worker")
    with psycopg.connect(url, autocommit=True) as before:
        before.execute(take)
        beginning = threading.Thread(target=pulse.start, daemon=True)
        beginning.start()
        beginning.join(0.5)
        pulse.stop()


async def test_a_worker_whose_row_is_gone_writes_it_anew(url: str) -> None:
    pulse = Pulse(queues_of(url), "w", ["q"], lambda: (0, False))
    await to_thread.run_sync(pulse.start)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM agentgraph.workers")
    with anyio.fail_after(20):
        await to_thread.run_sync(
            wait_while, url, "SELECT WHERE NOT EXISTS (SELECT FROM agentgraph.workers)", abandon_on_cancel=True
        )
    pulse.stop()


def test_a_connection_may_have_parameters_of_its_own(url: str) -> None:
    with Database.at(url, "agentgraph", "FULL").connect(tcp_user_timeout=5000) as connection:
        assert connection.info.get_parameters()["tcp_user_timeout"] == "5000"


async def test_a_worker_may_have_less_than_it_could_do(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        await dispatcher.limit("counter", Limits(concurrency=2))
        await dispatcher.serve([counter], concurrency=50, ready=dispatcher.stop)
        (queue,) = (await dispatcher.state()).queues
    assert queue.limits.concurrency == 2


async def test_processes_that_prepare_a_database_at_once_do_it_once(url: str) -> None:
    await PostgresStore(url, schema="other").aclose()
    with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as other:
        waiting = threading.Thread(target=install, args=(other, "other"))
        with one.transaction():
            install(one, "other")
            waiting.start()
            waiting.join(0.2)
            assert waiting.is_alive()
        waiting.join(10)
        row = one.execute("SELECT count(*) FROM other.meta WHERE name = 'dispatch'").fetchone()
    assert row == (1,)


def test_who_connects_when_all_has_ended_leaves_no_connection_behind(url: str) -> None:
    engine, close = queues_of(url).engine(1)
    close()
    with pytest.raises(SQLAlchemyError, match="the connection is closed"):
        engine.connect()
    engine.dispose()


def test_a_database_that_is_away_is_named(url: str) -> None:
    with pytest.raises(StoreError, match="schema 'agentgraph' cannot be opened"):
        queues_of("postgresql://nobody@127.0.0.1:1/x").prepare()


def test_queues_that_cannot_be_written_are_named(url: str) -> None:
    queues = queues_of(url)
    with psycopg.connect(url) as connection:
        connection.execute("DROP TABLE agentgraph_dbos.queues")
    with pytest.raises(StoreError, match=r"the queues of PostgreSQL database .* cannot be written"):
        queues.limit("q", Limits())


async def test_a_worker_whose_queues_are_lost_while_it_begins_says_so_and_another_one_can_begin(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        await dispatcher.prepare()
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE agentgraph_dbos.application_versions RENAME TO gone")
        with pytest.raises(
            StoreError, match=r"the queues of PostgreSQL database .* cannot be served: .*does not exist"
        ):
            await dispatcher.serve([counter])
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE agentgraph_dbos.gone RENAME TO application_versions")
        await dispatcher.serve([counter], ready=dispatcher.stop)


async def test_a_user_who_may_not_make_the_queues_is_told(url: str) -> None:
    await PostgresStore(url, schema="other").aclose()
    with pytest.raises(StoreError, match=r"cannot be made: .*; see that its user may create schemas"):
        queues_of(f"{url}&options=-c%20default_transaction_read_only%3Don", "other").prepare()


def test_what_never_began_can_end(url: str) -> None:
    queues = queues_of(url)
    Pulse(queues, "w", ["q"], lambda: (0, False)).stop()
    Recovery(queues, 1.0).stop()


async def test_runs_of_an_encrypted_store_are_dispatched_too(url: str) -> None:
    async with DBOSDispatcher(url, cipher=SivCipher(new_key())) as dispatcher, anyio.create_task_group() as group:
        group.start_soon(lambda: dispatcher.serve([asker]))
        run_id = await dispatcher.submit(asker, Asks(1), state=Counted())
        await until(dispatcher.store, run_id, is_now(Status.WAITING))
        (question,) = open_questions(await dispatcher.store.calls(run_id))
        await dispatcher.store.answer(run_id, question.key, 4)
        done = await dispatcher.result(asker, run_id)
        assert done.output == 4
        dispatcher.stop()


def others(url: str) -> int:
    """Connections of others to the database."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    count: int = row[0]
    return count


async def test_a_dispatcher_that_was_closed_has_no_connection(url: str) -> None:
    gc.disable()  # nor does it wait for that
    try:
        async with DBOSDispatcher(url) as dispatcher, anyio.create_task_group() as group:
            run_id = await dispatcher.submit(counter, Step(1), state=Counted())
            group.start_soon(lambda: dispatcher.serve([counter]))
            await dispatcher.result(counter, run_id)
            dispatcher.stop()
        for _ in range(100):  # the server takes a moment to notice
            if others(url):
                await anyio.sleep(0.05)
        assert others(url) == 0
    finally:
        gc.enable()
