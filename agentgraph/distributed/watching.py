"""Reads how queues and workers stand out of a store's database, and changes nothing there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, LiteralString

from psycopg.rows import dict_row

from .engine_limits import limits_of
from .limits import Limits
from .pulse import BEAT
from .queues import Queues
from .states import FleetState, Load, QueueState, WorkerState

__all__ = ["fleet_state"]

_SILENT = 6 * BEAT
"""Seconds without a sign after which a worker is called silent."""

# The lock is looked at where the server lists it: who tried to take it would keep its owner from it for a moment.
_WORKERS: LiteralString = """
    SELECT executor, owner_name AS host, owner_pid AS pid, queues, running, draining,
        clock.now - started_at AS up, clock.now - beat_at AS silent,
        EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid::int8 << 32 | objid::int8 = {lock}
        ) AS held,
        (
            SELECT CASE WHEN count(q.name) = count(q.worker_concurrency) THEN sum(q.worker_concurrency)::int8 END
            FROM {engine}.queues AS q WHERE q.name = ANY(queues)
        ) AS concurrency
    FROM {schema}.workers, (SELECT extract(epoch FROM clock_timestamp())::float8 AS now) AS clock
    ORDER BY started_at, executor
"""
# The engine has an index of each of the two kinds, and none of both: there may be very many entries that have ended.
_LOADS: LiteralString = """
    SELECT queue_name, coalesce(queue_partition_key, '-') AS tenant,
        count(*) FILTER (WHERE status = 'ENQUEUED') AS waiting, count(*) FILTER (WHERE status = 'PENDING') AS running,
        count(*) FILTER (WHERE status = 'DELAYED') AS delayed,
        (extract(epoch FROM clock_timestamp()) - min(created_at) FILTER (WHERE status = 'ENQUEUED') / 1000.0)::float8
            AS oldest
    FROM (
        SELECT * FROM {engine}.workflow_status WHERE status IN ('ENQUEUED', 'PENDING')
        UNION ALL SELECT * FROM {engine}.workflow_status WHERE status = 'DELAYED'
    ) AS live
    WHERE name = 'agentgraph.advance'
    GROUP BY queue_name, queue_partition_key ORDER BY count(*) DESC, queue_partition_key
"""
_LIMITS: LiteralString = """
    SELECT name, concurrency, worker_concurrency, partition_concurrency, polling_interval_sec,
        rate_limit_max, rate_limit_period_sec, partition_rate_limit_max, partition_rate_limit_period_sec
    FROM {engine}.queues
"""

_Rows = list[dict[str, Any]]  # Any: of the types of their columns


def fleet_state(queues: Queues) -> FleetState:
    """All queues that have limits or something standing in them, and all workers of a store.

    Raises:
        StoreError: the database cannot be had.
    """
    if not queues.exist():
        return FleetState()
    with queues.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:

        def rows(text: LiteralString) -> _Rows:
            return cursor.execute(queues.render(text)).fetchall()

        return FleetState(queues=_queues(rows(_LIMITS), rows(_LOADS)), workers=[_worker(row) for row in rows(_WORKERS)])


def _queues(limits: _Rows, loads: _Rows) -> list[QueueState]:
    set_limits = {row["name"]: limits_of(row) for row in limits}
    return [
        QueueState(
            name=name,
            limits=set_limits.get(name, Limits()),
            tenants={
                row["tenant"]: Load(waiting=row["waiting"], running=row["running"], delayed=row["delayed"])
                for row in loads
                if row["queue_name"] == name
            },
            oldest=max((row["oldest"] for row in loads if row["queue_name"] == name and row["waiting"]), default=None),
        )
        for name in sorted({*set_limits, *(row["queue_name"] for row in loads)})
    ]


def _worker(row: Mapping[str, Any]) -> WorkerState:
    shown = ("executor", "host", "pid", "queues", "concurrency", "running", "up", "silent")
    return WorkerState(**{name: row[name] for name in shown}, status=_status(row))


def _status(row: Mapping[str, Any]) -> Literal["serving", "ending", "silent", "gone"]:
    if not row["held"]:
        return "gone"
    if row["silent"] > _SILENT:
        return "silent"
    return "ending" if row["draining"] else "serving"
