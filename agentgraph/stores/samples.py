"""What tests of stores write: small records, and a clock that moves when told to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from anyio.lowlevel import checkpoint

from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import (
    OPENING,
    ROOT,
    Commit,
    EventKind,
    EventRecord,
    JournalKind,
    JournalRecord,
    NewRun,
    RunRecord,
    Settlement,
    StepRecord,
    StoredRun,
)

__all__ = ["HandClock", "call", "commit", "new_run", "next_commit", "opening", "settlement", "step", "stored", "told"]


class HandClock:
    """Shows `seconds` until a test changes it, and `ticks` on its monotonic side: no lease is renewed by itself.

    A sleep takes no time, and moves both.
    """

    def __init__(self, seconds: float = 1_000_000.0) -> None:
        self.seconds = seconds
        self.ticks = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.ticks

    async def sleep(self, seconds: float) -> None:
        """Turn the clock on, and let others have their turn."""
        self.seconds += seconds
        self.ticks += seconds
        await checkpoint()


def new_run(
    run_id: str = "r",
    *,
    agent: str | None = None,
    conversation: str | None = None,
    parent: str | None = None,
    origin: tuple[str, int] | None = None,
    named: bool = True,
) -> NewRun:
    """A run that nobody has seen."""
    return NewRun(
        run_id=run_id,
        graph="g",
        agent=agent,
        opening=StepRecord(seq=OPENING, node="", outcome="First", body=b'{"n":0}', state=b"{}"),
        pending="First",
        state=b'{"count":0}',
        usage=b'{"requests":0}',
        options=b'{"limit":1}',
        conversation=conversation,
        follows=None if origin is None else origin[0],
        parent=parent,
        origin=origin,
        named=named,
    )


def step(seq: int, node: str = "Work", outcome: str = "Work") -> StepRecord:
    """One step, as `commit` writes it."""
    return StepRecord(
        seq=seq,
        node=node,
        outcome=outcome,
        body=b'{"n":%d}' % seq,
        state=b'{"count":%d}' % seq,
        usage=b'{"requests":%d}' % seq,
        attempt=1,
        started_at=10.5,
        ended_at=11.25,
        owner="process 1 on here",
    )


def commit(
    run_id: str,
    epoch: int,
    seq: int,
    status: Status = Status.RUNNING,
    *,
    outcome: str = "Work",
    journaled: bool = False,
) -> Commit:
    """One step of a run that was claimed with this epoch."""
    return Commit(
        run_id=run_id,
        epoch=epoch,
        step=step(seq, outcome=outcome),
        state=b'{"count":%d}' % (seq + 1),
        usage=b'{"requests":%d}' % (seq + 1),
        status=status,
        journaled=journaled,
    )


def next_commit(run: RunRecord, status: Status = Status.RUNNING, *, journaled: bool = False) -> Commit:
    """The step that is pending."""
    return commit(run.run_id, run.epoch, run.seq, status, journaled=journaled)


def call(seq: int, key: str = "k", kind: JournalKind = JournalKind.DONE, value: bytes = b"1") -> JournalRecord:
    """What happened inside a step."""
    return JournalRecord(seq=seq, branch=ROOT, key=key, kind=kind, digest="d", value=value, usage=b'{"tokens":1}')


def told(seq: int, n: int, kind: EventKind = EventKind.TEXT, body: bytes = b'[0,0,"Hello"]') -> EventRecord:
    """What a step told in its first attempt."""
    return EventRecord(seq=seq, attempt=1, n=n, kind=kind, body=body)


def settlement(
    run: RunRecord,
    event: Event,
    *,
    error: str | None = None,
    journal: Sequence[JournalRecord] = (),
    wake_at: float | None = None,
) -> Settlement:
    """The end of the claim that the record is of."""
    return Settlement(run_id=run.run_id, epoch=run.epoch, event=event, error=error, journal=journal, wake_at=wake_at)


def opening() -> StepRecord:
    """The row that `new_run` begins with."""
    row = new_run().opening
    assert row is not None
    return row


def stored(
    run_id: str = "r",
    status: Status = Status.SUCCEEDED,
    *,
    parent: str | None = None,
    origin: tuple[str, int] | None = None,
    conversation: str | None = None,
    at: float = 7.5,
) -> StoredRun:
    """A run of three steps, as another store has it."""
    run = RunRecord(
        run_id=run_id,
        graph="g",
        agent="a",
        status=status,
        epoch=4,
        seq=3,
        attempt=0,
        state=b'{"count":3}',
        usage=b'{"requests":3}',
        options=b'{"limit":1}',
        pending="Work",
        error="why" if status is Status.FAILED else None,
        conversation=conversation,
        parent=parent,
        origin=origin,
        created_at=at,
        updated_at=at + 1,
    )
    return StoredRun(run=run, steps=[opening(), step(0), step(1), step(2)], calls=[call(3, "a"), call(3, "b")])
