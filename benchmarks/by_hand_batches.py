"""The floors of many durable runs at once: their writes in batches, by hand, into SQLite and into PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Protocol, Self

import psycopg

from .by_hand import Write

__all__ = ["Batching", "HandTable"]


class HandTable:
    """The same two tables in PostgreSQL: a node is one statement, or those of many runs are."""

    _TABLES = """
        CREATE TABLE IF NOT EXISTS {0}.messages (run text, seq int8, body bytea, PRIMARY KEY (run, seq));
        CREATE TABLE IF NOT EXISTS {0}.runs (run text PRIMARY KEY, node text, requests int8, i int8, o int8)
    """
    _ONE = """
        WITH u AS (
            INSERT INTO {0}.runs VALUES (%s, %s, %s, %s, %s) ON CONFLICT (run) DO UPDATE
            SET node = excluded.node, requests = excluded.requests, i = excluded.i, o = excluded.o RETURNING run
        ) INSERT INTO {0}.messages SELECT m.* FROM unnest(%s::text[], %s::int8[], %s::bytea[]) AS m, u
    """
    _MANY = """
        WITH u AS (
            INSERT INTO {0}.runs SELECT * FROM unnest(%s::text[], %s::text[], %s::int8[], %s::int8[], %s::int8[])
            ON CONFLICT (run) DO UPDATE
            SET node = excluded.node, requests = excluded.requests, i = excluded.i, o = excluded.o RETURNING run
        ) INSERT INTO {0}.messages SELECT m.* FROM unnest(%s::text[], %s::int8[], %s::bytea[]) AS m
          WHERE EXISTS (SELECT 1 FROM u)
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url, self._schema = url, schema
        self._db = psycopg.connect(url, autocommit=True)
        self._db.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
        self._db.execute(self._TABLES.format(schema).encode())

    def write(self, *writes: Write) -> None:
        """Write what some nodes add, in one statement."""
        messages = [list(column) for column in zip(*(row for each in writes for row in each.messages), strict=True)]
        messages = messages or [[], [], []]
        runs = [(each.run, each.node, *each.usage) for each in writes]
        if len(runs) == 1:
            self._db.execute(self._ONE.format(self._schema).encode(), (*runs[0], *messages), prepare=True)
        else:
            columns = [list(column) for column in zip(*runs, strict=True)]
            self._db.execute(self._MANY.format(self._schema).encode(), (*columns, *messages), prepare=True, binary=True)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class Table(Protocol):
    """Where writes go."""

    def write(self, *writes: Write) -> None: ...


class Batching:
    """A thread that writes all that has queued in one transaction; tasks wait for it."""

    def __init__(self, store: Table) -> None:
        self._store = store
        self._queue: SimpleQueue[tuple[Write, asyncio.Future[None]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()

    async def save(self, write: Write) -> None:
        """Queue a write and wait until it is committed."""
        done = self._loop.create_future()
        self._queue.put((write, done))
        await done

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            with suppress(Empty):
                while (more := self._queue.get_nowait()) is not None:
                    group.append(more)
            self._store.write(*[write for write, _ in group])
            self._loop.call_soon_threadsafe(_tell, [done for _, done in group])


def _tell(waiting: Sequence[asyncio.Future[None]]) -> None:
    for done in waiting:
        done.set_result(None)
