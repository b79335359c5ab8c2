"""A fresh schema of the tests' PostgreSQL server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agentgraph.stores import PostgresStore
from tests.stores.places import DatabasePlace, database_place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[DatabasePlace]:
    with database_place(tmp_path) as place:
        yield place


@pytest.fixture
async def database(place: DatabasePlace) -> AsyncIterator[PostgresStore]:
    """A store in that schema, by the server's clock."""
    store = place.open()
    yield store
    await store.aclose()
