"""Rows as records and back: the columns, in the order in which every SQL store reads and writes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, LiteralString

from pydantic_core import from_json, to_json

from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import (
    BranchRecord,
    Dispatch,
    JournalKind,
    JournalRecord,
    NewRun,
    Owner,
    RunRecord,
    StepRecord,
)

__all__ = [
    "BRANCH",
    "CALL",
    "EVENT",
    "RUN",
    "STEP",
    "Row",
    "branch_record",
    "branch_values",
    "call_record",
    "journal_values",
    "new_run_values",
    "run_record",
    "run_values",
    "step_record",
    "step_values",
]

Row = tuple[Any, ...]  # any: drivers do not know the types of columns

RUN: LiteralString = """
    run_id, graph, agent, status, epoch, seq, attempt, state, usage, options, pending, error, conversation, parent,
    origin_run, origin_seq, owner_host, owner_pid, owner_started, owner_name, lease_until, created_at, updated_at,
    wake_at, dispatch
"""
STEP: LiteralString = """
    branch, seq, node, outcome, body, state, usage, attempt, started_at, ended_at, owner
"""
CALL: LiteralString = """
    branch, seq, key, kind, digest, value, usage
"""
EVENT: LiteralString = """
    branch, seq, attempt, n, kind, body
"""
BRANCH: LiteralString = """
    branch, seq, node, state
"""


def run_record(row: Row) -> RunRecord:
    """A row of `RUN`."""
    (run_id, graph, agent, status, epoch, seq, attempt, state, usage, options, pending, error, *rest) = row
    (conversation, parent, origin_run, origin_seq, host, pid, started, name, lease_until, *times) = rest
    created, updated, wake_at, dispatch = times
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
        wake_at=wake_at,
        dispatch=None if dispatch is None else Dispatch(**from_json(dispatch)),
    )


def step_record(row: Row) -> StepRecord:
    """A row of `STEP`."""
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


def call_record(row: Row) -> JournalRecord:
    """A row of `CALL`."""
    branch, seq, key, kind, digest, value, usage = row
    return JournalRecord(
        seq=seq, branch=branch, key=key, kind=JournalKind(kind), digest=digest, value=value, usage=usage
    )


def branch_record(row: Row) -> BranchRecord:
    """A row of `BRANCH`."""
    branch, seq, node, state = row
    return BranchRecord(branch=branch, seq=seq, node=node, state=state)


def branch_values(record: BranchRecord) -> Row:
    """A record as a row of `BRANCH`."""
    return (record.branch, record.seq, record.node, record.state)


def new_run_values(run: NewRun) -> Row:
    """What a new run brings: `run_id, graph, agent, state, usage, options, pending, conversation, parent, origin_…`.

    Then `status, epoch, seq, attempt, dispatch`.
    """
    held = run.status is Status.RUNNING
    origin_run, origin_seq = run.origin or (None, None)
    return (
        *(run.run_id, run.graph, run.agent, run.state, run.usage, run.options, run.pending),
        *(run.conversation, run.parent, origin_run, origin_seq),
        *(run.status.value, int(held), run.seq, int(held), _dispatch_value(run.dispatch)),
    )


def run_values(run: RunRecord) -> Row:
    """A record as a row of `RUN`."""
    origin_run, origin_seq = run.origin or (None, None)
    owner = (None,) * 4 if run.owner is None else (run.owner.host, run.owner.pid, run.owner.started, run.owner.name)
    return (
        *(run.run_id, run.graph, run.agent, run.status.value, run.epoch, run.seq, run.attempt),
        *(run.state, run.usage, run.options, run.pending, run.error, run.conversation, run.parent),
        *(origin_run, origin_seq, *owner, run.lease_until, run.created_at, run.updated_at, run.wake_at),
        _dispatch_value(run.dispatch),
    )


def step_values(step: StepRecord) -> Row:
    """A record as a row of `STEP`."""
    return (
        *(step.branch, step.seq, step.node, step.outcome, step.body, step.state, step.usage),
        *(step.attempt, step.started_at, step.ended_at, step.owner),
    )


def journal_values(record: JournalRecord) -> Row:
    """A record as a row of `CALL`."""
    return (
        *(record.branch, record.seq, record.key),
        *(record.kind.value, record.digest, record.value, record.usage),
    )


def _dispatch_value(dispatch: Dispatch | None) -> str | None:
    return None if dispatch is None else to_json(asdict(dispatch), exclude_none=True).decode()
