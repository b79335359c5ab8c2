"""How runs are read from PostgreSQL, each query in a worker thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import psycopg
from anyio import to_thread
from tenacity import Retrying

from agentgraph.exceptions import RunNotFound
from agentgraph.graph.store import OPENING, JournalRecord, RunFilter, RunRecord, StepRecord

from .postgres_errors import cannot_read
from .postgres_rows import Reads
from .postgres_schema import Connection
from .readers import Readers

__all__ = ["DatabaseReads"]

T = TypeVar("T")


class DatabaseReads:
    """The reading half of `PostgresStore`; `check_open` refuses reads of a store that was closed."""

    place: str
    """The database and its schema, for people; without the password."""

    def __init__(
        self, reads: Reads, readers: Readers[Connection], retrying: Retrying, check_open: Callable[[], None]
    ) -> None:
        self._reads, self._readers, self._retrying, self._check_open = reads, readers, retrying, check_open

    async def load(self, run_id: str) -> RunRecord:
        found = await self._read(partial(self._reads.run, run_id=run_id))
        if found is None:
            raise RunNotFound(run_id, self.place)
        return found

    async def steps(self, run_id: str, after: int = OPENING - 1) -> list[StepRecord]:
        return await self._read(partial(self._reads.steps, run_id=run_id, after=after))

    async def calls(self, run_id: str) -> list[JournalRecord]:
        return await self._read(partial(self._reads.calls, run_id=run_id))

    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        return await self._read(partial(self._reads.runs, which=which or RunFilter()))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        self._check_open()
        try:
            return await to_thread.run_sync(self._lend, query)
        except psycopg.Error as error:
            raise cannot_read(self.place, error) from error

    def _lend(self, query: Callable[[Connection], T]) -> T:
        return self._retrying(lambda: self._readers.lend(query))
