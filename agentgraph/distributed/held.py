"""The store that a dispatcher holds while it is open.

A file or a database is opened once in a process, and others may have it, too: agents, and other dispatchers. So it is
not closed but let go of, and closes when nobody holds it any more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from anyio import to_thread

from agentgraph.exceptions import StoreError
from agentgraph.graph import Store

__all__ = ["HoldsStore"]


class HoldsStore(ABC):
    """A dispatcher, as far as it is open or closed."""

    def __init__(self, store: Store) -> None:
        self._store: Store | None = store

    @property
    def store(self) -> Store:
        """Where the runs are kept.

        Raises:
            StoreError: the dispatcher was closed.
        """
        if self._store is None:
            raise StoreError("the dispatcher was closed; open another one with `open_dispatcher`")
        return self._store

    @abstractmethod
    def stop(self) -> None:
        """Serve no longer."""

    async def aclose(self) -> None:
        """Stop serving, and hold the store no longer; again: nothing.

        Where nobody else does, a thread closes it, for that may take a while.
        """
        self.stop()
        held, self._store = [self._store], None
        await to_thread.run_sync(held.clear)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
