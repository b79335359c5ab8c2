"""What a step costs that is kept in PostgreSQL: statements and round trips."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest

from agentgraph.concurrency import gather
from agentgraph.stores import PostgresStore
from agentgraph.stores.samples import new_run, next_commit
from benchmarks.workload import UNLIMITED, looping_agent
from tests.postgres_server import fresh_schema, server_url

pytestmark = pytest.mark.anyio

TURNS = 20
STEPS = 2 * TURNS + 3


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The statements that were sent, by the table that each writes to first."""
    said, execute = Counter[str](), psycopg.Connection.execute

    def counted(connection: Any, query: Any, *args: Any, **options: Any) -> Any:  # any: as `execute` takes them
        text = query.decode() if isinstance(query, bytes) else str(query)
        said[next((name for name in ("UPDATE", "INSERT", "SELECT", "SET") if name in text), text)] += 1
        return execute(connection, query, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    return said


async def test_a_step_is_one_statement(said: Counter[str]) -> None:
    store = PostgresStore(server_url(), schema=fresh_schema())
    said.clear()
    await looping_agent(TURNS, 1000).run("go", store=store, run_id="r", usage_limits=UNLIMITED)
    counts = said.copy()
    await store.aclose()
    assert counts["UPDATE"] == STEPS
    assert counts.total() <= STEPS + 3  # the run is created


def rows_read(schema: str) -> int:
    """Rows of runs that were read, by sessions that have ended."""
    with psycopg.connect(server_url()) as connection:
        row = connection.execute(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE schemaname = %s AND relname = 'runs'",
            (schema,),
        ).fetchone()
    assert row is not None
    count: int = row[0]
    return count


async def test_a_table_that_grows_is_not_read_for_each_group() -> None:
    schema = fresh_schema()
    store = PostgresStore(server_url(), schema=schema, lease=3)
    runs = await gather([partial(store.create, new_run(f"early {number}")) for number in range(64)])

    async def commit_all() -> None:
        await gather([partial(store.commit, next_commit(run)) for run in runs])
        runs[:] = [replace(run, seq=run.seq + 1) for run in runs]

    for _ in range(10):  # the plan is made, and kept
        await commit_all()
    await gather([partial(store.create, new_run(f"late {number}")) for number in range(4000)])
    seen = await store.load("late 0")
    async with store.changes("late 0") as changes:
        while (await store.load("late 0")).lease_until == seen.lease_until:  # then plans are made anew
            await changes.wait(0)
    for _ in range(20):
        await commit_all()
    await store.aclose()
    assert rows_read(schema) < 40_000  # 81,000 and more, were all rows read for each group
