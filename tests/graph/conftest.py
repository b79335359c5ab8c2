"""Where the runs of these tests are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentgraph.graph import Store
from agentgraph.stores import MemoryStore, SQLiteStore


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A fresh store of each kind."""
    made: Store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "runs.db")
    yield made
    await made.aclose()


@pytest.fixture
async def elsewhere(store: Store) -> AsyncIterator[Store]:
    """The same runs, as another process has them where there can be one: there it says nothing to the run's owner."""
    made = SQLiteStore(store.path) if isinstance(store, SQLiteStore) else store
    yield made
    await made.aclose()
