"""How runs are read from PostgreSQL, each query in a worker thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import psycopg
from anyio import to_thread
from tenacity import Retrying

from agentgraph.exceptions import RunNotFound
from agentgraph.graph.store import (
    OPENING,
    BranchRecord,
    Changes,
    EventRecord,
    JournalRecord,
    RunFilter,
    RunRecord,
    StepRecord,
)

from .blobs import Stored, is_cut, whole
from .postgres_errors import cannot_read
from .postgres_listening import Listening
from .postgres_rows import Reads
from .postgres_schema import Connection
from .readers import Readers
from .watching import Glances, Watchers

__all__ = ["DatabaseReads"]

T = TypeVar("T", bound=Stored)
FoundT = TypeVar("FoundT")

_FIRST_LOOK, _LONGEST_LOOK = 0.02, 0.5
"""Seconds between looks at the tables, where no note comes."""


class DatabaseReads:
    """The reading half of `PostgresStore`; `check_open` refuses reads of a store that was closed."""

    place: str
    """The database and its schema, for people; without the password."""

    def __init__(
        self,
        reads: Reads,
        readers: Readers[Connection],
        retrying: Retrying,
        listening: tuple[Listening, Watchers],
        check_open: Callable[[], None],
    ) -> None:
        self._listening, self._watchers = listening
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

    async def events(self, run_id: str, since: tuple[int, int, int] = (OPENING, 0, 0)) -> list[EventRecord]:
        return await self._ask(partial(self._reads.events, run_id=run_id, since=since))

    @asynccontextmanager
    async def changes(self, run_id: str) -> AsyncGenerator[Changes]:
        self._check_open()
        with self._watchers.bell(run_id) as bell:
            async with self._listening.following(run_id, self._ask):
                yield Glances(bell, _FIRST_LOOK, _LONGEST_LOOK)

    async def branches(self, run_id: str) -> list[BranchRecord]:
        return await self._read(partial(self._reads.branches, run_id=run_id), run_id)

    async def _whole(self, run: RunRecord) -> RunRecord:
        """A run that a write has answered with."""
        return (await self._read(lambda _: [run]))[0] if is_cut(run) else run

    async def _read(self, query: Callable[[Connection], Sequence[T]], run_id: str | None = None) -> list[T]:
        def read(connection: Connection) -> list[T]:
            return whole(partial(query, connection), partial(self._reads.blobs, connection), run_id)

        return await self._ask(read)

    async def _ask(self, query: Callable[[Connection], FoundT]) -> FoundT:

        self._check_open()
        try:
            return await to_thread.run_sync(self._lend, query)
        except psycopg.Error as error:
            raise cannot_read(self.place, error) from error

    def _lend(self, query: Callable[[Connection], FoundT]) -> FoundT:
        return self._retrying(lambda: self._readers.lend(query))

    # Last: what stands below it could not say `list[…]`.
    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        return await self._read(partial(self._reads.runs, which=which or RunFilter()))
