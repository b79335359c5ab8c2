"""Answers that come at any moment, from processes that know nothing of workers."""

from __future__ import annotations

import anyio
import psycopg
import pytest

from agentgraph.distributed import DBOSDispatcher
from agentgraph.distributed.queues import Queues
from agentgraph.distributed.recovery import Recovery
from agentgraph.graph import RunFilter, RunRecord, Status, Store, open_questions
from agentgraph.stores import PostgresStore
from agentgraph.stores.postgres_database import Database

from .fleet import is_now, until
from .jobs import Both, Counted, Parent, both, parent
from .test_dispatchers import serving

pytestmark = pytest.mark.anyio

RUNS = 30


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def answer_at_once(store: Store) -> None:
    """Answer each question of a run below as soon as it can be seen, before its parent is asleep."""
    answered: set[str] = set()
    while len(answered) < RUNS:
        waiting = [run.run_id for run in await store.list(RunFilter(status=Status.WAITING))]
        for run_id in {*waiting} - answered:
            own = [each for each in open_questions(await store.calls(run_id)) if each.run_id == run_id]
            answered |= {question.run_id for question in own}
            for question in own:
                await store.answer(run_id, question.key, len(answered))


async def test_no_answer_is_lost_while_the_runs_above_go_to_sleep(url: str) -> None:
    elsewhere = PostgresStore(url)
    async with DBOSDispatcher(url) as dispatcher:
        ids = [await dispatcher.submit(parent, Parent(), state=Counted()) for _ in range(RUNS)]
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: dispatcher.serve([parent]))
                group.start_soon(answer_at_once, elsewhere)
                outputs = {(await dispatcher.result(parent, run_id)).output for run_id in ids}
                assert outputs == {*range(1, RUNS + 1)}
                dispatcher.stop()
    await elsewhere.aclose()


ENTRIES = "SELECT status, count(*) FROM agentgraph_dbos.workflow_status GROUP BY status"


def waits_again(run: RunRecord) -> bool:
    return run.status is Status.WAITING and run.epoch > 1


async def test_who_waits_for_a_second_answer_is_not_woken_by_the_first_again(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        store = dispatcher.store
        async with serving(dispatcher, both):
            ids = [await dispatcher.submit(both, Both(below), state=Counted()) for below in (False, True)]
            for run_id in ids:
                await until(store, run_id, is_now(Status.WAITING))
                (question,) = open_questions(await store.calls(run_id))
                await store.answer(question.run_id, question.key, 1)
            epochs = [(await until(store, run_id, waits_again)).epoch for run_id in ids]
    recovery = Recovery(Queues(Database.at(url, "agentgraph", "FULL")), 1.0)
    with psycopg.connect(url) as connection:
        assert connection.execute(ENTRIES).fetchall() == [("SUCCESS", 4)]
        connection.execute("UPDATE agentgraph.runs SET updated_at = 0")
        assert (epochs, recovery.find_stranded(connection)) == ([2, 2], [])
        # Nobody knows any more what they have seen.
        connection.execute("DELETE FROM agentgraph_dbos.workflow_status")
        assert {*recovery.find_stranded(connection)} == {*ids}
