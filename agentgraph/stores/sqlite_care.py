"""The writes of a SQLite file that move whole runs: in from another store, and out."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from agentgraph.exceptions import RunExists, RunNotFound
from agentgraph.graph.store import RunRecord, StoredRun

from .leases import Change, Leases
from .removal import Relatives, as_inserted, check_rest, doomed
from .rows import RUN, branch_values, journal_values, run_record, run_values, step_values
from .sqlite_blobs import drop_blobs
from .sqlite_rows import INSERT_BRANCH, INSERT_JOURNAL, INSERT_STEP, find_run

__all__ = ["Care"]

_MARKS: LiteralString = ", ".join("?" for _ in RUN.split(","))
_INSERT: LiteralString = f"INSERT INTO runs ({RUN}) VALUES ({_MARKS})"  # noqa: S608 - columns of ours
_CHILDREN = "SELECT" + RUN + "FROM runs WHERE parent = ? ORDER BY created_at, run_id"
_FOLLOWERS = "SELECT run_id FROM runs WHERE origin_run = ?"
_DELETES = tuple(
    f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 - tables of ours
    for table in ("runs", "steps", "journal", "pending", "events")
)


@dataclass(frozen=True, slots=True)
class Care:
    """As `Writes`: every method returns its answer and what it changes in the leases."""

    place: str
    """The file's name, for `RunNotFound`."""
    leases: Leases

    def insert(self, connection: sqlite3.Connection, now: float, runs: Sequence[StoredRun]) -> tuple[None, Change]:
        new = {stored.run.run_id for stored in runs}
        for stored in runs:
            if find_run(connection, stored.run.run_id) is not None:
                raise RunExists(stored.run.run_id)
            if stored.run.origin is not None and stored.run.origin[0] not in new:
                self._find(connection, stored.run.origin[0])
        for stored in runs:
            run_id = stored.run.run_id
            connection.execute(_INSERT, run_values(as_inserted(stored.run)))
            connection.executemany(INSERT_STEP, [(run_id, *step_values(step)) for step in stored.steps])
            connection.executemany(INSERT_JOURNAL, [(run_id, *journal_values(call)) for call in stored.calls])
            connection.executemany(INSERT_BRANCH, [(run_id, *branch_values(each)) for each in stored.branches])
        return None, None

    def delete(self, connection: sqlite3.Connection, now: float, run_id: str) -> tuple[Sequence[str], Change]:
        def check(run: RunRecord) -> None:
            check_rest(run, now, self.leases.is_dead(run), held=self.leases.holds(run))

        gone = [run.run_id for run in doomed(self._find(connection, run_id), _relatives(connection), check)]
        for statement in _DELETES:
            connection.executemany(statement, [(each,) for each in gone])
        drop_blobs(connection, gone)
        return gone, None

    def _find(self, connection: sqlite3.Connection, run_id: str) -> RunRecord:
        run = find_run(connection, run_id)
        if run is None:
            raise RunNotFound(run_id, self.place)
        return run


def _relatives(connection: sqlite3.Connection) -> Relatives:
    def has(run_id: str) -> bool:
        return find_run(connection, run_id) is not None

    def children(run_id: str) -> list[RunRecord]:
        return [run_record(row) for row in connection.execute(_CHILDREN, (run_id,))]

    def followers(run_id: str) -> list[str]:
        return [follower for (follower,) in connection.execute(_FOLLOWERS, (run_id,))]

    return Relatives(has, children, followers)
