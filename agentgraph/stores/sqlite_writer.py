"""The one thread that writes a file: it takes all that has queued, writes it in one transaction, then answers.

Group commit: while one transaction is flushed to disk, the steps of other runs queue up for the next, so a flush is
shared by as many runs as there are. An item that is refused (`RunFenced`, `RunBusy`, …) has written nothing and fails
alone. When anything else goes wrong, the transaction is rolled back and each item is tried in one of its own, so that
only those fail that must. A caller is answered after its COMMIT, never before.

The thread renews the leases too, in the transaction that is due anyway or in one of its own, so an event loop that is
blocked loses nothing. It sleeps until there is something to do.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from agentgraph.clock import Clock
from agentgraph.concurrency import ThreadWaiter
from agentgraph.exceptions import AgentRunError, GraphRuntimeError, StoreError

from .sqlite_errors import cannot_write
from .sqlite_file import File
from .sqlite_leases import Change, Leases

__all__ = ["Apply", "Item", "Writer"]

T = TypeVar("T")

Apply = Callable[[sqlite3.Connection, float], tuple[T, Change]]
"""A write: gets the connection inside a transaction and the time, returns its answer and what it does to the leases."""

_LOG = logging.getLogger("agentgraph.stores")

_RENEWALS = 3
"""How often a lease is renewed in its length: two may fail before it runs out."""


class Item(Generic[T]):
    """A write on its way through the thread; `gives_up`: the epoch of the claim that ends even if the write fails."""

    def __init__(
        self,
        apply: Apply[T],
        run_id: str,
        seq: int | None,
        waiter: ThreadWaiter[T] | None,
        gives_up: int | None = None,
    ) -> None:
        self.run_id = run_id
        self.gives_up = gives_up
        self.value: T | None = None
        """The answer, as soon as the write was applied without being refused."""
        self.change: Change = None
        self._apply = apply
        self._seq = seq
        self._waiter = waiter
        self._answer: Callable[[], None] = self._nothing

    def run(self, connection: sqlite3.Connection, now: float) -> None:
        """Apply the write; a refusal is kept as its answer, everything else is raised."""
        self.value, self.change = None, None
        try:
            value, self.change = self._apply(connection, now)
        except (AgentRunError, GraphRuntimeError) as refusal:
            self._refuse(refusal)
        else:
            self.value = value
            waiter = self._waiter
            self._answer = self._nothing if waiter is None else lambda: waiter.succeed(value)

    def fail(self, error: Exception, file: File) -> None:
        """Answer that nothing was written, because of `error`."""
        if isinstance(error, sqlite3.Error):
            failure = cannot_write(file.path, error, self.run_id, self._seq)
            failure.__cause__ = error
            error = failure
        self.value, self.change = None, None
        self._refuse(error)

    def answer(self) -> None:
        """Wake who waits for the write."""
        self._answer()

    def _refuse(self, error: Exception) -> None:
        waiter = self._waiter
        self._answer = self._nothing if waiter is None else lambda: waiter.fail(error)

    def _nothing(self) -> None:
        pass


AnyItem = Item[Any]  # items of all types share the queue; each keeps its own type to itself


class Writer:
    """Opens the file and owns the connection that writes it.

    Raises:
        StoreError: the file cannot be a store.
    """

    def __init__(self, file: File, leases: Leases, clock: Clock) -> None:
        self._file, self._leases, self._clock = file, leases, clock
        self._connection = file.open()
        self._queue: SimpleQueue[AnyItem | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._renew_at = 0.0
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._work, name=f"agentgraph {file.path.name}", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether writes are refused: the file was closed, or opened by the process that this one was forked from."""
        return self._closed or self._pid != os.getpid()

    def submit(self, item: AnyItem) -> None:
        """Queue a write.

        Raises:
            StoreError: the writer is closed.
        """
        self.check_open()
        with self._lock:
            self.check_open()
            self._queue.put(item)

    def check_open(self) -> None:
        """Raise `StoreError` if the writer is closed."""
        if self._pid != os.getpid():
            raise StoreError(f"{self._file.path} was opened before this process was forked; open it again here")
        if self._closed:
            raise StoreError(f"{self._file.path} was closed; open it again with `open_store`")

    def close(self, timeout: float | None = None) -> None:
        """Write what has queued, give up all leases, close the connection; waits for it, at most `timeout` seconds."""
        if self._pid != os.getpid():
            return  # the thread lives in the parent
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if threading.current_thread() is not self._thread:  # as it is where garbage collection runs in the thread
            self._thread.join(timeout)

    def _work(self) -> None:
        going = True
        while going:
            items, going = self._take()
            due = len(self._leases) > 0 and self._clock.monotonic() >= self._renew_at
            if items or due:
                self._write(items, renew=due)
        self._end()

    def _take(self) -> tuple[list[AnyItem], bool]:
        """All that has queued, and whether to go on; waits for the first item, or until leases are due."""
        items: list[AnyItem] = []
        patience = max(0.0, self._renew_at - self._clock.monotonic()) if self._leases else None
        with suppress(Empty):
            item = self._queue.get(timeout=patience)
            while item is not None:
                items.append(item)
                item = self._queue.get_nowait()
            return items, False
        return items, True

    def _write(self, items: Sequence[AnyItem], *, renew: bool) -> None:
        """One transaction, then the answers."""
        if renew or not self._leases:
            self._renew_at = self._clock.monotonic() + self._leases.length / _RENEWALS
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self._fail(items, error)
            return
        try:
            now = self._clock.now().timestamp()
            lost = self._leases.renew(self._connection, now) if renew else set[str]()
            for item in items:
                item.run(self._connection, now)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, the waiting tasks must hear of it
            self._roll_back()
            self._one_by_one(items, error)
            return
        self._leases.drop(lost)
        for item in items:
            self._leases.apply(item.change)
        for item in items:
            item.answer()

    def _one_by_one(self, items: Sequence[AnyItem], error: Exception) -> None:
        """After a failed transaction: each item in one of its own; a lone item has failed."""
        if len(items) < 2:  # noqa: PLR2004 - a lone item
            self._fail(items, error)
            return
        for item in items:
            self._write([item], renew=False)

    def _fail(self, items: Sequence[AnyItem], error: Exception) -> None:
        if not items:
            _LOG.warning("%s: leases could not be renewed: %s", self._file.path, error)
        for item in items:
            if item.gives_up is not None:
                self._leases.abandon(item.run_id, item.gives_up)
            item.fail(error, self._file)
            item.answer()

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself after the worst errors
            self._connection.execute("ROLLBACK")

    def _end(self) -> None:
        try:
            if self._leases:
                self._leases.give_up(self._connection, self._clock.now().timestamp())
            self._connection.close()
        except sqlite3.Error as error:
            _LOG.warning("%s: leases could not be given up: %s", self._file.path, error)
