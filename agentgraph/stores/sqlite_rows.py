"""The statements that read and insert the rows of a store's file."""

from __future__ import annotations

import sqlite3

from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import (
    BranchRecord,
    EventRecord,
    JournalRecord,
    NewRun,
    Owner,
    RunFilter,
    RunRecord,
    StepRecord,
)

from .rows import (
    BRANCH,
    CALL,
    EVENT,
    RUN,
    STEP,
    Row,
    branch_record,
    call_record,
    new_run_values,
    run_record,
    step_record,
)
from .told import event_records

__all__ = [
    "INSERT_BRANCH",
    "INSERT_EVENT",
    "INSERT_JOURNAL",
    "INSERT_STEP",
    "find_run",
    "insert_run",
    "read_branches",
    "read_calls",
    "read_events",
    "read_runs",
    "read_steps",
]

_RUN = "SELECT" + RUN + "FROM runs "
_FIND_RUN = _RUN + "WHERE run_id = ?"

_INSERT_RUN = """
    INSERT INTO runs (run_id, graph, agent, state, usage, options, pending, conversation, parent, origin_run,
        origin_seq, status, epoch, seq, attempt, dispatch, owner_host, owner_pid, owner_started, owner_name,
        lease_until, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run_id) DO NOTHING
"""

INSERT_STEP = """
    INSERT INTO steps (run_id, branch, seq, node, outcome, body, state, usage, attempt, started_at, ended_at, owner)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

# The pair lets the index begin where the root's steps do that are asked for.
_STEPS = "SELECT" + STEP + "FROM steps WHERE run_id = ? AND (branch, seq) > ('', ?) AND seq > ? ORDER BY branch, seq"

# A row that is replaced keeps its place, so the journal reads in the order in which its calls were begun.
INSERT_JOURNAL = """
    INSERT INTO journal (run_id, branch, seq, key, kind, digest, value, usage) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (run_id, branch, seq, key) DO UPDATE
    SET kind = excluded.kind, digest = excluded.digest, value = excluded.value, usage = excluded.usage
"""

INSERT_EVENT = "INSERT OR IGNORE INTO events (run_id, branch, seq, attempt, n, kind, body) VALUES (?, ?, ?, ?, ?, ?, ?)"

_EVENTS = (
    "SELECT"
    + EVENT
    + "FROM events WHERE run_id = ? AND (seq, attempt, n) >= (?, ?, ?) ORDER BY branch, seq, attempt, n"
)

_CALLS = "SELECT" + CALL + "FROM journal WHERE run_id = ? ORDER BY rowid"


INSERT_BRANCH = "INSERT INTO pending (run_id, branch, seq, node, state) VALUES (?, ?, ?, ?, ?)"

_BRANCHES = "SELECT" + BRANCH + "FROM pending WHERE run_id = ? ORDER BY branch"


def find_run(connection: sqlite3.Connection, run_id: str) -> RunRecord | None:
    """A run as it stands."""
    row: Row | None = connection.execute(_FIND_RUN, (run_id,)).fetchone()
    return None if row is None else run_record(row)


def read_runs(connection: sqlite3.Connection, which: RunFilter) -> list[RunRecord]:
    """The runs that fit, the newest first. Only conditions that matter are named, so that an index serves them."""
    conditions = {
        "status = ?": which.status,
        "agent = ?": which.agent,
        "conversation = ?": which.conversation,
        "parent = ?": which.parent,
        "origin_run = ?": which.origin,
        "created_at >= ?": which.since,
        "wake_at <= ?": which.due_before,
    }
    chosen = {text: value for text, value in conditions.items() if value is not None}
    texts, values = list(chosen), list[object](chosen.values())
    if which.submitted:
        texts.append("dispatch IS NOT NULL")
    if which.before is not None:
        texts.append("(created_at, run_id) < (?, ?)")
        values += which.before
    where = " AND ".join(texts) or "TRUE"
    query = f"{_RUN} WHERE {where} ORDER BY created_at DESC, run_id DESC LIMIT ?"
    return [run_record(row) for row in connection.execute(query, (*values, max(0, which.limit)))]


def read_steps(connection: sqlite3.Connection, run_id: str, after: int) -> list[StepRecord]:
    """The steps of a run above `after`, branch by branch."""
    return [step_record(row) for row in connection.execute(_STEPS, (run_id, after, after))]


def read_calls(connection: sqlite3.Connection, run_id: str) -> list[JournalRecord]:
    """The journal of a run's pending steps, in the order begun."""
    return [call_record(row) for row in connection.execute(_CALLS, (run_id,))]


def read_events(connection: sqlite3.Connection, run_id: str, since: tuple[int, int, int]) -> list[EventRecord]:
    """What the steps of a run have told from `since` on."""
    found = connection.execute(_EVENTS, (run_id, *since))
    return [each for row in found for each in event_records(row) if (each.seq, each.attempt, each.n) >= since]


def read_branches(connection: sqlite3.Connection, run_id: str) -> list[BranchRecord]:
    """The branches that a run stands at, by their paths."""
    return [branch_record(row) for row in connection.execute(_BRANCHES, (run_id,))]


def insert_run(connection: sqlite3.Connection, run: NewRun, owner: Owner, now: float, lease_until: float) -> bool:
    """Write a run, claimed by its creator if it is running; False, and nothing written, if its id is taken."""
    held = run.status is Status.RUNNING
    claim = (owner.host, owner.pid, owner.started, owner.name, lease_until) if held else (None, None, None, None, 0)
    created = connection.execute(_INSERT_RUN, (*new_run_values(run), *claim, now, now))
    return created.rowcount == 1
