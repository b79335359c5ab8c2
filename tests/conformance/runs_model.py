"""What must be true of runs, in plain values: told of each write that a store took, it says if it had to take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agentgraph.graph import (
    Commit,
    JournalKind,
    JournalRecord,
    NewRun,
    RunRecord,
    Settlement,
    Status,
    StepRecord,
)
from agentgraph.stores.samples import HandClock
from tests.agent.interrupting import Interrupting

__all__ = ["LEASE", "Known", "Noting", "Runs"]

LEASE = 15.0
ENDED = frozenset({Status.SUCCEEDED, Status.CANCELLED})
CAN_BE_CANCELLED = frozenset({Status.RUNNING, Status.WAITING, Status.PENDING})
NEVER = 1 << 30


@dataclass
class Known:
    """A run, as the model knows it."""

    number: int
    """Runs are numbered as they are created."""
    new: NewRun
    steps: list[StepRecord]
    status: Status
    seq: int
    epoch: int
    holder: int | None
    """The process that has it, dead perhaps."""
    lease_until: float
    asked: bool = False
    """Whether its owner has been asked to cancel it."""
    lost: int = 0
    """How many processes its pending step has lost."""
    journal: dict[tuple[int, str], JournalRecord] = field(default_factory=dict[tuple[int, str], JournalRecord])

    @property
    def open(self) -> list[JournalRecord]:
        """Its questions that nobody has answered."""
        return [row for row in self.journal.values() if row.kind is JournalKind.ASKED]

    def rest(self, status: Status) -> None:
        self.status, self.holder, self.asked = status, None, False


@dataclass
class Runs:
    """All runs; methods named for what was written."""

    clock: HandClock
    shared: bool
    """All owners live in one process, so that no lease runs out."""
    known: dict[str, Known] = field(default_factory=dict[str, Known])
    created: int = 0

    def lives(self, run: Known, asker: int) -> bool:
        """Whether some process executes it, as far as `asker` can know."""
        holds = self.shared or run.holder == asker or run.lease_until > self.clock.seconds
        return run.status is Status.RUNNING and run.holder is not None and holds

    def newest(self, conversation: str) -> tuple[str, Known] | None:
        turns = [item for item in self.known.items() if item[1].new.conversation == conversation]
        return max(turns, key=lambda item: item[1].number, default=None)

    def followers(self, run_id: str) -> list[str]:
        """The runs that go on from it."""
        origins = {other: run.new.origin for other, run in self.known.items()}
        return [other for other, origin in origins.items() if origin is not None and origin[0] == run_id]

    def create(self, owner: int, new: NewRun) -> None:
        assert new.run_id not in self.known
        newest = None if new.conversation is None else self.newest(new.conversation)
        if newest is not None:
            assert new.follows == newest[0]
            assert newest[1].status in ENDED
        assert new.origin is None or new.origin[0] in self.known
        self.created += 1
        runs = new.status is Status.RUNNING
        self.known[new.run_id] = Known(
            number=self.created,
            new=new,
            steps=[] if new.opening is None else [new.opening],
            status=new.status,
            seq=new.seq,
            epoch=int(runs),
            holder=owner if runs else None,
            lease_until=self.clock.seconds + LEASE,
            journal={(row.seq, row.key): row for row in new.calls},
        )

    def claim(self, owner: int, run_id: str) -> None:
        run = self.known[run_id]
        if run.status is not Status.SUCCEEDED:
            assert not self.lives(run, owner)
            run.rest(Status.RUNNING)
            run.epoch, run.holder, run.lease_until = run.epoch + 1, owner, self.clock.seconds + LEASE

    def commit(self, owner: int, commit: Commit, becomes: Status) -> None:
        run = self._owned(owner, commit.run_id, commit.epoch)
        assert commit.step.seq == run.seq
        assert becomes is (Status.CANCELLED if run.asked and commit.status is Status.RUNNING else commit.status)
        assert not commit.step.branch
        run.steps.append(commit.step)
        run.journal = {} if commit.journaled else run.journal
        run.seq, run.lost = run.seq + 1, 0
        if becomes is not Status.RUNNING:
            run.rest(becomes)

    def write(self, owner: int, run_id: str, epoch: int, row: JournalRecord) -> None:
        run = self._owned(owner, run_id, epoch)
        assert row.seq == run.seq
        run.journal[row.seq, row.key] = row

    def settle(self, owner: int, end: Settlement, becomes: Status) -> None:
        run = self._owned(owner, end.run_id, end.epoch)
        if becomes is Status.RUNNING:  # an answer was there already
            assert end.questions
            return
        run.journal |= {(row.seq, row.key): row for row in (*end.journal, *end.questions)}
        run.rest(becomes)

    def answer(self, run_id: str, row: JournalRecord) -> None:
        self.known[run_id].journal[row.seq, row.key] = replace(row, kind=JournalKind.ANSWERED, value=b"")

    def cancel(self, asker: int, run_id: str) -> Status:
        """What has to be answered to who asks for that."""
        run = self.known[run_id]
        if self.lives(run, asker):
            run.asked = True
        elif run.status in CAN_BE_CANCELLED:
            run.rest(Status.CANCELLED)
        return run.status

    def _owned(self, owner: int, run_id: str, epoch: int) -> Known:
        run = self.known[run_id]
        assert (run.status, run.epoch, run.holder) == (Status.RUNNING, epoch, owner), "a stale owner has written"
        return run

    def check(self, found: RunRecord, steps: list[StepRecord], calls: list[JournalRecord]) -> None:
        """Compare a run with what a store has of it."""
        run = self.known[found.run_id]
        assert (found.status, found.epoch, found.seq) == (run.status, run.epoch, run.seq)
        assert (found.owner is None, found.conversation) == (run.holder is None, run.new.conversation)
        assert steps == run.steps
        assert _plain(calls) == _plain(list(run.journal.values()))


def _plain(rows: list[JournalRecord]) -> Mapping[tuple[int, str], JournalRecord]:
    """By their keys; what was answered is not looked at."""
    return {(row.seq, row.key): replace(row, value=b"") if row.kind is JournalKind.ANSWERED else row for row in rows}


@dataclass
class Noting(Interrupting):
    """A store, as the process `owner` has it, that tells the model of each write which was taken."""

    runs: Runs = field(kw_only=True)
    owner: int = field(kw_only=True)

    async def create(self, run: NewRun) -> RunRecord:
        found = await self.store.create(run)
        self.runs.create(self.owner, run)
        return found

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        found = await self.store.claim(run_id, options)
        self.runs.claim(self.owner, run_id)
        return found

    async def commit(self, commit: Commit) -> Status:
        becomes = await self.store.commit(commit)
        self.runs.commit(self.owner, commit, becomes)
        return becomes

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        await self.store.journal(run_id, epoch, record)
        self.runs.write(self.owner, run_id, epoch, record)

    async def settle(self, settlement: Settlement) -> Status:
        becomes = await self.store.settle(settlement)
        self.runs.settle(self.owner, settlement, becomes)
        return becomes
