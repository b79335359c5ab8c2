"""Hears of what other processes write, by LISTEN and NOTIFY, while somebody follows a run.

Whoever follows a run puts a row into `followers`, and triggers notify for runs that have one: a run that nobody follows
costs no NOTIFY, of which PostgreSQL commits one at a time. A thread with a connection of its own waits for the notes.
Where that connection is lost, those who follow look by themselves until there is a new one, as they do, slowly, anyway.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import LiteralString
from uuid import uuid4

import psycopg
from anyio import CancelScope
from psycopg import sql

from agentgraph.exceptions import StoreError

from .postgres_schema import Connection
from .watching import Watchers

__all__ = ["Listening"]

_FOLLOW: LiteralString = """
    INSERT INTO {schema}.followers (run_id, follower, until) VALUES (%s, %s, now() + interval '1 day')
"""
_LEAVE: LiteralString = "DELETE FROM {schema}.followers WHERE (run_id = %s AND follower = %s) OR until < now()"

Ask = Callable[[Callable[[Connection], None]], Awaitable[None]]
"""Runs a query in a worker thread."""

_AGAIN = 0.5
"""Seconds until a lost connection is tried anew."""


class Listening:
    """Rings the bells of those who follow runs, for the writes of other processes."""

    def __init__(self, connect: Callable[[], Connection], schema: str, watchers: Watchers) -> None:
        self._connect, self._watchers = connect, watchers
        name = sql.Identifier(schema)
        self._follow, self._leave = (sql.SQL(text).format(schema=name).as_bytes() for text in (_FOLLOW, _LEAVE))
        self._lock = threading.Lock()
        self._followed = 0
        self._stop: socket.socket | None = None

    @asynccontextmanager
    async def following(self, run_id: str, ask: Ask) -> AsyncGenerator[None]:
        """Have what is written of a run told while the block lasts.

        Raises:
            StoreError: the database cannot be asked.
        """
        row = (run_id, uuid4().hex)
        self._begin()
        try:
            await ask(partial(_execute, self._follow, row))
            yield
        finally:
            self._end()
            with CancelScope(shield=True), suppress(StoreError):  # the row is left to whoever ends next
                await ask(partial(_execute, self._leave, row))

    def _begin(self) -> None:
        with self._lock:
            self._followed += 1
            if self._followed == 1:
                self._stop, stopped = socket.socketpair()
                threading.Thread(target=self._work, args=(stopped,), name="agentgraph listener", daemon=True).start()

    def _end(self) -> None:
        with self._lock:
            self._followed -= 1
            if self._followed == 0 and self._stop is not None:
                self._stop.close()

    def _work(self, stopped: socket.socket) -> None:
        with stopped:
            while not self._listen(stopped):
                if select.select([stopped], [], [], _AGAIN)[0]:
                    return

    def _listen(self, stopped: socket.socket) -> bool:
        """Ring for every note; whether that was stopped, and did not fail."""
        with suppress(psycopg.Error), self._connect() as connection:
            connection.execute("LISTEN agentgraph")
            self._watchers.ring_all()  # what came before was not heard
            while stopped.fileno() not in select.select([connection.fileno(), stopped.fileno()], [], [])[0]:
                connection.pgconn.consume_input()
                self._ring(connection)
            return True
        return False

    def _ring(self, connection: Connection) -> None:
        while (note := connection.pgconn.notifies()) is not None:
            if note.extra:
                self._watchers.ring([note.extra.decode()])
            else:
                self._watchers.ring_all()


def _execute(query: bytes, values: tuple[str, str], connection: Connection) -> None:
    connection.execute(query, values)
