"""What a step costs that is kept in PostgreSQL: statements and round trips."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
import pytest

from agentgraph.stores import PostgresStore
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
