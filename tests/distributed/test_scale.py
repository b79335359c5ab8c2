"""What dispatching costs does not grow with what has ended."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest

from agentgraph.distributed import DBOSDispatcher
from agentgraph.distributed.queues import Queues
from agentgraph.distributed.recovery import Recovery
from agentgraph.distributed.watching import fleet_state
from agentgraph.stores.postgres_database import Database
from agentgraph.stores.postgres_schema import Connection

from .jobs import Counted, Step, counter

pytestmark = pytest.mark.anyio

# Whatever the tables hold, they are read whole only where no index can serve.
INDEXES = "SET enable_seqscan = off"
READ_WHOLE = """
    SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE schemaname = 'agentgraph_dbos'
    AND relname IN ('workflow_status', 'workflow_input', 'workflow_output') AND seq_scan > 0
"""
ANSWERED = """
    INSERT INTO agentgraph.journal (run_id, branch, seq, key, kind, digest, value, usage)
    VALUES ('r', '', 0, 'k', 'answered', 'd', '1', '{}')
"""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Watched(Queues):
    """Has one connection alone."""

    only: Connection | None = None

    @contextmanager
    def connection(self) -> Generator[Connection]:
        assert self.only is not None
        yield self.only


async def test_what_has_ended_is_not_read_to_wake_find_count_or_delete_runs(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        await dispatcher.submit(counter, Step(2), state=Counted(), run_id="r")
    with psycopg.connect(url) as connection:
        connection.execute(INDEXES)
        queues = Watched(Database.at(url, "agentgraph", "FULL"), only=connection)
        for change in (
            "UPDATE agentgraph.runs SET status = 'running', epoch = 1",
            "UPDATE agentgraph.runs SET status = 'waiting', wake_at = 1e12",
            ANSWERED,
            "UPDATE agentgraph.runs SET status = 'running', epoch = 2, updated_at = 0",
            "UPDATE agentgraph.runs SET status = 'pending'",
            "DELETE FROM agentgraph_dbos.workflow_status WHERE workflow_uuid IN ('r:2', 'r:2:timer', 'r:3')",
        ):
            connection.execute(change.encode())
        assert Recovery(queues, 1.0).find_stranded(connection) == ["r"]
        assert [queue.load.total for queue in fleet_state(queues).queues] == [2]
        connection.execute("DELETE FROM agentgraph.runs")
        assert connection.execute(READ_WHOLE).fetchall() == []
        assert fleet_state(queues).queues == []
