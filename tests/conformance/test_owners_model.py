"""Two owners do anything in any order: what the store keeps and answers equals a model of plain values."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentgraph.exceptions import RunBusy, RunExists, RunFenced, RunNotFound
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import JournalRecord, Settlement, Store
from agentgraph.stores import MemoryStore, SQLiteStore
from agentgraph.stores.samples import HandClock, call, commit, new_run
from tests.stores.places import database_place

LEASE = 15.0
SETTLED = {
    Event.RELEASE: Status.PENDING,
    Event.WAIT: Status.WAITING,
    Event.FAIL: Status.FAILED,
    Event.CANCEL: Status.CANCELLED,
}
GOES_ON = (Status.RUNNING, Status.WAITING, Status.PENDING)


@dataclass
class Run:
    """A run as the model knows it."""

    holder: int | None
    lease_until: float
    status: Status = Status.RUNNING
    epoch: int = 1
    seq: int = 0
    attempt: int = 1
    asked: bool = False
    journal: dict[str, JournalRecord] = field(default_factory=dict[str, JournalRecord])

    def rest(self, status: Status) -> None:
        self.status, self.holder, self.asked = status, None, False


@dataclass(frozen=True)
class Claim:
    """What an owner was told when it claimed a run; it may be stale."""

    owner: int
    run_id: str
    epoch: int


run_ids = st.sampled_from(["x", "y"])
who = st.integers(0, 1)


class TwoOwners(RuleBasedStateMachine):
    """Of one file; `InMemory` has them share one store."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.runs: dict[str, Run] = {}
        self.claims: list[Claim] = []
        self.folder = Path(tempfile.mkdtemp())
        self.places = ExitStack()
        self.owners = self.open()
        self.starting = start_blocking_portal()
        self.portal: BlockingPortal = self.starting.__enter__()

    def open(self) -> list[Store]:
        path = self.folder / "r.db"
        return [SQLiteStore(path, lease=LEASE, clock=self.clock, synchronous="NORMAL") for _ in range(2)]

    def teardown(self) -> None:
        for owner in self.owners:
            self.portal.call(owner.aclose)
        self.starting.__exit__(None, None, None)
        self.places.close()
        shutil.rmtree(self.folder)

    def lives(self, run: Run, asker: int) -> bool:
        holds = run.holder == asker or run.lease_until > self.clock.seconds
        return run.status is Status.RUNNING and run.holder is not None and holds

    def owned(self, claim: Claim) -> Run | None:
        run = self.runs[claim.run_id]
        return run if run.status is Status.RUNNING and run.epoch == claim.epoch else None

    def expect_fenced(self, write: Callable[[], object]) -> None:
        with pytest.raises(RunFenced):
            write()

    @rule(seconds=st.sampled_from([1.0, 8.0, LEASE]))
    def time_passes(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @rule(owner=who, run_id=run_ids)
    def create(self, owner: int, run_id: str) -> None:
        if run_id in self.runs:
            with pytest.raises(RunExists):
                self.portal.call(self.owners[owner].create, new_run(run_id))
            return
        self.portal.call(self.owners[owner].create, new_run(run_id))
        self.runs[run_id] = Run(owner, self.clock.seconds + LEASE)
        self.claims.append(Claim(owner, run_id, 1))

    @rule(owner=who, run_id=run_ids)
    def claim(self, owner: int, run_id: str) -> None:
        run = self.runs.get(run_id)
        if run is None or self.lives(run, owner):
            with pytest.raises(RunNotFound if run is None else RunBusy):
                self.portal.call(self.owners[owner].claim, run_id)
            return
        found = self.portal.call(self.owners[owner].claim, run_id)
        if run.status is not Status.SUCCEEDED:
            run.status, run.asked, run.holder = Status.RUNNING, False, owner
            run.epoch, run.attempt, run.lease_until = run.epoch + 1, run.attempt + 1, self.clock.seconds + LEASE
            self.claims.append(Claim(owner, run_id, run.epoch))
        assert (found.status, found.epoch, found.attempt) == (run.status, run.epoch, run.attempt)

    @rule(owner=who, run_id=run_ids)
    def cancel(self, owner: int, run_id: str) -> None:
        run = self.runs.get(run_id)
        if run is None:
            with pytest.raises(RunNotFound):
                self.portal.call(self.owners[owner].cancel, run_id)
            return
        if self.lives(run, owner):
            run.asked = True
        elif run.status in GOES_ON:
            run.rest(Status.CANCELLED)
        assert self.portal.call(self.owners[owner].cancel, run_id) is run.status

    @precondition(lambda self: self.claims)
    @rule(
        data=st.data(),
        status=st.sampled_from([Status.RUNNING, Status.RUNNING, Status.WAITING, Status.SUCCEEDED]),
        late=st.sampled_from([0, 0, 0, -1, 1]),
    )
    def commit(self, data: st.DataObject, status: Status, late: int) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        owner, run = self.owners[claim.owner], self.owned(claim)
        step = commit(claim.run_id, claim.epoch, self.runs[claim.run_id].seq + late, status, journaled=True)
        if run is None or late:
            self.expect_fenced(lambda: self.portal.call(owner.commit, step))
            return
        run.seq, run.attempt, run.journal = run.seq + 1, int(status is Status.RUNNING), {}
        becomes = Status.CANCELLED if run.asked and status in GOES_ON else status
        assert self.portal.call(owner.commit, step) is becomes
        if becomes is not Status.RUNNING:
            run.attempt = 0
            run.rest(becomes)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), key=st.sampled_from(["a", "b"]), value=st.sampled_from([b"1", b"2"]))
    def journal(self, data: st.DataObject, key: str, value: bytes) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        owner, run = self.owners[claim.owner], self.owned(claim)
        record = call(self.runs[claim.run_id].seq, key, value=value)
        if run is None:
            self.expect_fenced(lambda: self.portal.call(owner.journal, claim.run_id, claim.epoch, record))
            return
        self.portal.call(owner.journal, claim.run_id, claim.epoch, record)
        run.journal[key] = record

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), event=st.sampled_from(list(SETTLED)))
    def settle(self, data: st.DataObject, event: Event) -> None:
        claim = data.draw(st.sampled_from(self.claims))
        owner, run = self.owners[claim.owner], self.owned(claim)
        record = call(self.runs[claim.run_id].seq, "held back")
        ends = Settlement(run_id=claim.run_id, epoch=claim.epoch, event=event, journal=[record])
        if run is None:
            self.expect_fenced(lambda: self.portal.call(owner.settle, ends))
            return
        self.portal.call(owner.settle, ends)
        run.journal["held back"] = record
        run.rest(Status.CANCELLED if run.asked and SETTLED[event] in GOES_ON else SETTLED[event])

    @invariant()
    def both_owners_see_the_model(self) -> None:
        for owner in self.owners:
            for run_id, run in self.runs.items():
                kept = self.portal.call(owner.load, run_id)
                assert (kept.status, kept.epoch, kept.seq) == (run.status, run.epoch, run.seq)
                assert (kept.attempt, kept.owner is None) == (run.attempt, run.holder is None)
                steps = self.portal.call(owner.steps, run_id)
                assert [step.seq for step in steps] == list(range(-1, run.seq))
                assert self.portal.call(owner.calls, run_id) == list(run.journal.values())


class InDatabase(TwoOwners):
    """Of one schema of a database."""

    def open(self) -> list[Store]:
        place = self.places.enter_context(database_place(self.folder))
        return [place.open(self.clock) for _ in range(2)]


class InMemory(TwoOwners):
    """Both owners in one process share one store, so no lease runs out."""

    def open(self) -> list[Store]:
        return [MemoryStore(clock=self.clock)] * 2

    def lives(self, run: Run, asker: int) -> bool:
        return run.holder is not None


TestTwoOwners = TwoOwners.TestCase
TestTwoOwners.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestInDatabase = InDatabase.TestCase
TestInDatabase.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
TestInMemory = InMemory.TestCase
TestInMemory.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
