"""One SQLite file: created for its owner alone, opened, brought to the newest format, and its connections."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .sqlite_errors import cannot_open, check_version, is_busy, read_only
from .sqlite_schema import migrate

__all__ = ["File", "Synchronous"]

Synchronous = Literal["FULL", "NORMAL"]


@dataclass(frozen=True, slots=True)
class File:
    """A store's file and how it is opened."""

    path: Path
    synchronous: Synchronous
    busy_timeout: float
    """Seconds to wait for other processes that write."""

    def open(self) -> sqlite3.Connection:
        """The connection that writes; creates and migrates the file.

        Raises:
            StoreError: the file cannot be a store; says why and what to do.
        """
        check_version(sqlite3.sqlite_version_info)
        try:
            self._create()
            connection = self.connect()
        except (OSError, sqlite3.Error) as error:
            raise cannot_open(self.path, error) from error
        try:
            self._prepare(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise cannot_open(self.path, error) from error
            raise
        return connection

    def connect(self) -> sqlite3.Connection:
        """A further connection, for any one thread at a time."""
        return sqlite3.connect(self.path, timeout=self.busy_timeout, isolation_level=None, check_same_thread=False)

    def connect_to_read(self) -> sqlite3.Connection:
        """A further connection, which can only read."""
        connection = self.connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _create(self) -> None:
        # Only ever open a file that is new: to close the descriptor of one that SQLite has open would drop its locks.
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            # SQLite would open a read-only file, leave a log in its folder and complain at the first write.
            if not os.access(self.path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                raise read_only(self.path) from None

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            migrate(connection, self.path)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        self._use_wal(connection)
        connection.execute(f"PRAGMA synchronous = {self.synchronous}")

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode == "wal":
            return
        # SQLite does not wait for a writer here, and processes that open a fresh file at once all write and switch.
        from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

        again = Retrying(
            retry=retry_if_exception(is_busy),
            wait=wait_random(0.001, 0.02),
            stop=stop_after_delay(self.busy_timeout),
            reraise=True,
        )
        again(connection.execute, "PRAGMA journal_mode = WAL")
