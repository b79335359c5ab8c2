"""What every part of the suite gets: stores that the writer's fixture makes, and a clock that moves when told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest

from agentgraph.clock import Clock
from agentgraph.graph.store import Store
from agentgraph.stores.samples import HandClock

__all__ = ["MakeStore", "StoreSuite"]

MakeStore: TypeAlias = Callable[[Clock], Store]
"""Opens a store whose times are the clock's: at a place that is empty at first, and at the same place each time."""


class StoreSuite:
    """Tests that ask for a fixture `make_store`, which the class that inherits them has to give."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def clock(self) -> HandClock:
        """The time of the stores."""
        return HandClock()

    @pytest.fixture
    async def store(self, make_store: MakeStore, clock: HandClock) -> AsyncIterator[Store]:
        """A fresh store."""
        async with AsyncExitStack() as stack:
            made = make_store(clock)
            stack.push_async_callback(made.aclose)
            yield made

    @pytest.fixture
    async def owners(self, make_store: MakeStore, clock: HandClock) -> AsyncIterator[tuple[Store, Store]]:
        """Two owners of the same runs: stores that share what they keep."""
        async with AsyncExitStack() as stack:
            first, second = make_store(clock), make_store(clock)
            stack.push_async_callback(first.aclose)
            stack.push_async_callback(second.aclose)
            yield first, second
