"""The sign of life of a worker: a lock that it holds and a time that it writes, by a thread of their own.

The lock is an advisory one of a session, under the worker's id: it is free as soon as the process has ended, for the
server sees its connection close; where a whole machine vanishes, after the short keepalives. The time says that the
process is not merely there: one that is stopped, or starved, writes none. Where the connection is lost, there is a new
one as soon as the server takes it; nobody takes a worker for dead in that moment (`recovery.py`).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import LiteralString
from uuid import uuid4

import psycopg

from agentgraph.stores.owner import this_process
from agentgraph.stores.postgres_schema import Connection

from .queues import Queues

__all__ = ["BEAT", "Pulse", "new_executor"]

BEAT = 0.5
"""Seconds between two signs."""

_AGAIN = 0.1
"""Seconds until the server, or the lock, is tried again."""

# A peer that vanished is noticed within five seconds, by the server and, by `_PATIENCE`, here.
_KEEPALIVES: LiteralString = """
    SELECT set_config(name, value, false) FROM (VALUES
        ('tcp_keepalives_idle', '2'), ('tcp_keepalives_interval', '1'), ('tcp_keepalives_count', '3'),
        ('tcp_user_timeout', '5000')
    ) AS settings(name, value)
"""
_PATIENCE = {"keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 3, "tcp_user_timeout": 5000}
_TAKE: LiteralString = "SELECT pg_try_advisory_lock({lock}) FROM (SELECT %s::text AS executor) AS worker"
_BEGIN: LiteralString = """
    INSERT INTO {schema}.workers
        (executor, owner_host, owner_pid, owner_started, owner_name, queues, started_at, beat_at)
    SELECT %(executor)s, %(host)s, %(pid)s, %(started)s, %(name)s, %(queues)s, now, now
    FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) AS clock
    ON CONFLICT (executor) DO UPDATE SET beat_at = excluded.beat_at, missed_at = NULL
"""
_BEAT: LiteralString = """
    UPDATE {schema}.workers SET beat_at = extract(epoch FROM clock_timestamp()), running = %s, draining = %s
    WHERE executor = %s
"""
_END: LiteralString = "DELETE FROM {schema}.workers WHERE executor = %s"


def new_executor() -> str:
    """An id that no worker has had."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"


class Pulse:
    """The thread, from `start` to `stop`.

    Args:
        queues: Of the store.
        executor: The worker's id.
        serves: The names of the queues that it takes runs from.
        look: How many runs the worker executes, and whether it is about to end.
    """

    def __init__(
        self, queues: Queues, executor: str, serves: Sequence[str], look: Callable[[], tuple[int, bool]]
    ) -> None:
        self.executor = executor
        self._queues, self._serves, self._look = queues, [*serves], look
        self._take, self._begin, self._beat, self._end = map(queues.render, (_TAKE, _BEGIN, _BEAT, _END))
        self._beat_at = time.monotonic()
        self._begun, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"agentgraph pulse {executor}", daemon=True)

    def start(self) -> None:
        """Hold the lock; waits until it is held, or `stop` is called."""
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        """Give the lock back: what the worker has left is given to others."""
        self._stopped.set()
        self._begun.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def silent(self) -> float:
        """Seconds since the last sign."""
        return time.monotonic() - self._beat_at

    def _work(self) -> None:
        while not self._stopped.is_set():
            with suppress(psycopg.Error), self._queues.database.connect(**_PATIENCE) as connection:
                self._live(connection)
            self._stopped.wait(_AGAIN)

    def _live(self, connection: Connection) -> None:
        connection.execute(_KEEPALIVES)
        while connection.execute(self._take, (self.executor,)).fetchone() != (True,):
            if self._stopped.wait(_AGAIN):  # a session of ours that the server has not missed yet has it
                return
        me = this_process()
        worker = {"executor": self.executor, "queues": self._serves, "host": me.host, "pid": me.pid}
        begin = {**worker, "started": me.started, "name": me.name}
        connection.execute(self._begin, begin)
        self._beat_at = time.monotonic()
        self._begun.set()
        while not self._stopped.wait(BEAT):
            if connection.execute(self._beat, (*self._look(), self.executor)).rowcount == 0:
                connection.execute(self._begin, begin)  # the table was made anew
            self._beat_at = time.monotonic()
        connection.execute(self._end, (self.executor,))
