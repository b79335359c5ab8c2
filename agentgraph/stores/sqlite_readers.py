"""Connections that read a file, each lent to one worker thread at a time; they see what was committed, and no more."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from anyio import to_thread

from .sqlite_errors import cannot_read
from .sqlite_file import File

__all__ = ["Readers"]

T = TypeVar("T")

_KEPT = 4
"""Idle connections that stay open."""


class Readers:
    """Reads run side by side, each in one worker thread with one connection."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._idle: deque[sqlite3.Connection] = deque()
        self._kept = _KEPT

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query in a worker thread.

        Raises:
            StoreError: the file cannot be read.
        """
        return await to_thread.run_sync(partial(self._read, query))

    def close(self) -> None:
        """Close the idle connections now, those in use when their query has ended."""
        self._kept = 0
        while self._idle:
            self._idle.pop().close()

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = None
        try:
            connection = self._idle.pop() if self._idle else self._connect()
            return query(connection)
        except sqlite3.Error as error:
            raise cannot_read(self._file.path, error) from error
        finally:
            if connection is not None:
                self._give_back(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = self._file.connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if len(self._idle) < self._kept:
            self._idle.append(connection)
        else:
            connection.close()
