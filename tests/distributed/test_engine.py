"""What a worker refuses."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from dbos import DBOS, DBOSConfig

from agentgraph.distributed import DBOSDispatcher, open_dispatcher
from agentgraph.exceptions import UserError
from tests.postgres_server import server_url

from .jobs import counter, holder

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def test_a_worker_needs_the_event_loop_of_asyncio(url: str) -> None:
    async def serve() -> None:
        async with DBOSDispatcher(url) as dispatcher:
            await dispatcher.serve([counter])

    with pytest.raises(UserError, match="serve with `asyncio"):
        anyio.run(serve, backend="trio")


async def test_a_process_has_one_worker(url: str) -> None:
    ready = anyio.Event()
    async with DBOSDispatcher(url) as dispatcher, anyio.create_task_group() as group:
        group.start_soon(lambda: dispatcher.serve([counter], ready=ready.set))
        await ready.wait()
        with pytest.raises(UserError, match="start another process"):
            await dispatcher.serve([holder])
        dispatcher.stop()


async def test_a_process_that_runs_a_dbos_of_its_own_has_no_worker(url: str, tmp_path: Path) -> None:
    DBOS(config=DBOSConfig(name="own", executor_id="own", system_database_url=f"sqlite:///{tmp_path / 'own.db'}"))
    try:
        async with DBOSDispatcher(url) as dispatcher:
            with pytest.raises(UserError, match="a DBOS of its own"):
                await dispatcher.serve([counter])
        assert DBOS.executor_id == "own"  # it is left alone
    finally:
        DBOS.destroy()


async def test_what_was_put_into_the_database_can_be_taken_away(url: str) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        await dispatcher.prepare()
        await dispatcher.remove()
        await dispatcher.prepare()
        await dispatcher.prepare()


@pytest.mark.parametrize(
    ("options", "why"), [({"schema": "s" * 59}, "too long"), ({"stale_after": 0}, "gives all work")]
)
def test_arguments_that_make_no_sense_are_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises(UserError, match=why):
        open_dispatcher(server_url(), **options)  # type: ignore[arg-type]  # wrong on purpose
