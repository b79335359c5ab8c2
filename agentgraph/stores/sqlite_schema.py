"""The tables of a store's file, and the numbered migrations that bring any earlier format to the newest.

A file is ours if its `application_id` says so; its format stands in `meta`. Both are read, and migrations applied,
under the file's write lock, so many processes may open a fresh file at once: the first creates, the others find it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from agentgraph.exceptions import StoreError

__all__ = ["APPLICATION_ID", "FORMAT", "MIGRATIONS", "migrate"]

APPLICATION_ID = 0x61677268
"""The letters `agrh`, in the header of every file."""

# Bodies of a kilobyte and more stay in rowid tables: in the leaves of a WITHOUT ROWID table they would spill over
# into a page each.
_FORMAT_1 = (
    """
    CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
    """,
    """
    CREATE TABLE runs (
        run_id TEXT NOT NULL PRIMARY KEY, graph TEXT NOT NULL, agent TEXT, status TEXT NOT NULL,
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, attempt INTEGER NOT NULL,
        state BLOB NOT NULL, usage BLOB NOT NULL, options BLOB NOT NULL, pending TEXT NOT NULL,
        error TEXT, cancel INTEGER NOT NULL DEFAULT 0,
        conversation TEXT, parent TEXT, origin_run TEXT, origin_seq INTEGER,
        owner_host TEXT, owner_pid INTEGER, owner_started INTEGER, owner_name TEXT, lease_until REAL NOT NULL,
        created_at REAL NOT NULL, updated_at REAL NOT NULL
    )
    """,
    "CREATE INDEX runs_by_time ON runs (created_at, run_id)",
    "CREATE INDEX runs_by_status ON runs (status, created_at, run_id)",
    "CREATE INDEX runs_by_agent ON runs (agent, created_at, run_id) WHERE agent IS NOT NULL",
    "CREATE INDEX runs_by_parent ON runs (parent, created_at, run_id) WHERE parent IS NOT NULL",
    "CREATE INDEX runs_by_origin ON runs (origin_run) WHERE origin_run IS NOT NULL",
    "CREATE INDEX runs_by_conversation ON runs (conversation, created_at, run_id) WHERE conversation IS NOT NULL",
    """
    CREATE TABLE steps (
        run_id TEXT NOT NULL, branch TEXT NOT NULL, seq INTEGER NOT NULL,
        node TEXT NOT NULL, outcome TEXT NOT NULL, body BLOB NOT NULL, state BLOB NOT NULL, usage BLOB NOT NULL,
        attempt INTEGER NOT NULL, started_at REAL NOT NULL, ended_at REAL NOT NULL, owner TEXT NOT NULL,
        PRIMARY KEY (run_id, branch, seq)
    )
    """,
    """
    CREATE TABLE journal (
        run_id TEXT NOT NULL, branch TEXT NOT NULL, seq INTEGER NOT NULL, key TEXT NOT NULL,
        kind TEXT NOT NULL, digest TEXT NOT NULL, value BLOB NOT NULL, usage BLOB NOT NULL,
        PRIMARY KEY (run_id, branch, seq, key)
    )
    """,
    """
    CREATE TABLE pending (
        run_id TEXT NOT NULL, branch TEXT NOT NULL, seq INTEGER NOT NULL, node TEXT NOT NULL, state BLOB NOT NULL,
        PRIMARY KEY (run_id, branch)
    )
    """,
    """
    CREATE TABLE events (
        run_id TEXT NOT NULL, "offset" INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run_id, "offset")
    )
    """,
    "CREATE TABLE blobs (digest TEXT NOT NULL PRIMARY KEY, data BLOB NOT NULL)",
)

# Which runs need a blob: it goes with the last of them.
_FORMAT_2 = (
    "CREATE TABLE run_blobs (run_id TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (run_id, digest)) WITHOUT ROWID",
    "CREATE INDEX run_blobs_by_digest ON run_blobs (digest)",
)

# Nothing was written into the table that format 1 had. A row holds several events, and is named by the last of them.
_TOLD_EVENTS = (
    "DROP TABLE events",
    """
    CREATE TABLE events (
        run_id TEXT NOT NULL, branch TEXT NOT NULL, seq INTEGER NOT NULL, attempt INTEGER NOT NULL, n INTEGER NOT NULL,
        kind TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run_id, branch, seq, attempt, n)
    )
    """,
)

# Runs that sleep until a time.
_TIMERS = (
    "ALTER TABLE runs ADD COLUMN wake_at REAL",
    "CREATE INDEX runs_by_wake ON runs (wake_at) WHERE wake_at IS NOT NULL",
)

# Runs that were handed to a dispatcher.
_DISPATCHED = (
    "ALTER TABLE runs ADD COLUMN dispatch TEXT",
    "CREATE INDEX runs_by_dispatch ON runs (status, created_at, run_id) WHERE dispatch IS NOT NULL",
)

MIGRATIONS: Sequence[Sequence[str]] = (_FORMAT_1, _FORMAT_2, _TOLD_EVENTS, _TIMERS, _DISPATCHED)
"""The statements that lead from format n to n + 1, at index n; format 0 is an empty file."""

FORMAT = len(MIGRATIONS)
"""The format that this release writes."""


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring the file to the newest format; call it inside a write transaction.

    Raises:
        StoreError: the database belongs to another program, or a newer release wrote it.
        sqlite3.Error: it cannot be read or written.
    """
    found, newest = _format(connection, path), len(migrations)
    if found > newest:
        raise StoreError(
            f"{path} was written by a newer agentgraph: it has format {found}, this release reads up to {newest}; "
            "upgrade agentgraph or give another path"
        )
    if found == newest:
        return
    for statements in migrations[found:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('format', ?)", (str(newest),))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _format(connection: sqlite3.Connection, path: Path) -> int:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    if mark == APPLICATION_ID:
        (value,) = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        return int(value)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if mark or tables:
        raise StoreError(f"{path} is a database of another program; give another path, this file was not touched")
    return 0
