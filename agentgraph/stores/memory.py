"""Runs kept in this process: the store of whoever named none.

It keeps every rule of the port with a lock and plain values. A run that somebody executes stays his until he
settles it, for only this process can execute it: no lease runs out. What nobody can ask for is forgotten at once,
the rest up to a bound (`retention.py`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from agentgraph.clock import Clock, SystemClock
from agentgraph.exceptions import RunExists, RunFenced, RunNotFound, UserError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.questions import answered, answered_meanwhile, pick_question
from agentgraph.graph.store import (
    OPENING,
    Commit,
    JournalRecord,
    NewRun,
    Owner,
    RunFilter,
    RunRecord,
    Settlement,
    StepRecord,
)

from .claims import cancelled, check_turn, claimed, committed, settled
from .owner import is_dead, this_process
from .retention import Retention

__all__ = ["MemoryStore"]

_LEASE = 15.0
"""What a run's record shows, for people: nothing depends on it."""


@dataclass(slots=True, eq=False)
class _Run:
    """A run as it stands; changes with every write, under the store's lock."""

    new: NewRun
    options: bytes
    state: bytes
    usage: bytes
    pending: str
    created_at: float
    updated_at: float
    owner: Owner | None
    steps: list[StepRecord]
    status: Status = Status.RUNNING
    epoch: int = 1
    attempt: int = 1
    error: str | None = None
    asked: bool = False
    journal: dict[tuple[str, int, str], JournalRecord] = field(
        default_factory=dict[tuple[str, int, str], JournalRecord]
    )

    @property
    def seq(self) -> int:
        return self.steps[-1].seq + 1 if self.steps else self.new.seq

    def rest(self, status: Status) -> None:
        self.status, self.owner, self.asked = status, None, False

    def record(self) -> RunRecord:
        return RunRecord(
            run_id=self.new.run_id,
            graph=self.new.graph,
            agent=self.new.agent,
            status=self.status,
            epoch=self.epoch,
            seq=self.seq,
            attempt=self.attempt,
            state=self.state,
            usage=self.usage,
            options=self.options,
            pending=self.pending,
            error=self.error,
            conversation=self.new.conversation,
            parent=self.new.parent,
            origin=self.new.origin,
            owner=self.owner,
            lease_until=0.0 if self.owner is None else self.updated_at + _LEASE,
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class MemoryStore:
    """Keeps runs in this process, encoded as every store keeps them.

    A succeeded run without a chosen id, conversation or parent is forgotten at once; of the others the store keeps
    `keep` and forgets finished ones first. Runs that are executed, runs that another kept run goes on from and
    children of kept runs are never forgotten, and do not count.

    Args:
        keep: How many runs to keep that nobody executes, at least 0.
        clock: Where the times of its records come from.

    Raises:
        UserError: `keep` is negative.
    """

    def __init__(self, keep: int = 1000, *, clock: Clock | None = None) -> None:
        if keep < 0:
            raise UserError(f"a memory store cannot keep {keep} runs; give `keep` a number of at least 0")
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}
        self._retention = Retention(keep)

    async def create(self, run: NewRun) -> RunRecord:
        with self._lock:
            if run.run_id in self._runs:
                raise RunExists(run.run_id)
            if run.opening is not None and run.conversation is not None:
                check_turn(self._head(run.conversation), run, self._now(), is_dead)
            now = self._now()
            self._runs[run.run_id] = kept = _Run(
                new=run,
                options=run.options,
                state=run.state,
                usage=run.usage,
                pending=run.pending,
                status=run.status,
                created_at=now,
                updated_at=now,
                owner=this_process() if run.status is Status.RUNNING else None,
                steps=[] if run.opening is None else [run.opening],
                journal={(row.branch, row.seq, row.key): row for row in run.calls},
            )
            self._retention.add(run.run_id, self._known(run.parent), self._known(run.origin and run.origin[0]))
            if run.status is not Status.RUNNING:
                kept.epoch = kept.attempt = 0
                self._rest(kept, run.status)
            return kept.record()

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        with self._lock:
            run, now = self._find(run_id), self._now()
            if run.status is Status.SUCCEEDED:
                return run.record()
            run.status = claimed(run.record(), now, is_dead, held=True)
            run.owner, run.epoch, run.attempt = this_process(), run.epoch + 1, run.attempt + 1
            run.error, run.asked, run.updated_at = None, False, now
            if options is not None:
                run.options = options
            self._retention.wake(run_id)
            return run.record()

    async def commit(self, commit: Commit) -> Status:
        step = commit.step
        with self._lock:
            run = self._owned(commit.run_id, commit.epoch, step.seq)
            run.steps.append(step)
            run.state, run.usage, run.pending = commit.state, commit.usage, step.outcome
            run.attempt, run.updated_at = 1, self._now()
            if commit.journaled:
                stale = [key for key in run.journal if key[:2] == (step.branch, step.seq)]
                for key in stale:
                    del run.journal[key]
            status = committed(commit.status, asked=run.asked)
            if status is not Status.RUNNING:
                run.attempt = 0
                self._rest(run, status)
            return status

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        with self._lock:
            run = self._owned(run_id, epoch, record.seq)
            run.journal[record.branch, record.seq, record.key] = record

    async def settle(self, settlement: Settlement) -> Status:
        with self._lock:
            known = self._runs.get(settlement.run_id)
            run = self._owned(settlement.run_id, settlement.epoch, OPENING if known is None else known.seq)
            status = settled(settlement.event, asked=run.asked)
            if answered_meanwhile(settlement.questions, run.journal.values()):
                return Status.RUNNING
            for record in (*settlement.journal, *settlement.questions):
                run.journal[record.branch, record.seq, record.key] = record
            run.error, run.updated_at = settlement.error, self._now()
            self._rest(run, status)
            return status

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        with self._lock:
            run = self._find(run_id)
            asked = pick_question(run_id, list(run.journal.values()), key, digest)
            run.journal[asked.branch, asked.seq, asked.key] = answered(asked, value)
            run.updated_at = self._now()

    async def cancel(self, run_id: str) -> Status:
        with self._lock:
            run = self._find(run_id)
            status = cancelled(run.record(), self._now(), is_dead, held=True)
            if status is Status.RUNNING:
                run.asked = True
            elif status is not run.status:
                run.updated_at = self._now()
                self._rest(run, status)
            return status

    async def load(self, run_id: str) -> RunRecord:
        with self._lock:
            return self._find(run_id).record()

    async def steps(self, run_id: str, after: int = OPENING - 1) -> list[StepRecord]:
        with self._lock:
            run = self._runs.get(run_id)
            return [] if run is None else [step for step in run.steps if step.seq > after]

    async def calls(self, run_id: str) -> list[JournalRecord]:
        with self._lock:
            run = self._runs.get(run_id)
            return [] if run is None else list(run.journal.values())

    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        which = which or RunFilter()
        with self._lock:
            found = [run for run in self._runs.values() if _fits(run, which)]
            found.sort(key=_age, reverse=True)
            return [run.record() for run in found[: which.limit]]

    async def aclose(self) -> None:
        """Give up all runs that are executed, so that they can be claimed; the store stays usable."""
        with self._lock:
            for run in self._runs.values():
                run.owner = None

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _head(self, conversation: str) -> RunRecord | None:
        found = [run for run in self._runs.values() if run.new.conversation == conversation]
        return max(found, key=_age).record() if found else None

    def _known(self, run_id: str | None) -> str | None:
        return run_id if run_id in self._runs else None

    def _find(self, run_id: str) -> _Run:
        try:
            return self._runs[run_id]
        except KeyError:
            raise RunNotFound(run_id, "this process's memory") from None

    def _owned(self, run_id: str, epoch: int, seq: int) -> _Run:
        run = self._runs.get(run_id)
        if run is None or run.status is not Status.RUNNING or (run.epoch, run.seq) != (epoch, seq):
            raise RunFenced(run_id, seq)
        return run

    def _rest(self, run: _Run, status: Status) -> None:
        run.rest(status)
        new = run.new
        forget = status is Status.SUCCEEDED and not new.named and new.conversation is None
        for run_id in self._retention.rest(new.run_id, status, forget=forget):
            del self._runs[run_id]


def _age(run: _Run) -> tuple[float, str]:
    return run.created_at, run.new.run_id


def _fits(run: _Run, which: RunFilter) -> bool:
    return (
        which.status in (None, run.status)
        and which.agent in (None, run.new.agent)
        and which.conversation in (None, run.new.conversation)
        and which.parent in (None, run.new.parent)
        and (which.since is None or run.created_at >= which.since)
        and (which.before is None or _age(run) < which.before)
    )
