"""Runs kept in a PostgreSQL database, which the processes of many machines may share.

Writes go through one thread (`group_commit.py`, `postgres_writer.py`), reads through connections of their own
(`readers.py`, `postgres_reads.py`), all of them in threads, so that asyncio and trio are served alike. The statements
are in `postgres_statements.py`, `postgres_care.py` and `postgres_rows.py`, the tables in `postgres_schema.py`.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from uuid import uuid4

from anyio import to_thread
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_all,
    wait_random_exponential,
)

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
    StoredRun,
)

from .blobs import Blobs, Cutter
from .claims import settled
from .group_commit import GroupWriter
from .leases import Leases
from .medium import Item
from .owner import this_process
from .postgres_batches import Answer, Cancel, Claim, Create, Delete, GiveBack, Insert, Note, Tell, Write
from .postgres_branches import Branches
from .postgres_care import Care
from .postgres_database import Database, Synchronous
from .postgres_errors import is_passing
from .postgres_listening import Listening
from .postgres_looking import Looking
from .postgres_reads import DatabaseReads
from .postgres_rows import Reads
from .postgres_schema import Connection
from .postgres_statements import Statements
from .postgres_writer import DatabaseMedium
from .readers import Readers
from .told import Told

__all__ = ["PostgresStore"]

_PATIENCE_AT_THE_END = 5.0
"""Seconds that the end of the interpreter waits for a store that nobody closed."""

_LONGEST_NAME = 63
"""Bytes of a PostgreSQL identifier; longer ones are cut without a word."""


class PostgresStore(DatabaseReads):
    """Keeps runs in a schema of a PostgreSQL database.

    The schema and its tables are created if they do not exist. Every write is one transaction; writes of many runs
    that come at once share it. A server that restarts is waited for. The methods can be awaited from any event loop
    and any thread, not from a process forked after the store was opened.

    Args:
        url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?option=value`, as libpq reads it; what is left out comes
            from libpq's environment variables and password file.
        schema: Where the tables are. It belongs to this store alone.
        lease: Seconds after which another process may take over a run whose owner is not heard of; renewed every
            third of it.
        synchronous: `FULL`: what was committed survives the server's loss of power. `NORMAL`: it survives that of
            this process, and a crash of the server may take the last steps.
        patience: Seconds to wait for a server that is away before a read or a write fails.
        clock: Where leases and the times of records come from; the server's clock if None.

    Raises:
        StoreError: the database cannot be opened or understood; says why and what to do.
        UserError: an argument makes no sense.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str = "agentgraph",
        lease: float = 15.0,
        synchronous: Synchronous = "FULL",
        patience: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        if lease <= 0:
            raise UserError(f"a lease of {lease} s runs out at once; give `lease` a number above 0")
        if synchronous not in ("FULL", "NORMAL"):
            raise UserError(f"synchronous={synchronous!r} is not known; give 'FULL' or 'NORMAL'")
        if not schema.isidentifier() or len(schema.encode()) > _LONGEST_NAME:
            raise UserError(f"schema={schema!r} will not do; give letters, digits and _, at most {_LONGEST_NAME} bytes")
        self.settings = (lease, synchronous, patience)
        database = Database.at(url, schema, synchronous)
        self.place, self.database = database.place, database
        leases, retrying, reads = Leases(lease, database.place), _retrying(patience), Reads.build(schema)
        statements = Statements.build(schema)
        branches = Branches.build(schema, statements, reads)
        care = Care.build(database.place, schema, leases, branches)
        looking = Looking(database.place, this_process(), leases, clock, statements, reads, care, branches)
        medium = DatabaseMedium(database, looking, retrying)
        self._writer = GroupWriter[Write](medium, leases, (clock or SystemClock()).monotonic)
        self._told = Told(partial(_submit, self._writer))
        watchers = self._writer.watchers
        listening = Listening(database.connect, schema, watchers), watchers
        super().__init__(reads, Readers(database.connect), retrying, listening, self._writer.check_open)
        # At the interpreter's end too. It holds what is to be closed, never the store.
        weakref.finalize(self, _close, self._writer, self._readers)

    @property
    def closed(self) -> bool:
        """Whether the store can no longer be used in this process."""
        return self._writer.closed

    async def create(self, run: NewRun) -> RunRecord:
        cutter = Cutter()
        return await self._take(Create(cutter.new_run(run), uuid4().hex), run.run_id, cutter.blobs)

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        cutter = Cutter()
        options = None if options is None else cutter.payload(run_id, options)
        return await self._take(Claim(run_id, options, uuid4().hex), run_id, cutter.blobs)

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> Lapsed:
        return self._writer.watch(run_id, epoch, alarm)

    async def commit(self, commit: Commit) -> Status:
        self._told.flush(commit.run_id, committed=commit.step.seq)
        cutter = Cutter()
        item = Item[Write, Status](cutter.commit(commit), commit.run_id, commit.step.seq, blobs=cutter.blobs)
        return await self._writer.perform(item)

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        cutter = Cutter()
        note = Note(run_id, epoch, cutter.call(run_id, record))
        await self._writer.perform(Item[Write, None](note, run_id, record.seq, blobs=cutter.blobs))

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        self._told.tell(run_id, epoch, event)

    async def settle(self, settlement: Settlement) -> Status:
        settled(settlement.event, asked=False)  # refuse now what would break the others of its group
        self._told.flush(settlement.run_id)
        cutter, run_id = Cutter(), settlement.run_id
        shrunk = cutter.settlement(settlement)
        item = Item[Write, Status](shrunk, run_id, gives_up=settlement.epoch, blobs=cutter.blobs)
        return await self._writer.perform(item)

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        await self._writer.perform(Item[Write, None](Answer(run_id, key, value, digest), run_id))

    async def cancel(self, run_id: str) -> Status:
        return await self._writer.perform(Item[Write, Status](Cancel(run_id), run_id))

    async def insert(self, runs: Sequence[StoredRun]) -> None:
        if runs:
            cutter = Cutter()
            insert = Insert([cutter.stored(run) for run in runs], uuid4().hex)
            await self._writer.perform(Item[Write, None](insert, runs[0].run.run_id, blobs=cutter.blobs))

    async def delete(self, run_id: str) -> Sequence[str]:
        return await self._writer.perform(Item[Write, Sequence[str]](Delete(run_id, []), run_id))

    async def aclose(self) -> None:
        """Write what has queued, give up the runs' leases and close all connections; again: nothing."""
        self._told.flush_all()
        await to_thread.run_sync(self._writer.close)
        self._readers.close()

    async def _take(self, write: Create | Claim, run_id: str, blobs: Blobs) -> RunRecord:
        item = Item[Write, RunRecord](write, run_id, blobs=blobs)
        return await self._whole(await self._writer.take(item, GiveBack(lambda: item.value)))


def _retrying(patience: float) -> Retrying:
    """Try again what another connection may do better: at once, then ever more slowly."""
    return Retrying(
        retry=retry_if_exception(is_passing),
        wait=wait_random_exponential(multiplier=0.02, max=0.5),
        stop=stop_all(stop_after_delay(patience), stop_after_attempt(2)),
        reraise=True,
    )


def _submit(writer: GroupWriter[Write], run_id: str, epoch: int, events: Sequence[EventRecord]) -> None:
    item = Item[Write, None](Tell(run_id, epoch, events), run_id)
    item.relaxed = True
    writer.submit(item)


def _close(writer: GroupWriter[Write], readers: Readers[Connection]) -> None:
    writer.close(_PATIENCE_AT_THE_END)
    readers.close()
