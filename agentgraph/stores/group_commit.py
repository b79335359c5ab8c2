"""The one thread that writes for a store: it takes all that has queued, has it written together, then answers.

Group commit: while one transaction is flushed to disk, the steps of other runs queue up for the next, so a flush is
shared by as many runs as there are. An item that is refused (`RunFenced`, `RunBusy`, …) has written nothing and fails
alone. When anything else goes wrong, what was not written is tried item by item, so that only those fail that must. A
caller is answered after its commit, never before. Runs that take their steps faster than the disk would fall into two
groups that wait for each other's flush, so a group waits a moment for those that were answered just before.

Where a write needs no flush, a hop to the thread and back costs as much as the write. So while nothing is queued, and
the medium can do it without waiting for anything, whoever asks writes it himself; but now and then the thread does.

The thread has the leases renewed too, so an event loop that is blocked loses nothing, and what the renewal finds is
told to the runs' owners. Where the database keeps it waiting, a second thread (`watchdog.py`) sees leases run out. Both
sleep until there is something to do. How a group is written is the affair of a `Medium`, one for each kind of database
(`medium.py`).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from anyio.lowlevel import checkpoint

from agentgraph.concurrency import ThreadWaiter, shielded, uninterrupted, woken_together
from agentgraph.exceptions import StoreError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import Alarm, Lapsed

from .inbox import Inbox
from .leases import Leases
from .medium import Item, Medium, OutOfReachError
from .watchdog import Watchdog
from .watching import Watchers

__all__ = ["GroupWriter"]

WriteT = TypeVar("WriteT")
T = TypeVar("T")

LOG = logging.getLogger("agentgraph.stores")

_RENEWALS = 3
"""How often a lease is renewed in its length: two may fail before it runs out."""

_MOMENT = (0.001, 0.005)
"""Seconds after a group in which the next one waits for the same runs: as many as that took, but no fewer or more."""

_LONGEST = 0.02
"""Seconds in which it waits on, for so long as the least of these moments brings one more of them."""

_AT_ONCE = 64
"""So many writes in a row are done by who asks for them, then the thread does one: a medium has it do what takes long,
and an event loop, which is not left meanwhile, gets its turn."""


class GroupWriter(Generic[WriteT]):
    """Owns the thread, the queue and the rhythm of renewals."""

    def __init__(self, medium: Medium[WriteT], leases: Leases, monotonic: Callable[[], float]) -> None:
        self._medium, self._leases, self._monotonic = medium, leases, monotonic
        self._watchdog = Watchdog(leases, monotonic, medium.place)
        self.watchers = Watchers()
        """Who is woken by writes."""
        self._inbox = Inbox[Item[WriteT, Any]]()
        self._lock = threading.RLock()  # garbage collection may close the store in whichever thread holds it
        self._closed = False
        self._busy = 0  # so much is queued or written by the thread; while it is 0, whoever has the lock may write
        self._at_once = 0
        self._ended, self._took = 0.0, 0.0
        self._recent: tuple[set[str], set[str]] = set(), set()
        """The runs that were answered in the last two groups, and go on."""
        self._resting = False  # the thread sleeps until something is queued: there were no leases to renew
        self._renew_at = 0.0
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._work, name=f"agentgraph {medium.place}", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether writes are refused: the store was closed, or opened by the process that this one was forked from."""
        return self._closed or self._pid != os.getpid()

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> Lapsed:
        """Call `alarm` when the claim of a run has to be stopped; returns what says whether its lease ran out."""
        self._leases.watch(run_id, epoch, alarm)
        return partial(self._is_late, run_id)

    def submit(self, item: Item[WriteT, Any]) -> None:
        """Queue a write.

        Raises:
            StoreError: the writer is closed.
        """
        with self._lock:
            self.check_open()
            self._busy += 1
            self._inbox.put(item)

    async def perform(self, item: Item[WriteT, T]) -> T:
        """Write something, at once or through the queue, and wait for its answer.

        Raises:
            StoreError: the writer is closed, or the write failed.
            Exception: what it was refused with.
        """
        if not self._write_at_once(item):
            await self._queued(item).wait()
            if self._is_late(item.run_id):
                await checkpoint()
        return item.outcome()

    async def complete(self, item: Item[WriteT, T]) -> T:
        """The same, to its end: who is cancelled while he waits learns of it afterwards.

        Raises:
            StoreError, Exception: as `perform`.
        """
        if not self._write_at_once(item):
            await self._queued(item).outlast()
            if self._is_late(item.run_id):
                await shielded(checkpoint())
        return item.outcome()

    def _queued(self, item: Item[WriteT, Any]) -> ThreadWaiter[None]:
        waiter = item.waiter = ThreadWaiter[None]()
        self.submit(item)
        return waiter

    def _is_late(self, run_id: str) -> bool:
        """Whether the lease of a run that was held has run out, whose owner is alarmed then.

        The process was stopped meanwhile, or had no time of its machine. Who waited is to hear of the alarm before the
        next thing is done.
        """
        now = self._monotonic()
        late = self._leases.is_late(run_id, now)
        if late:
            self._leases.lapse(now)
        return late

    async def take(self, item: Item[WriteT, T], give_back: WriteT) -> T:
        """Perform a write that claims a run; `give_back` is written for a caller that is cancelled meanwhile."""
        try:
            return await self.perform(item)
        except Exception:
            raise
        except BaseException:
            with suppress(StoreError):  # closed: the run was given up with all others
                self.submit(Item[WriteT, None](give_back, item.run_id))
            raise

    def check_open(self) -> None:
        """Raise `StoreError` if the writer is closed."""
        if self._pid != os.getpid():
            raise StoreError(f"{self._medium.place} was opened before this process was forked; open it again here")
        if self._closed:
            raise StoreError(f"{self._medium.place} was closed; open it again with `open_store`")

    def close(self, timeout: float | None = None) -> None:
        """Write what has queued, give up all leases, close the medium; waits for it, at most `timeout` seconds."""
        if self._pid != os.getpid():
            return  # the thread lives in the parent
        with self._lock:
            if not self._closed:
                self._closed = True
                self._inbox.ring()
        if threading.current_thread() is not self._thread:  # as it is where garbage collection runs in the thread
            self._thread.join(timeout)

    def _write_at_once(self, item: Item[WriteT, Any]) -> bool:
        if self._medium.waits:
            return False
        self.check_open()
        if item.lengthy or self._at_once == _AT_ONCE or not self._lock.acquire(blocking=False):
            return False
        try:
            if self._busy or self._closed or self._due():
                return False
            self._begin(renew=False)
            if not uninterrupted(partial(self._medium.write_at_once, item)):
                return False
            self._at_once += 1
            self._take_over(item)
            self.watchers.ring((item.run_id,))
            if self._resting and self._leases:
                self._inbox.ring()
            return True
        finally:
            self._lock.release()

    def _due(self) -> bool:
        """Whether the leases are to be renewed, as soon as anything is written or the thread wakes."""
        return len(self._leases) > 0 and self._monotonic() >= self._renew_at

    def _work(self) -> None:
        going = True
        while going:
            items, going = self._take()
            due = self._due()
            if items or due:
                with self._lock:
                    self._busy += due
                self._write(items, renew=due)
                with self._lock:
                    self._busy -= due + len(items)
                    self._at_once = 0
        try:
            self._medium.end()
        except Exception as error:  # noqa: BLE001 - nobody is left to hear of it but the log
            LOG.warning("%s: leases could not be given up: %s", self._medium.place, error)
        self._watchdog.close()

    def _take(self) -> tuple[list[Item[WriteT, Any]], bool]:
        """All that has queued, and whether to go on; waits for the first item, or until leases are due."""
        if self._medium.waits:
            self._gather()
        with self._lock:
            going, held = not self._closed, len(self._leases) > 0
            self._resting = going and not held
            patience = None if self._resting else max(0.0, self._renew_at - self._monotonic()) if going else 0.0
        self._inbox.wait(1, patience)
        return self._inbox.take(), going

    def _gather(self) -> None:
        """Wait for those that will be back in less time than a group takes, or at least come one after the other."""
        company, came, before = len(self._recent[0] | self._recent[1]), 0, -1
        until = self._ended + min(max(self._took, _MOMENT[0]), _MOMENT[1])
        while before < came < company and (patience := until - self._monotonic()) > 0:
            came, before = self._inbox.wait(company, patience), came
            until = max(until, min(self._monotonic() + _MOMENT[0], self._ended + _LONGEST))

    def _write(self, items: Sequence[Item[WriteT, Any]], *, renew: bool) -> None:
        """Have a group written, then answer."""
        self._begin(renew=renew)
        failure: Exception | None = None
        try:
            self._medium.write(items, renew=renew)
        except Exception as error:  # noqa: BLE001 - whatever it is, the waiting tasks must hear of it
            failure = error
        self._conclude([item for item in items if item.settled])
        if failure is not None:
            self._recover([item for item in items if not item.settled], failure)

    def _begin(self, *, renew: bool) -> None:
        """Note when the leases count from that this write renews or claims."""
        now = self._leases.began = self._monotonic()
        if renew or not self._leases:
            self._renew_at = now + self._leases.length / _RENEWALS
        if renew:
            self._leases.lapse(now)  # what ran out is not renewed, or its owner would go on beside another one

    def _conclude(self, settled: Sequence[Item[WriteT, Any]]) -> None:
        """Take over what was written, and tell of it."""
        for item in settled:
            self._take_over(item)
        self._ended = self._monotonic()
        self._took = self._ended - self._leases.began
        self._recent = {item.run_id for item in settled if item.value is Status.RUNNING}, self._recent[0]
        with woken_together():
            for item in settled:
                item.answer()
        self.watchers.ring(item.run_id for item in settled)

    def _take_over(self, item: Item[WriteT, Any]) -> None:
        """Take over what a write has changed of the leases."""
        if item.change is not None and self._leases.apply(item.change):
            self._watchdog.attend()

    def _recover(self, items: Sequence[Item[WriteT, Any]], error: Exception) -> None:
        """After a failure: each item alone; a lone item has failed, and all have where nothing is in reach."""
        if len(items) > 1 and not isinstance(error, OutOfReachError):
            for item in items:
                self._write([item], renew=False)
            return
        reason = error.reason if isinstance(error, OutOfReachError) else error
        if not items:
            LOG.warning("%s: leases could not be renewed: %s", self._medium.place, reason)
        for item in items:
            if item.gives_up is not None:
                self._leases.abandon(item.run_id, item.gives_up)
            item.refuse(self._medium.explain(reason, item))
            item.answer()
