"""How runs are read from PostgreSQL, each query in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import psycopg
from anyio import to_thread
from tenacity import Retrying

from agentgraph.exceptions import RunNotFound
from agentgraph.graph.store import OPENING, JournalRecord, RunFilter, RunRecord, StepRecord

from .blobs import Stored, is_cut, whole
from .postgres_errors import cannot_read
from .postgres_rows import Reads
from .postgres_schema import Connection
from .readers import Readers

__all__ = ["DatabaseReads"]

T = TypeVar("T", bound=Stored)


class DatabaseReads:
    """The reading half of `PostgresStore`; `check_open` refuses reads of a store that was closed."""

    place: str
    """The database and its schema, for people; without the password."""

    def __init__(
        self, reads: Reads, readers: Readers[Connection], retrying: Retrying, check_open: Callable[[], None]
    ) -> None:
        self._reads, self._readers, self._retrying, self._check_open = reads, readers, retrying, check_open

    async def load(self, run_id: str) -> RunRecord:
        def find(connection: Connection) -> list[RunRecord]:
            run = self._reads.run(connection, run_id)
            return [] if run is None else [run]

        found = await self._read(find, run_id)
        if not found:
            raise RunNotFound(run_id, self.place)
        return found[0]

    async def steps(self, run_id: str, after: int = OPENING - 1) -> list[StepRecord]:
        return await self._read(partial(self._reads.steps, run_id=run_id, after=after), run_id)

    async def calls(self, run_id: str) -> list[JournalRecord]:
        return await self._read(partial(self._reads.calls, run_id=run_id), run_id)

    async def _whole(self, run: RunRecord) -> RunRecord:
        """A run that a write has answered with."""
        return (await self._read(lambda _: [run]))[0] if is_cut(run) else run

    async def _read(self, query: Callable[[Connection], Sequence[T]], run_id: str | None = None) -> list[T]:
        def read(connection: Connection) -> list[T]:
            return whole(partial(query, connection), partial(self._reads.blobs, connection), run_id)

        self._check_open()
        try:
            return await to_thread.run_sync(self._lend, read)
        except psycopg.Error as error:
            raise cannot_read(self.place, error) from error

    def _lend(self, query: Callable[[Connection], list[T]]) -> list[T]:
        return self._retrying(lambda: self._readers.lend(query))

    # Last: what stands below it could not say `list[…]`.
    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        return await self._read(partial(self._reads.runs, which=which or RunFilter()))
