"""Runs kept in one SQLite file that many processes may share: the embedded store.

Writes go through one thread (`group_commit.py`, `sqlite_writer.py`), reads through connections of their own
(`readers.py`, `sqlite_reads.py`). The statements are in `sqlite_writes.py`, `sqlite_care.py` and `sqlite_rows.py`, the
tables in `sqlite_schema.py`.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from anyio import to_thread

from agentgraph.clock import Clock, SystemClock
from agentgraph.exceptions import UserError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import (
    Alarm,
    Commit,
    EventRecord,
    JournalRecord,
    Lapsed,
    NewRun,
    RunRecord,
    Settlement,
    ShieldsSteps,
    StoredRun,
)

from .blobs import Blobs, Cutter
from .group_commit import GroupWriter
from .leases import Leases
from .medium import Item
from .owner import this_process
from .readers import Readers
from .sqlite_care import Care
from .sqlite_file import File, Synchronous
from .sqlite_reads import FileReads
from .sqlite_writer import AnyApply, Apply, FileMedium
from .sqlite_writes import Writes
from .told import Told

__all__ = ["SQLiteStore"]

T = TypeVar("T")

_PATIENCE = 5.0
"""Seconds that the end of the interpreter waits for a store that nobody closed."""


class SQLiteStore(FileReads, ShieldsSteps):
    """Keeps runs in a SQLite file.

    A new file can be read by its owner alone. Every write is one transaction and outlives the process; writes of
    many runs that come at once share a transaction. The methods can be awaited from any event loop and any thread,
    not from a process forked after the store was opened.

    Args:
        path: The file; created if it does not exist, in a folder that does.
        lease: Seconds after which another process may take over a run whose owner is not heard of; renewed every
            third of it.
        synchronous: `FULL`: what was committed survives the machine's loss of power. `NORMAL`: it survives that of
            the process, and after a loss of power the file is sound but may lack the last steps.
        busy_timeout: Seconds to wait while other processes write.
        clock: Where leases and the times of records come from.

    Raises:
        StoreError: the file cannot be opened, created or understood; says why and what to do.
        UserError: an argument makes no sense.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        lease: float = 15.0,
        synchronous: Synchronous = "FULL",
        busy_timeout: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        if str(path) == ":memory:":
            raise UserError("SQLiteStore keeps runs in a file; for runs in memory take `MemoryStore()`")
        if lease <= 0:
            raise UserError(f"a lease of {lease} s runs out at once; give `lease` a number above 0")
        if synchronous not in ("FULL", "NORMAL"):
            raise UserError(f"synchronous={synchronous!r} is not known; give 'FULL' or 'NORMAL'")
        self.settings = (lease, synchronous, busy_timeout)
        file = File(Path(os.path.realpath(path)), synchronous, busy_timeout)
        leases = Leases(lease, str(file.path))
        self._writes = Writes(str(file.path), this_process(), leases)
        self._care = Care(str(file.path), leases)
        clock = clock or SystemClock()
        self._writer = GroupWriter[AnyApply](FileMedium(file, leases, clock), leases, clock.monotonic)
        self._told = Told(partial(_submit, self._writer, self._writes))
        super().__init__(file.path, Readers(file.connect_to_read), self._writer.watchers, self._writer.check_open)
        # At the interpreter's end too. It holds what is to be closed, never the store; the thread holds neither.
        weakref.finalize(self, _close, self._writer, self._readers)

    @property
    def closed(self) -> bool:
        """Whether the store can no longer be used in this process."""
        return self._writer.closed

    async def create(self, run: NewRun) -> RunRecord:
        cutter = Cutter()
        return await self._take(partial(self._writes.create, run=cutter.new_run(run)), run.run_id, cutter.blobs)

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        cutter = Cutter()
        options = None if options is None else cutter.payload(run_id, options)
        return await self._take(partial(self._writes.claim, run_id=run_id, options=options), run_id, cutter.blobs)

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> Lapsed:
        return self._writer.watch(run_id, epoch, alarm)

    async def commit(self, commit: Commit) -> Status:
        self._told.flush(commit.run_id, committed=commit.step.seq)
        cutter = Cutter()
        apply = partial(self._writes.commit, commit=cutter.commit(commit))
        item: Item[AnyApply, Status] = Item(apply, commit.run_id, commit.step.seq, blobs=cutter.blobs)
        return await self._writer.complete(item)

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        cutter = Cutter()
        apply = partial(self._writes.journal, run_id=run_id, epoch=epoch, record=cutter.call(run_id, record))
        item: Item[AnyApply, None] = Item(apply, run_id, record.seq, blobs=cutter.blobs)
        await self._writer.complete(item)

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        self._told.tell(run_id, epoch, event)

    async def settle(self, settlement: Settlement) -> Status:
        self._told.flush(settlement.run_id)
        cutter = Cutter()
        apply, epoch = partial(self._writes.settle, settlement=cutter.settlement(settlement)), settlement.epoch
        item: Item[AnyApply, Status] = Item(apply, settlement.run_id, gives_up=epoch, blobs=cutter.blobs)
        return await self._writer.complete(item)

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        await self._write(partial(self._writes.answer, run_id=run_id, key=key, value=value, digest=digest), run_id)

    async def cancel(self, run_id: str) -> Status:
        return await self._write(partial(self._writes.cancel, run_id=run_id), run_id)

    async def insert(self, runs: Sequence[StoredRun]) -> None:
        cutter = Cutter()
        apply = partial(self._care.insert, runs=[cutter.stored(run) for run in runs])
        await self._write(apply, runs[0].run.run_id if runs else "", cutter.blobs, lengthy=True)

    async def delete(self, run_id: str) -> Sequence[str]:
        return await self._write(partial(self._care.delete, run_id=run_id), run_id, lengthy=True)

    async def aclose(self) -> None:
        """Write what has queued, give up the runs' leases and close the file; again: nothing."""
        self._told.flush_all()
        await to_thread.run_sync(self._writer.close)
        self._readers.close()

    async def _write(self, apply: Apply[T], run_id: str, blobs: Blobs | None = None, *, lengthy: bool = False) -> T:
        item: Item[AnyApply, T] = Item(apply, run_id, blobs=blobs)
        item.lengthy = lengthy
        return await self._writer.perform(item)

    async def _take(self, apply: Apply[RunRecord], run_id: str, blobs: Blobs) -> RunRecord:
        item = Item[AnyApply, RunRecord](apply, run_id, blobs=blobs)
        give_back = partial(self._writes.give_back, claimed=lambda: item.value)
        return await self._whole(await self._writer.take(item, give_back))


def _submit(
    writer: GroupWriter[AnyApply], writes: Writes, run_id: str, epoch: int, events: Sequence[EventRecord]
) -> None:
    apply = partial(writes.tell, run_id=run_id, epoch=epoch, events=events)
    item = Item[AnyApply, None](apply, run_id)
    item.relaxed = True
    writer.submit(item)


def _close(writer: GroupWriter[AnyApply], readers: Readers[sqlite3.Connection]) -> None:
    if not writer.closed:  # as it is in a process that was forked from the one that opened it
        writer.close(_PATIENCE)
        readers.close()
