"""How runs are read from a SQLite file, each query in a worker thread."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from anyio import to_thread

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
from .readers import Readers
from .sqlite_blobs import read_blobs
from .sqlite_errors import cannot_read
from .sqlite_rows import find_run, read_branches, read_calls, read_events, read_runs, read_steps
from .watching import Glances, Watchers

__all__ = ["FileReads"]

T = TypeVar("T", bound=Stored)
FoundT = TypeVar("FoundT")

_FIRST_LOOK, _LONGEST_LOOK = 0.01, 0.25
"""Seconds between looks at what other processes have written."""


class FileReads:
    """The reading half of `SQLiteStore`; `check_open` refuses reads of a store that was closed."""

    def __init__(
        self,
        path: Path,
        readers: Readers[sqlite3.Connection],
        watchers: Watchers,
        check_open: Callable[[], None],
    ) -> None:
        self.path = path
        self._watchers = watchers
        self._readers, self._check_open = readers, check_open

    async def load(self, run_id: str) -> RunRecord:
        found = await self._read(partial(_found, run_id=run_id), run_id)
        if not found:
            raise RunNotFound(run_id, str(self.path))
        return found[0]

    async def steps(self, run_id: str, after: int = OPENING - 1) -> list[StepRecord]:
        return await self._read(partial(read_steps, run_id=run_id, after=after), run_id)

    async def calls(self, run_id: str) -> list[JournalRecord]:
        return await self._read(partial(read_calls, run_id=run_id), run_id)

    async def events(self, run_id: str, since: tuple[int, int, int] = (OPENING, 0, 0)) -> list[EventRecord]:
        return await self._ask(partial(read_events, run_id=run_id, since=since))

    @asynccontextmanager
    async def changes(self, run_id: str) -> AsyncGenerator[Changes]:
        with self._watchers.bell(run_id) as bell:
            yield Glances(bell, _FIRST_LOOK, _LONGEST_LOOK)

    async def branches(self, run_id: str) -> list[BranchRecord]:
        return await self._read(partial(read_branches, run_id=run_id), run_id)

    async def _whole(self, run: RunRecord) -> RunRecord:
        """A run that a write has answered with."""
        return (await self._read(lambda _: [run]))[0] if is_cut(run) else run

    async def _read(self, query: Callable[[sqlite3.Connection], Sequence[T]], run_id: str | None = None) -> list[T]:
        def read(connection: sqlite3.Connection) -> list[T]:
            return whole(partial(query, connection), partial(read_blobs, connection), run_id)

        return await self._ask(read)

    async def _ask(self, query: Callable[[sqlite3.Connection], FoundT]) -> FoundT:
        self._check_open()
        try:
            return await to_thread.run_sync(self._readers.lend, query)
        except sqlite3.Error as error:
            raise cannot_read(self.path, error) from error

    # Last: what stands below it could not say `list[…]`.
    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        return await self._read(partial(read_runs, which=which or RunFilter()))


def _found(connection: sqlite3.Connection, run_id: str) -> list[RunRecord]:
    run = find_run(connection, run_id)
    return [] if run is None else [run]
