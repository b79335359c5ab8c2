"""Every store that the suite runs over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from agentgraph.graph.store import Store
from agentgraph.stores import MemoryStore, SQLiteStore
from tests.conformance.records import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> AsyncIterator[Store]:
    """A fresh store of each kind."""
    made: Store = MemoryStore(clock=clock) if request.param == "memory" else SQLiteStore(tmp_path / "r.db", clock=clock)
    yield made
    await made.aclose()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """What a process opens to share the runs of `owners`."""
    return str(tmp_path / "r.db")


@pytest.fixture
async def owners(url: str, clock: HandClock) -> AsyncIterator[tuple[Store, Store]]:
    """Two owners of the same runs: stores that share what they keep."""
    async with AsyncExitStack() as stack:
        first, second = (SQLiteStore(url, clock=clock, lease=15.0) for _ in range(2))
        stack.push_async_callback(first.aclose)
        stack.push_async_callback(second.aclose)
        yield first, second
