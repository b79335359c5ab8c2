"""The statements for big values in a store's file, which runs share: each is there while a run refers to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from .blobs import Blobs

__all__ = ["drop_blobs", "keep_blobs", "read_blobs"]

# A digest that is there is not written again: SQLite does not even look at the data.
_KEEP = "INSERT INTO blobs (digest, data) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING"
_REFER = "INSERT INTO run_blobs (run_id, digest) VALUES (?, ?) ON CONFLICT (run_id, digest) DO NOTHING"
_READ = "SELECT data FROM blobs WHERE digest = ?"
_OF_RUN = "SELECT digest FROM run_blobs WHERE run_id = ?"
_FORGET = "DELETE FROM run_blobs WHERE run_id = ?"
_DROP = "DELETE FROM blobs WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM run_blobs WHERE digest = blobs.digest)"


def keep_blobs(connection: sqlite3.Connection, blobs: Blobs) -> None:
    """Write the blobs that are not there yet, and which run refers to them."""
    connection.executemany(_KEEP, [(digest, data) for (_, digest), data in blobs.items()])
    connection.executemany(_REFER, list(blobs))


def read_blobs(connection: sqlite3.Connection, digests: Sequence[str]) -> Mapping[str, bytes]:
    """Those that are there."""
    rows = {digest: connection.execute(_READ, (digest,)).fetchone() for digest in digests}
    return {digest: row[0] for digest, row in rows.items() if row is not None}


def drop_blobs(connection: sqlite3.Connection, run_ids: Iterable[str]) -> None:
    """Runs are gone: drop the blobs that no other one refers to."""
    for run_id in run_ids:
        digests = connection.execute(_OF_RUN, (run_id,)).fetchall()
        if digests:
            connection.execute(_FORGET, (run_id,))
            connection.executemany(_DROP, digests)
