"""The places that processes share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, AsyncExitStack
from pathlib import Path

import pytest

from agentgraph.graph.store import Store
from agentgraph.stores.samples import HandClock
from tests.stores.places import Place, database_place, file_place

PLACES: Mapping[str, Callable[[Path], AbstractContextManager[Place]]] = {
    "sqlite": file_place,
    "postgres": database_place,
}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where several owners, in this process or another one, share their runs."""
    with PLACES[request.param](tmp_path) as place:
        yield place


@pytest.fixture
async def owners(place: Place, clock: HandClock) -> AsyncIterator[tuple[Store, Store]]:
    """Two owners of the same runs: stores that share what they keep."""
    async with AsyncExitStack() as stack:
        first, second = place.open(clock), place.open(clock)
        stack.push_async_callback(first.aclose)
        stack.push_async_callback(second.aclose)
        yield first, second
