"""Rows of a store's file as records, and the statements that read them."""

from __future__ import annotations

import sqlite3
from typing import Any

from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import JournalKind, JournalRecord, NewRun, Owner, RunFilter, RunRecord, StepRecord

__all__ = [
    "INSERT_JOURNAL",
    "INSERT_STEP",
    "find_run",
    "insert_run",
    "journal_values",
    "read_calls",
    "read_runs",
    "read_steps",
    "step_values",
]

Row = tuple[Any, ...]  # sqlite3 does not know the types of columns

_RUN = """
    SELECT run_id, graph, agent, status, epoch, seq, attempt, state, usage, options, pending, error, conversation,
        parent, origin_run, origin_seq, owner_host, owner_pid, owner_started, owner_name, lease_until, created_at,
        updated_at
    FROM runs
"""
_FIND_RUN = _RUN + "WHERE run_id = ?"

_INSERT_RUN = """
    INSERT INTO runs (run_id, graph, agent, status, epoch, seq, attempt, state, usage, options, pending, conversation,
        parent, origin_run, origin_seq, owner_host, owner_pid, owner_started, owner_name, lease_until, created_at,
        updated_at)
    VALUES (?, ?, ?, 'running', 1, 0, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run_id) DO NOTHING
"""

INSERT_STEP = """
    INSERT INTO steps (run_id, branch, seq, node, outcome, body, state, usage, attempt, started_at, ended_at, owner)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_STEPS = """
    SELECT branch, seq, node, outcome, body, state, usage, attempt, started_at, ended_at, owner
    FROM steps WHERE run_id = ? AND seq > ? ORDER BY branch, seq
"""

# A row that is replaced keeps its place, so the journal reads in the order in which its calls were begun.
INSERT_JOURNAL = """
    INSERT INTO journal (run_id, branch, seq, key, kind, digest, value, usage) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run_id, branch, seq, key) DO UPDATE
    SET kind = excluded.kind, digest = excluded.digest, value = excluded.value, usage = excluded.usage
"""

_CALLS = "SELECT branch, seq, key, kind, digest, value, usage FROM journal WHERE run_id = ? ORDER BY rowid"


def find_run(connection: sqlite3.Connection, run_id: str) -> RunRecord | None:
    """A run as it stands."""
    row: Row | None = connection.execute(_FIND_RUN, (run_id,)).fetchone()
    return None if row is None else _run(row)


def read_runs(connection: sqlite3.Connection, which: RunFilter) -> list[RunRecord]:
    """The runs that fit, the newest first. Only conditions that matter are named, so that an index serves them."""
    conditions = {
        "status = ?": which.status,
        "agent = ?": which.agent,
        "conversation = ?": which.conversation,
        "created_at >= ?": which.since,
    }
    chosen = {text: value for text, value in conditions.items() if value is not None}
    texts, values = list(chosen), list[object](chosen.values())
    if which.before is not None:
        texts.append("(created_at, run_id) < (?, ?)")
        values += which.before
    where = " AND ".join(texts) or "TRUE"
    query = f"{_RUN} WHERE {where} ORDER BY created_at DESC, run_id DESC LIMIT ?"
    return [_run(row) for row in connection.execute(query, (*values, max(0, which.limit)))]


def read_steps(connection: sqlite3.Connection, run_id: str, after: int) -> list[StepRecord]:
    """The steps of a run above `after`, branch by branch."""
    return [_step(row) for row in connection.execute(_STEPS, (run_id, after))]


def read_calls(connection: sqlite3.Connection, run_id: str) -> list[JournalRecord]:
    """The journal of a run's pending steps, in the order begun."""
    return [_call(row) for row in connection.execute(_CALLS, (run_id,))]


def insert_run(connection: sqlite3.Connection, run: NewRun, owner: Owner, now: float, lease_until: float) -> bool:
    """Write a run that its creator executes; False, and nothing written, if its id is taken."""
    origin_run, origin_seq = run.origin or (None, None)
    created = connection.execute(
        _INSERT_RUN,
        (
            *(run.run_id, run.graph, run.agent, run.state, run.usage, run.options, run.opening.outcome),
            *(run.conversation, run.parent, origin_run, origin_seq),
            *(owner.host, owner.pid, owner.started, owner.name, lease_until, now, now),
        ),
    )
    return created.rowcount == 1


def step_values(run_id: str, step: StepRecord) -> Row:
    """What `INSERT_STEP` takes."""
    return (
        *(run_id, step.branch, step.seq, step.node, step.outcome, step.body, step.state, step.usage),
        *(step.attempt, step.started_at, step.ended_at, step.owner),
    )


def journal_values(run_id: str, record: JournalRecord) -> Row:
    """What `INSERT_JOURNAL` takes."""
    return (
        *(run_id, record.branch, record.seq, record.key),
        *(record.kind.value, record.digest, record.value, record.usage),
    )


def _run(row: Row) -> RunRecord:
    (run_id, graph, agent, status, epoch, seq, attempt, state, usage, options, pending, error, *rest) = row
    (conversation, parent, origin_run, origin_seq, host, pid, started, name, lease_until, created, updated) = rest
    return RunRecord(
        run_id=run_id,
        graph=graph,
        agent=agent,
        status=Status(status),
        epoch=epoch,
        seq=seq,
        attempt=attempt,
        state=state,
        usage=usage,
        options=options,
        pending=pending,
        error=error,
        conversation=conversation,
        parent=parent,
        origin=None if origin_run is None else (origin_run, origin_seq),
        owner=None if pid is None else Owner(host, pid, started, name),
        lease_until=lease_until,
        created_at=created,
        updated_at=updated,
    )


def _step(row: Row) -> StepRecord:
    branch, seq, node, outcome, body, state, usage, attempt, started_at, ended_at, owner = row
    return StepRecord(
        seq=seq,
        branch=branch,
        node=node,
        outcome=outcome,
        body=body,
        state=state,
        usage=usage,
        attempt=attempt,
        started_at=started_at,
        ended_at=ended_at,
        owner=owner,
    )


def _call(row: Row) -> JournalRecord:
    branch, seq, key, kind, digest, value, usage = row
    return JournalRecord(
        seq=seq, branch=branch, key=key, kind=JournalKind(kind), digest=digest, value=value, usage=usage
    )
