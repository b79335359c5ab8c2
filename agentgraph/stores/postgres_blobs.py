"""The statements for big values in a store's schema, which runs share: each is there while a run refers to it.

Who writes one has a lock that nobody else has meanwhile who deletes runs, taken before anything else; so a blob that
was found there stays until the reference to it is committed. Blobs are written in the order of their digests, so that
no two writers wait for each other. Only those that are not there yet are sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString, Self

from psycopg import sql

from .blobs import Blobs
from .postgres_schema import Connection

__all__ = ["BlobTable"]

_THERE: LiteralString = "SELECT digest FROM {schema}.blobs WHERE digest = ANY(%s)"
_KEEP: LiteralString = "INSERT INTO {schema}.blobs (digest, data) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_REFER: LiteralString = """
    INSERT INTO {schema}.run_blobs (run_id, digest)
    SELECT * FROM unnest(%s::text[], %s::text[]) AS given (run_id, digest) ORDER BY run_id, digest
    ON CONFLICT DO NOTHING
"""
_FORGET: LiteralString = "DELETE FROM {schema}.run_blobs WHERE run_id = ANY(%s) RETURNING digest"
_DROP: LiteralString = """
    DELETE FROM {schema}.blobs AS b
    WHERE digest = ANY(%s) AND NOT EXISTS (SELECT 1 FROM {schema}.run_blobs AS r WHERE r.digest = b.digest)
"""


@dataclass(frozen=True, slots=True)
class BlobTable:
    """Those statements, for one schema; all are for use inside a transaction."""

    there: bytes
    keep_one: bytes
    refer: bytes
    forget: bytes
    drop_lone: bytes

    @classmethod
    def build(cls, schema: str) -> Self:
        """For a schema."""
        texts: tuple[LiteralString, ...] = (_THERE, _KEEP, _REFER, _FORGET, _DROP)
        return cls(*(sql.SQL(text).format(schema=sql.Identifier(schema)).as_bytes() for text in texts))

    def keep(self, connection: Connection, blobs: Blobs) -> None:
        """Write the blobs that are not there yet, and which run refers to them."""
        data = {digest: blob for (_, digest), blob in sorted(blobs.items())}
        there = {digest for (digest,) in connection.execute(self.there, (list(data),), binary=True)}
        for digest in sorted(data.keys() - there):
            connection.execute(self.keep_one, (digest, data[digest]), binary=True)
        run_ids, digests = zip(*blobs, strict=True)
        connection.execute(self.refer, (list(run_ids), list(digests)))

    def drop(self, connection: Connection, run_ids: Sequence[str]) -> None:
        """Runs are gone: drop the blobs that no other one refers to."""
        digests = [digest for (digest,) in connection.execute(self.forget, (list(run_ids),), binary=True)]
        if digests:
            connection.execute(self.drop_lone, (digests,))
