"""The statements that read a store's schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, Self

from psycopg import sql

from agentgraph.graph.store import BranchRecord, EventRecord, JournalRecord, RunFilter, RunRecord, StepRecord

from .postgres_schema import Connection
from .rows import BRANCH, CALL, EVENT, RUN, STEP, branch_record, call_record, run_record, step_record
from .told import event_records

__all__ = ["Reads"]

_RUNS = "SELECT {run} FROM {schema}.runs "
# The pair lets the index begin where the root's steps do that are asked for.
_STEPS = (
    "SELECT {step} FROM {schema}.steps WHERE run_id = %s AND (branch, seq) > ('', %s) AND seq > %s ORDER BY branch, seq"
)
_BLOBS = "SELECT digest, data FROM {schema}.blobs WHERE digest = ANY(%s)"
_EVENTS = """
    SELECT {event} FROM {schema}.events WHERE run_id = %s AND (seq, attempt, n) >= (%s, %s, %s)
    ORDER BY branch, seq, attempt, n
"""
_CALLS = "SELECT {call} FROM {schema}.journal WHERE run_id = %s ORDER BY place"
_BRANCHES = 'SELECT {branch} FROM {schema}.pending WHERE run_id = %s ORDER BY branch COLLATE "C"'


@dataclass(frozen=True, slots=True)
class Reads:
    """Queries for one schema."""

    _runs: bytes
    _steps: bytes
    _calls: bytes
    _blobs: bytes
    _events: bytes
    _branches: bytes

    @classmethod
    def build(cls, schema: str) -> Self:
        """The queries for a schema."""
        texts: tuple[LiteralString, ...] = (
            "SELECT {run} FROM {schema}.runs ",
            _STEPS,
            _CALLS,
            _BLOBS,
            _EVENTS,
            _BRANCHES,
        )
        pieces = {"run": sql.SQL(RUN), "step": sql.SQL(STEP), "call": sql.SQL(CALL), "event": sql.SQL(EVENT)}
        pieces["branch"] = sql.SQL(BRANCH)
        name = sql.Identifier(schema)
        return cls(*(sql.SQL(text).format(schema=name, **pieces).as_bytes() for text in texts))

    def run(self, connection: Connection, run_id: str) -> RunRecord | None:
        """A run as it stands."""
        row = connection.execute(self._runs + b"WHERE run_id = %s", (run_id,), binary=True).fetchone()
        return None if row is None else run_record(row)

    def runs(self, connection: Connection, which: RunFilter) -> list[RunRecord]:
        """The runs that fit, the newest first. Only conditions that matter are named, so that an index serves them."""
        conditions = {
            b"status = %s": which.status,
            b"agent = %s": which.agent,
            b"conversation = %s": which.conversation,
            b"parent = %s": which.parent,
            b"origin_run = %s": which.origin,
            b"created_at >= %s": which.since,
            b"wake_at <= %s": which.due_before,
        }
        chosen = {text: value for text, value in conditions.items() if value is not None}
        texts, values = list(chosen), list[object](chosen.values())
        if which.submitted:
            texts.append(b"dispatch IS NOT NULL")
        if which.before is not None:
            texts.append(b"(created_at, run_id) < (%s, %s)")
            values += which.before
        where = b"WHERE " + (b" AND ".join(texts) or b"true")
        query = self._runs + where + b" ORDER BY created_at DESC, run_id DESC LIMIT %s"
        found = connection.execute(query, (*values, max(0, which.limit)), binary=True)
        return [run_record(row) for row in found]

    def steps(self, connection: Connection, run_id: str, after: int) -> list[StepRecord]:
        """The steps of a run above `after`, branch by branch."""
        return [step_record(row) for row in connection.execute(self._steps, (run_id, after, after), binary=True)]

    def blobs(self, connection: Connection, digests: Sequence[str]) -> Mapping[str, bytes]:
        """The big values that are there."""
        found: Mapping[str, bytes] = dict(connection.execute(self._blobs, (list(digests),), binary=True).fetchall())
        return found

    def calls(self, connection: Connection, run_id: str) -> list[JournalRecord]:
        """The journal of a run's pending steps, in the order begun."""
        return [call_record(row) for row in connection.execute(self._calls, (run_id,), binary=True)]

    def events(self, connection: Connection, run_id: str, since: tuple[int, int, int]) -> list[EventRecord]:
        """What the steps of a run have told from `since` on."""
        found = connection.execute(self._events, (run_id, *since), binary=True)
        return [each for row in found for each in event_records(row) if (each.seq, each.attempt, each.n) >= since]

    def branches(self, connection: Connection, run_id: str) -> list[BranchRecord]:
        """The branches that a run stands at, by their paths."""
        return [branch_record(row) for row in connection.execute(self._branches, (run_id,), binary=True)]
