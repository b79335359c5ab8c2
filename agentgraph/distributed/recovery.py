"""Gives the work of workers that have died or hang to others, and finds runs that nobody was told to go on with.

Every worker has such a thread; of all of them one looks at a time. The engine recovers nothing by itself: an entry that
a worker has taken stands there as taken. So:

- A worker is *dead* if its lock is free and its process is gone, which can be seen on its own machine at once; on
  another machine, if the lock stays free for a while in one session of who looks. For after a restart of the server all
  locks are free, and all workers are about to take theirs again.
- A worker is *stale* if who looks could have heard a sign of life, and has not, for longer than it may give none.

What they had taken goes back to its own queue, so no limit is passed by. The engine forgets then that an entry has been
taken before; where it counts that for a rate, another entry stands for it, that nobody takes. There is one for each
wake: a second time within its window, the entry is kept back. Who takes such an entry waits until the run's lease is
over, or its owner seen to be dead; an owner that comes back is refused by the store.

A run that rests, is due, or was answered, or whose lease is long over, while no entry says so, is given one: that would
be our mistake, or the engine's tables were lost. All runs that have not ended are looked through for that; so the more
workers do it, and the longer it takes, the more seldom it is done.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from agentgraph.exceptions import StoreError
from agentgraph.graph import DispatchEvent, Owner, Recovered
from agentgraph.stores.owner import is_dead, this_process
from agentgraph.stores.postgres_schema import Connection
from agentgraph.stores.rows import Row

from .queues import Queues
from .telling import Tell

__all__ = ["GRACE", "Own", "Recovery", "Seen"]

LOG = logging.getLogger("agentgraph.distributed")

_LOOK = 0.25
"""Seconds between two looks for workers."""

_RECONCILE = 5.0
"""Seconds after which a run that stands still is found; and between two looks for such runs, of whatever worker."""

_REST = 20.0
"""How many times as long as a look for runs the pause after it is, at least."""

GRACE = 2.0
"""Seconds that the lock of a worker on another machine has to be free."""

# The locks are given back when the look ends. Our own is held by another session of ours, and so not free.
_WORKERS: LiteralString = """
    SELECT executor, free, owner_host, owner_pid, owner_started, owner_name,
        coalesce(clock.now - beat_at, 0) AS silent, coalesce(clock.now - missed_at, 0) AS missed
    FROM (
        SELECT executor, pg_try_advisory_xact_lock({lock}) AS free FROM (
            SELECT DISTINCT executor_id AS executor FROM {engine}.workflow_status
            WHERE status = 'PENDING' AND name = 'agentgraph.advance'
            UNION SELECT executor FROM {schema}.workers
        ) AS known
    ) AS looked LEFT JOIN {schema}.workers USING (executor),
        (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) AS clock
"""
_MISSED: LiteralString = """
    UPDATE {schema}.workers SET missed_at = extract(epoch FROM clock_timestamp())
    WHERE executor = ANY(%s) AND missed_at IS NULL
"""
_TAKEN: LiteralString = """
    SELECT s.workflow_uuid, s.queue_name, s.executor_id, woken.run_id, coalesce(r.seq, 0), r.dispatch::json->>'tenant'
    FROM {engine}.workflow_status AS s LEFT JOIN {engine}.queues AS q ON q.name = s.queue_name,
        LATERAL (SELECT regexp_replace(s.workflow_uuid, ':[0-9]+(:[a-z]+)?$', '') AS run_id) AS woken
        LEFT JOIN {schema}.runs AS r USING (run_id)
    WHERE s.status = 'PENDING' AND s.name = 'agentgraph.advance' AND s.executor_id = ANY(%s)
    AND NOT (s.rate_limited AND EXISTS (
        SELECT FROM {engine}.workflow_status AS before WHERE before.workflow_uuid = s.workflow_uuid || ':lost'
        AND before.started_at_epoch_ms > extract(epoch FROM clock_timestamp()) * 1000
            - 1000 * greatest(q.rate_limit_period_sec, q.partition_rate_limit_period_sec, 0)
    ))
"""
_COUNTED: LiteralString = """
    INSERT INTO {engine}.workflow_status SELECT begun.* FROM {engine}.workflow_status AS s,
        jsonb_populate_record(s, jsonb_build_object('workflow_uuid', s.workflow_uuid || ':lost', 'status', 'CANCELLED'))
            AS begun
    WHERE s.workflow_uuid = ANY(%s::text[] COLLATE "default") AND s.rate_limited
    ON CONFLICT (workflow_uuid) DO UPDATE SET started_at_epoch_ms = excluded.started_at_epoch_ms
"""
_BURY: LiteralString = """
    DELETE FROM {schema}.workers AS w WHERE executor = ANY(%s) AND NOT EXISTS (
        SELECT FROM {engine}.workflow_status AS s WHERE s.status = 'PENDING' AND s.executor_id = w.executor
    )
"""
# The entry that has led to a sleep has the number of the run's claim. If it is there, the sleeper has seen the answers
# that are; if its successor has ended without a claim, it has not. Runs below a run have ids that begin with its own
# and a slash, and `0` is the character after that. Entries are looked up by their names, one run after the other:
# there may be very many that have ended. Their names are compared as the engine's index has them.
_STRANDED: LiteralString = """
    SELECT {schema}.dispatch(r.run_id, '', NULL), r.run_id FROM {schema}.runs AS r,
        (SELECT extract(epoch FROM clock_timestamp())::float8 - %s AS then) AS clock,
        LATERAL (
            SELECT (r.run_id || ':' || r.epoch) COLLATE "default" AS this,
                (r.run_id || ':' || r.epoch + 1) COLLATE "default" AS next
        ) AS wake,
        LATERAL (
            SELECT count(*) FILTER (WHERE s.status IN ('ENQUEUED', 'PENDING', 'DELAYED')) AS live,
                count(*) FILTER (WHERE s.workflow_uuid = wake.next) AS passed,
                count(*) FILTER (WHERE s.workflow_uuid IN (wake.this, wake.this || ':timer')) AS led
            FROM {engine}.workflow_status AS s
            WHERE s.workflow_uuid IN (wake.this, wake.this || ':timer', wake.next, wake.next || ':timer')
        ) AS entries
    WHERE r.dispatch IS NOT NULL AND r.status IN ('pending', 'running', 'waiting') AND entries.live = 0 AND (
        r.status = 'pending' AND r.updated_at < clock.then
            AND coalesce((r.dispatch::json->>'after')::float8, 0) < clock.then
        OR r.status = 'running' AND r.lease_until < clock.then
        OR r.status = 'waiting' AND r.updated_at < clock.then AND (
            r.wake_at < clock.then OR entries.passed > 0 OR entries.led = 0 AND EXISTS (
                SELECT FROM {schema}.journal AS j WHERE j.kind = 'answered'
                AND (j.run_id = r.run_id OR j.run_id > r.run_id || '/' AND j.run_id < r.run_id || '0')
            )
        )
    )
    LIMIT 1000
"""
# Taken for a while, and not known to the worker that has it: its connection was lost before it began.
_UNBEGUN: LiteralString = """
    SELECT workflow_uuid, queue_name FROM {engine}.workflow_status
    WHERE status = 'PENDING' AND name = 'agentgraph.advance' AND executor_id = %s AND workflow_uuid <> ALL(%s)
    AND started_at_epoch_ms < (extract(epoch FROM clock_timestamp()) - %s) * 1000
"""
_ALONE: LiteralString = "SELECT pg_try_advisory_xact_lock(hashtextextended('agentgraph recovery {schema}', 3))"
_ONE_RECONCILES: LiteralString = "SELECT pg_try_advisory_xact_lock(hashtextextended('agentgraph runs {schema}', 3))"
_FORGOTTEN: LiteralString = "SET idle_in_transaction_session_timeout = '5s'"
"""Who is stopped while it looks keeps others from looking; not for longer than this."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A worker, as it was seen: by its lock, its row, and its process if that is on this machine."""

    executor: str
    free: bool
    """Nobody has its lock."""
    owner: Owner | None
    """Its process; None: it has no row, for it has ended in good order, or was given up before."""
    silent: float = 0.0
    """Seconds since its last sign of life."""
    missed: float = 0.0
    """Seconds since its lock was first seen to be free."""

    def is_lost(self, stale_after: float) -> bool:
        """Whether its work is to be given to others."""
        if self.owner is None:
            return self.free
        stale = self.silent > stale_after
        if not self.free:
            return stale
        if self.owner.host and self.owner.host == this_process().host:
            return is_dead(self.owner) or stale  # else it lives, and is about to take its lock again
        return self.missed > GRACE


@dataclass(frozen=True, kw_only=True)
class Own:
    """What the worker of this process has taken, as far as it knows."""

    executor: str = ""
    under_way: Sequence[str] = ()
    """The names of the entries, those too that its runs may have."""


def _nobody(run_id: str, seq: int, event: DispatchEvent) -> None:
    """Is told, and nobody hears it."""


class Recovery:
    """The thread, from `start` to `stop`."""

    def __init__(self, queues: Queues, stale_after: float, tell: Tell = _nobody, own: Callable[[], Own] = Own) -> None:
        self._queues, self._stale_after, self._tell, self._own = queues, stale_after, tell, own
        self._unbegun = queues.render(_UNBEGUN)
        self._doubtful: frozenset[str] = frozenset()
        self._alone, self._one_reconciles = map(queues.render, (_ALONE, _ONE_RECONCILES))
        self._workers, self._missed, self._bury, self._stranded = map(
            queues.render, (_WORKERS, _MISSED, _BURY, _STRANDED)
        )
        self._taken, self._counted = map(queues.render, (_TAKEN, _COUNTED))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="agentgraph recovery", daemon=True)
        self._reconcile_at = 0.0
        self._pause, self._count = _LOOK, 1
        self._since = 0.0

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _work(self) -> None:
        while not self._stopped.wait(_LOOK):
            try:
                with self._queues.database.connect() as connection:
                    self._look_on(connection)
            except (psycopg.Error, StoreError) as error:
                LOG.info("dead workers are looked for again: %s", error)
            except Exception:
                # Of the engine, or of an observer: whatever it is, without this thread nobody would look any more.
                LOG.exception("dead workers are looked for again")

    def give_back_unbegun(self, connection: Connection) -> None:
        """Give back what this worker was given and knew nothing of at the last look either: it will never begin it.

        One that has just ended, and is about to be written so, is not there at the next look.
        """
        own = self._own()
        found = connection.execute(self._unbegun, (own.executor, [*own.under_way], _RECONCILE)).fetchall()
        lost = [(workflow, queue) for workflow, queue in found if workflow in self._doubtful]
        self._doubtful = frozenset(workflow for workflow, _ in found)
        if lost:
            with self._queues.client() as client:
                for workflow, queue in lost:
                    client.resume_workflows([workflow], queue_name=queue)
            LOG.warning("%d runs that were taken and never begun are given out again", len(lost))

    def _look_on(self, connection: Connection) -> None:
        connection.execute(_FORGOTTEN)
        self._since = time.monotonic()
        while not self._stopped.wait(self._pause):
            with connection.transaction():
                self._look(connection)
            if time.monotonic() >= self._reconcile_at:
                self._reconcile(connection)

    def _look(self, connection: Connection) -> None:
        if connection.execute(self._alone).fetchone() != (True,):
            return
        since = time.monotonic() - self._since
        workers = [_seen(row, since) for row in connection.execute(self._workers)]
        self._count = max(1, len(workers))
        self._pause = _LOOK * max(1, len(workers) / 2)
        free = [worker.executor for worker in workers if worker.free]
        if free:
            connection.execute(self._missed, (free,))
        lost = [worker for worker in workers if worker.is_lost(self._stale_after)]
        if lost:
            self._give_back(connection, lost)

    def _reconcile(self, connection: Connection) -> None:
        began = time.monotonic()
        self.give_back_unbegun(connection)
        for run_id in self.find_stranded(connection):
            LOG.warning("run %r was ready and stood in no queue; it does now", run_id)
        ended = time.monotonic()
        self._reconcile_at = ended + max(_RECONCILE * self._count, _REST * (ended - began))

    def find_stranded(self, connection: Connection) -> list[str]:
        """Put runs that nobody was told to go on with into their queues; which. None, if another one does it just now.

        Not under the lock of who looks for workers, who cannot wait for it.
        """
        with connection.transaction():
            if connection.execute(self._one_reconciles).fetchone() != (True,):
                return []
            return [run_id for _, run_id in connection.execute(self._stranded, (_RECONCILE,))]

    def _give_back(self, connection: Connection, lost: Sequence[Seen]) -> None:
        names = [worker.executor for worker in lost]
        taken: dict[str, list[str]] = {}
        rows = connection.execute(self._taken, (names,)).fetchall()
        for workflow, queue, *_ in rows:
            taken.setdefault(queue, []).append(workflow)
        if taken:
            with self._queues.connection() as other:  # of which the engine knows before it forgets
                other.execute(self._counted, ([workflow for workflow, *_ in rows],))
            with self._queues.client() as client:
                for queue, workflows in taken.items():
                    client.resume_workflows(workflows, queue_name=queue)
            LOG.warning("%d runs of lost workers %s are given to others", len(rows), names)
            for _, queue, executor, run_id, seq, tenant in rows:
                self._tell(run_id, seq, Recovered(queue, tenant, executor))
        connection.execute(self._bury, ([worker.executor for worker in lost if worker.free],))


def _seen(row: Row, since: float) -> Seen:
    """The worker of a row. `since`, in seconds, who looks has been connected: nobody is missed for longer than that."""
    executor, free, host, pid, started, name, silent, missed = row
    owner = None if pid is None else Owner(host, pid, started, name)
    return Seen(executor=executor, free=free, owner=owner, silent=min(silent, since), missed=min(missed, since))
