"""The store that a dispatcher holds while it is open.

A file or a database is opened once in a process, and others may have it, too: agents, and other dispatchers. So it is
not closed but let go of, and closes when nobody holds it any more.
"""

from __future__ import annotations

from dataclasses import dataclass

from anyio import to_thread

from agentgraph.exceptions import StoreError
from agentgraph.graph import Store

__all__ = ["Held"]


@dataclass
class Held:
    """A store, until it is let go of."""

    _store: Store | None

    @property
    def store(self) -> Store:
        """It.

        Raises:
            StoreError: it was let go of.
        """
        if self._store is None:
            raise StoreError("the dispatcher was closed; open another one with `open_dispatcher`")
        return self._store

    async def let_go(self) -> None:
        """Hold it no longer; again: nothing. Where nobody else does, a thread closes it, for that may take a while."""
        held, self._store = [self._store], None
        await to_thread.run_sync(held.clear)
