"""Connections that read a database, each lent to one worker thread at a time; they see what was committed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

__all__ = ["Readers"]

T = TypeVar("T")

_MOST = 4
"""Connections that are open at once; further reads wait."""


class _Connection(Protocol):
    def close(self) -> None: ...


ConnectionT = TypeVar("ConnectionT", bound=_Connection)


class Readers(Generic[ConnectionT]):
    """Reads run side by side, each in one worker thread with one connection."""

    def __init__(self, connect: Callable[[], ConnectionT]) -> None:
        self._connect = connect
        self._free = threading.BoundedSemaphore(_MOST)
        self._idle: deque[ConnectionT] = deque()
        self._closed = False

    def lend(self, query: Callable[[ConnectionT], T]) -> T:
        """Run a query with a connection that nobody else uses meanwhile; call it in a worker thread."""
        with self._free:
            connection = self._idle_one() or self._connect()
            try:
                found = query(connection)
            except BaseException:
                connection.close()
                self._drop_idle()  # what broke one of them has most likely broken all
                raise
            self._idle.append(connection)
            if self._closed:
                self._drop_idle()
            return found

    def close(self) -> None:
        """Close the idle connections now, those in use when their query has ended."""
        self._closed = True
        self._drop_idle()

    def _idle_one(self) -> ConnectionT | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _drop_idle(self) -> None:
        while (connection := self._idle_one()) is not None:
            connection.close()
