"""Places where several stores, of this process and others, keep the same runs: a file, a schema of a database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from agentgraph.clock import Clock
from agentgraph.graph.store import Store
from agentgraph.stores import PostgresStore, SQLiteStore
from tests.postgres_server import fresh_schema, server_url

__all__ = ["DatabasePlace", "FilePlace", "Place", "database_place", "file_place"]


class Place(Protocol):
    """Where runs are kept."""

    @property
    def url(self) -> str:
        """What a `Worker` opens."""
        ...

    def open(self, clock: Clock | None = None) -> Store:
        """A further store, as another process would open it."""
        ...


@dataclass(frozen=True)
class FilePlace:
    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    def open(self, clock: Clock | None = None) -> SQLiteStore:
        return SQLiteStore(self.path, clock=clock)


@dataclass(frozen=True)
class DatabasePlace:
    server: str
    schema: str

    @property
    def url(self) -> str:
        return f"{self.server}#{self.schema}"

    def open(self, clock: Clock | None = None, *, lease: float = 15.0, patience: float = 10.0) -> PostgresStore:
        return PostgresStore(self.server, schema=self.schema, clock=clock, lease=lease, patience=patience)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of one's own; a table is named without its schema."""
        connection = psycopg.connect(self.server, autocommit=True)
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(self.schema)))
        return connection

    def drop(self) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema)))


@contextmanager
def file_place(folder: Path) -> Generator[FilePlace]:
    """A file that does not exist."""
    yield FilePlace(folder / "r.db")


@contextmanager
def database_place(folder: Path) -> Generator[DatabasePlace]:
    """A schema that does not exist."""
    place = DatabasePlace(server_url(), fresh_schema())
    try:
        yield place
    finally:
        place.drop()
