"""Hearing of the writes of others, where the connection that listens is lost or the server is away."""

from __future__ import annotations

import threading

import anyio
import anyio.lowlevel
import pytest

from agentgraph.exceptions import StoreError
from agentgraph.graph import Changes
from agentgraph.stores import PostgresStore
from agentgraph.stores.samples import new_run, next_commit
from agentgraph.stores.watching import Glances
from tests.stores.places import DatabasePlace
from tests.stores.proxy import Proxy

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop will do: a thread listens, which knows none."""
    return "asyncio"


async def rung(changes: Changes) -> None:
    """Return as soon as a follower is woken by others: by himself he would look anyway."""
    assert isinstance(changes, Glances)
    with anyio.fail_after(30):
        await changes.bell.wait(None)


async def test_a_listener_that_lost_its_connection_listens_anew(place: DatabasePlace, database: PostgresStore) -> None:
    run = await database.create(new_run())
    with Proxy(place.server) as proxy:
        follower = PostgresStore(proxy.url, schema=place.schema)
        async with follower.changes("r") as changes:
            await rung(changes)  # it listens
            proxy.cut()
            await rung(changes)  # it listens again, and looks for what came meanwhile
            await database.commit(next_commit(run))
            await rung(changes)
            assert (await follower.load("r")).seq == 1
        await follower.aclose()


async def test_nobody_listens_for_who_could_not_begin_to_follow(place: DatabasePlace) -> None:
    with Proxy(place.server) as proxy:
        store = PostgresStore(proxy.url, schema=place.schema, patience=0)
        proxy.shut()
        others = {*threading.enumerate()}
        with pytest.raises(StoreError, match="cannot be reached"):
            async with store.changes("r"):
                pass
        while any(thread.name == "agentgraph listener" for thread in {*threading.enumerate()} - others):
            await anyio.lowlevel.checkpoint()
        proxy.reopen()
        await store.aclose()


async def test_a_run_whose_id_is_too_long_for_a_note_is_heard_of(place: DatabasePlace, database: PostgresStore) -> None:
    run_id = "r" * 9000
    run = await database.create(new_run(run_id))
    follower = place.open()
    async with follower.changes(run_id) as changes:
        await rung(changes)
        await database.commit(next_commit(run))
        await rung(changes)
        assert (await follower.load(run_id)).seq == 1
    await follower.aclose()
