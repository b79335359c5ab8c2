"""A schema of the tests' PostgreSQL server that keeps one story after the other."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import anyio
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from agentgraph.stores import PostgresStore
from tests.postgres_server import fresh_schema, server_url

__all__ = ["Rows", "Schema", "fresh"]

TABLES = ("runs", "steps", "journal", "pending", "events", "blobs")
SELECT = sql.SQL("SELECT * FROM {}")
INSERT = sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE VALUES ({})")

Rows = Mapping[str, Sequence[tuple[Any, ...]]]
"""Of each table. Any: the driver does not know the types of columns."""


@dataclass(frozen=True)
class Schema:
    """The test's side of it; the processes of its story give their connections its name."""

    server: str
    name: str
    connection: psycopg.Connection[tuple[Any, ...]]  # Any: the driver does not know the types of columns

    def ask(self, query: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:  # Any: as above
        """Rows of its tables, once the server has done all that it was told to do by processes that are gone."""
        gone = "SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND state = 'active'"
        while self.connection.execute(gone, (self.name,)).fetchone():
            pass
        return self.connection.execute(query).fetchall()

    def clear(self) -> None:
        """Make room for the next story."""
        self.write({table: [] for table in TABLES})

    def read(self) -> Rows:
        """All that its tables hold."""
        return {table: self.ask(SELECT.format(sql.Identifier(table))) for table in TABLES}

    def write(self, rows: Rows) -> None:
        """Let its tables hold this, and nothing else."""
        with self.connection.pipeline(), self.connection.cursor() as cursor:
            for table, values in rows.items():
                cursor.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                for row in values:
                    places = sql.SQL(", ").join([sql.Placeholder()] * len(row))
                    cursor.execute(INSERT.format(sql.Identifier(table), places), row)


@contextmanager
def fresh() -> Generator[Schema]:
    """A schema with the tables of a store, until the block is left."""
    name = fresh_schema()
    server = make_conninfo(server_url(), application_name=name)
    anyio.run(PostgresStore(server, schema=name).aclose)
    quoted = sql.Identifier(name)
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(quoted))
        yield Schema(server, name, connection)
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(quoted))
