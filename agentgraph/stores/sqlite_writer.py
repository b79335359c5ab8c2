"""How a group of writes comes into a file: one transaction, with one flush, for all of them.

What is refused has written nothing; after anything else that goes wrong, all of it is rolled back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from agentgraph.clock import Clock, unix_time
from agentgraph.exceptions import AgentRunError, GraphRuntimeError, UserError

from .leases import Change, Leases
from .medium import Item, OutOfReachError
from .sqlite_blobs import keep_blobs
from .sqlite_errors import cannot_write
from .sqlite_file import File
from .sqlite_leases import Renewed, give_up, renew as renew_leases

__all__ = ["AnyApply", "Apply", "FileMedium"]

T = TypeVar("T")

Apply = Callable[[sqlite3.Connection, float], tuple[T, Change]]
"""A write: gets the connection inside a transaction and the time, returns its answer and what it does to the leases."""

AnyApply = Apply[Any]  # any: writes of all answers share the queue; each item keeps its type to itself


_PAGES = 1000
"""The log is folded into the file when it has so many, as by default."""


class FileMedium:
    """Opens the file and owns the connection that writes it.

    Raises:
        StoreError: the file cannot be a store.
    """

    def __init__(self, file: File, leases: Leases, clock: Clock) -> None:
        self._file, self._leases, self._clock = file, leases, clock
        self._connection = file.open()
        self._relaxed = False
        self._patient = True

    @property
    def place(self) -> str:
        return str(self._file.path)

    @property
    def waits(self) -> bool:
        return self._file.synchronous == "FULL"

    def write(self, items: Sequence[Item[AnyApply, Any]], *, renew: bool) -> None:
        relaxed = all(item.relaxed for item in items) and not renew
        try:
            self._wait(patient=True)
            self._flush(relaxed=relaxed)
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise OutOfReachError(error) from error
        self._transact(items, renew=renew)

    def write_at_once(self, item: Item[AnyApply, Any]) -> bool:
        try:
            self._wait(patient=False)
            self._connection.execute("BEGIN IMMEDIATE")
            self._transact([item], renew=False)
        except Exception:  # noqa: BLE001 - the thread tries again, and tells what it is
            return False
        return True

    def _transact(self, items: Sequence[Item[AnyApply, Any]], *, renew: bool) -> None:
        try:
            renewed = self._apply(items, renew=renew)
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite has rolled back by itself after the worst errors
                self._connection.execute("ROLLBACK")
            for item in items:
                item.reset()
            raise
        if renewed is not None:
            self._leases.keep(*renewed)

    def explain(self, error: Exception, item: Item[AnyApply, Any]) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        failure = cannot_write(self._file.path, error, item.run_id, item.seq)
        failure.__cause__ = error
        return failure

    def end(self) -> None:
        try:
            if self._leases:
                give_up(self._connection, self._leases, self._now())
        finally:
            self._connection.close()

    def _apply(self, items: Sequence[Item[AnyApply, Any]], *, renew: bool) -> Renewed | None:
        now = self._now()
        renewed = renew_leases(self._connection, self._leases, now) if renew else None
        for item in items:
            try:
                value, change = item.write(self._connection, now)
                if item.blobs:
                    keep_blobs(self._connection, item.blobs)
            except (AgentRunError, GraphRuntimeError, UserError) as refusal:
                item.refuse(refusal)
            else:
                item.succeed(value, change)
        return renewed

    def _flush(self, *, relaxed: bool) -> None:
        # A later transaction that is flushed takes along whatever was written before it.
        if relaxed is not self._relaxed:
            self._connection.execute(f"PRAGMA synchronous = {'NORMAL' if relaxed else self._file.synchronous}")
            self._relaxed = relaxed

    def _wait(self, *, patient: bool) -> None:
        # For other processes, and for the disk when the log is folded into the file.
        if patient is not self._patient:
            timeout, pages = (int(self._file.busy_timeout * 1000), _PAGES) if patient else (0, 0)
            self._connection.execute(f"PRAGMA busy_timeout = {timeout}")
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")
            self._patient = patient

    def _now(self) -> float:
        return unix_time(self._clock)
