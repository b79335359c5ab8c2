"""What a dispatcher has written for a run goes with the run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from agentgraph.distributed import DBOSDispatcher
from agentgraph.graph import Status
from agentgraph.stores import Keep, prune

from .fleet import is_now, until
from .jobs import Asks, Counted, Hold, Parent, Step, asker, counter, holder, parent
from .test_dispatchers import Nap, napper, serving

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("marks")]

KEPT = {"application_versions", "dbos_migrations", "queues", "workers"}
"""What is about code and queues, not about runs."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def rows(url: str) -> Mapping[str, int]:
    """The tables of the engine that have rows, and how many."""
    names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'agentgraph_dbos'"
    count = sql.SQL("SELECT count(*) FROM agentgraph_dbos.{}")
    with psycopg.connect(url) as connection:
        tables = [str(name) for (name,) in connection.execute(names)]
        found = {name: connection.execute(count.format(sql.Identifier(name))).fetchone() for name in tables}
    return {name: row[0] for name, row in found.items() if row is not None and row[0] and name not in KEPT}


async def test_nothing_is_left_of_runs_that_are_pruned(url: str) -> None:
    async with DBOSDispatcher(url, lease=1.0) as dispatcher:
        store = dispatcher.store
        async with serving(dispatcher, counter, napper, asker, parent):
            ids = [await dispatcher.submit(counter, Step(3), state=Counted()) for _ in range(3)]
            nap = await dispatcher.submit(napper, Nap(1.1), state=Counted())
            asked = [await dispatcher.submit(asker, Asks(2), state=Counted())]
            asked.append(await dispatcher.submit(parent, Parent(), state=Counted()))
            for run_id in asked:
                await until(store, run_id, is_now(Status.WAITING))
            for run_id in ids:
                await dispatcher.result(counter, run_id)
            await dispatcher.result(napper, nap)
            for run_id in asked:
                await dispatcher.cancel(run_id)
        assert rows(url)["workflow_status"] >= 7  # the nap has two
        deleted = (await prune(store, timedelta(0), keep=Keep(statuses=[]))).deleted
        assert {*ids, nap, *asked} <= {*deleted}
        assert await store.list() == []
    assert rows(url) == {}


async def test_a_run_that_is_deleted_before_it_begins_never_does(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        for delay in (0.0, 60.0):
            run_id = await dispatcher.submit(holder, Hold(0), state=Counted(), delay=delay)
            assert rows(url) == {"workflow_status": 1, "workflow_input": 1}
            await dispatcher.store.delete(run_id)
            assert rows(url) == {}
