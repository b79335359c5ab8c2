"""The runs that a process keeps in memory, and how they are read."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Self, TypeVar

from agentgraph.exceptions import RunNotFound
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import (
    OPENING,
    ROOT,
    Alarm,
    BranchRecord,
    Changes,
    Commit,
    Dispatch,
    EventRecord,
    JournalRecord,
    NewRun,
    Owner,
    RunFilter,
    RunRecord,
    Signal,
    StepRecord,
    StoredRun,
)

from .blobs import Stored, whole
from .memory_blobs import MemoryBlobs
from .memory_index import Kin, RunIndex
from .removal import Relatives, as_inserted
from .retention import Retention
from .watching import Glances, Watchers

__all__ = ["PLACE", "MemoryRun", "MemoryRuns"]

PLACE = "this process's memory"

T = TypeVar("T", bound=Stored)

_LEASE = 15.0
"""What a run's record shows. No claim depends on it; a sleep that is shorter stays in the process."""


_COLUMNS = [each.name for each in fields(StepRecord)]
_row = attrgetter(*_COLUMNS)


@dataclass(slots=True, eq=False)
class MemoryRun:
    """A run as it stands; changes with every write, under the store's lock."""

    run_id: str
    graph: str
    agent: str | None
    conversation: str | None
    parent: str | None
    origin: tuple[str, int] | None
    named: bool
    options: bytes
    state: bytes
    usage: bytes
    pending: str
    created_at: float
    updated_at: float
    owner: Owner | None
    steps: list[tuple[Any, ...]]
    """The values of their records: of a tuple that holds no objects the garbage collector takes no notice."""
    seq: int
    branches: dict[str, BranchRecord]
    status: Status = Status.RUNNING
    epoch: int = 1
    attempt: int = 1
    error: str | None = None
    wake_at: float | None = None
    dispatch: Dispatch | None = None
    asked: bool = False
    alarm: Alarm | None = None
    journal: dict[tuple[str, int, str], JournalRecord] = field(
        default_factory=dict[tuple[str, int, str], JournalRecord]
    )
    events: list[EventRecord] | None = None

    @classmethod
    def begun(cls, run: NewRun, now: float, owner: Owner | None) -> Self:
        """A new run."""
        return cls(
            run_id=run.run_id,
            graph=run.graph,
            agent=run.agent,
            conversation=run.conversation,
            parent=run.parent,
            origin=run.origin,
            named=run.named,
            options=run.options,
            state=run.state,
            usage=run.usage,
            pending=run.pending,
            created_at=now,
            updated_at=now,
            owner=owner,
            steps=[] if run.opening is None else [_row(run.opening)],
            seq=run.seq,
            branches={each.branch: each for each in run.branches},
            status=run.status,
            dispatch=run.dispatch,
            journal={(row.branch, row.seq, row.key): row for row in run.calls},
        )

    @classmethod
    def inserted(cls, stored: StoredRun) -> Self:
        """A run of another store."""
        run = as_inserted(stored.run)
        return cls(
            run_id=run.run_id,
            graph=run.graph,
            agent=run.agent,
            conversation=run.conversation,
            parent=run.parent,
            origin=run.origin,
            named=True,
            options=run.options,
            state=run.state,
            usage=run.usage,
            pending=run.pending,
            created_at=run.created_at,
            updated_at=run.updated_at,
            owner=None,
            steps=[*map(_row, stored.steps)],
            seq=run.seq,
            branches={each.branch: each for each in stored.branches},
            status=run.status,
            epoch=run.epoch,
            attempt=run.attempt,
            error=run.error,
            wake_at=run.wake_at,
            journal={(row.branch, row.seq, row.key): row for row in stored.calls},
        )

    @property
    def age(self) -> tuple[float, str]:
        return self.created_at, self.run_id

    @property
    def kin(self) -> Kin:
        return self.conversation, self.parent, None if self.origin is None else self.origin[0]

    def at(self, branch: str) -> int | None:
        """The next step of a branch; None where there is no such branch."""
        if branch == ROOT:
            return self.seq
        return self.branches[branch].seq if branch in self.branches else None

    def take(self, commit: Commit) -> None:
        """Write the step of a commit, and where its branch stands after it."""
        step = commit.step
        self.steps.append(_row(step))
        self.usage = commit.usage
        if step.branch == ROOT:
            self.seq, self.state, self.pending = step.seq + 1, commit.state, step.outcome
        else:
            self.branches[step.branch] = BranchRecord(
                branch=step.branch, seq=step.seq + 1, node=step.outcome, state=commit.state
            )
        if commit.journaled or commit.closes:
            self._clear(commit)
        for row in commit.calls:
            self.journal[row.branch, row.seq, row.key] = row
        for each in commit.opens:
            self.branches[each.branch] = each

    def _clear(self, commit: Commit) -> None:
        """Drop what ends with the step of a commit."""
        at = (commit.step.branch, commit.step.seq)
        stale = [key for key in self.journal if key[:2] == at] if commit.journaled else []
        if commit.closes:
            self.branches = {path: each for path, each in self.branches.items() if not path.startswith(commit.below)}
            stale += [key for key in self.journal if key[0].startswith(commit.below) and key not in stale]
        for key in stale:
            del self.journal[key]

    def steps_above(self, after: int) -> list[StepRecord]:
        """Branch by branch."""
        if not self.steps:
            return []
        first, newest = _step(self.steps[0]), _step(self.steps[-1])
        if newest.branch == ROOT and newest.seq - first.seq + 1 == len(self.steps):  # it never forked
            return [*map(_step, self.steps[max(0, after + 1 - first.seq) :])]
        return sorted((step for step in map(_step, self.steps) if step.seq > after), key=_place)

    def fits(self, which: RunFilter) -> bool:
        return (
            which.status in (None, self.status)
            and which.agent in (None, self.agent)
            and which.conversation in (None, self.conversation)
            and which.parent in (None, self.parent)
            and which.origin in (None, self.origin and self.origin[0])
            and (which.since is None or self.created_at >= which.since)
            and (which.due_before is None or self._is_due(which.due_before))
            and (self.dispatch is not None or not which.submitted)
            and (which.before is None or self.age < which.before)
        )

    def rest(self, status: Status) -> None:
        self.status, self.owner, self.asked, self.alarm = status, None, False, None
        self.wake_at = self.wake_at if status is Status.WAITING else None

    def ring(self, signal: Signal) -> None:
        if self.alarm is not None:
            self.alarm(signal, PLACE)

    def record(self) -> RunRecord:
        return RunRecord(
            run_id=self.run_id,
            graph=self.graph,
            agent=self.agent,
            status=self.status,
            epoch=self.epoch,
            seq=self.seq,
            attempt=self.attempt,
            state=self.state,
            usage=self.usage,
            options=self.options,
            pending=self.pending,
            error=self.error,
            conversation=self.conversation,
            parent=self.parent,
            origin=self.origin,
            owner=self.owner,
            lease_until=0.0 if self.owner is None else self.updated_at + _LEASE,
            created_at=self.created_at,
            updated_at=self.updated_at,
            wake_at=self.wake_at,
            dispatch=self.dispatch,
        )

    def _is_due(self, before: float) -> bool:
        return self.wake_at is not None and self.wake_at <= before


class MemoryRuns:
    """Runs by their ids, under a lock; `MemoryStore` writes them."""

    def __init__(self, keep: int) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, MemoryRun] = {}
        self._index = RunIndex()
        self._retention = Retention(keep)
        self.blobs = MemoryBlobs()
        """What is big in them, each once."""
        self._watchers = Watchers()

    async def load(self, run_id: str) -> RunRecord:
        with self._lock:
            return self._whole([self._find(run_id).record()], run_id)[0]

    async def steps(self, run_id: str, after: int = OPENING - 1) -> list[StepRecord]:
        with self._lock:
            run = self._runs.get(run_id)
            steps = [] if run is None else run.steps_above(after)
            return self._whole(steps, run_id)

    async def calls(self, run_id: str) -> list[JournalRecord]:
        with self._lock:
            run = self._runs.get(run_id)
            return [] if run is None else self._whole(list(run.journal.values()), run_id)

    async def events(self, run_id: str, since: tuple[int, int, int] = (OPENING, 0, 0)) -> list[EventRecord]:
        with self._lock:
            run = self._runs.get(run_id)
            events = [] if run is None or run.events is None else run.events
            return [each for each in events if (each.seq, each.attempt, each.n) >= since]

    @asynccontextmanager
    async def changes(self, run_id: str) -> AsyncGenerator[Changes]:
        """Follow a run; it is not forgotten meanwhile."""
        with self._watchers.bell(run_id) as bell:
            yield Glances(bell, None, 0)
        with self._lock:
            run = self._runs.get(run_id)
            if run is not None and run.status is Status.SUCCEEDED:
                self._rest(run, run.status)

    async def branches(self, run_id: str) -> list[BranchRecord]:
        with self._lock:
            run = self._runs.get(run_id)
            return [] if run is None else self._whole([run.branches[path] for path in sorted(run.branches)], run_id)

    def _whole(self, records: list[T], run_id: str | None = None) -> list[T]:
        return whole(lambda: records, self.blobs.read, run_id)

    def _rest(self, run: MemoryRun, status: Status) -> None:
        run.rest(status)
        if run.dispatch is not None and status in (Status.PENDING, Status.WAITING):
            self._retention.wake(run.run_id)  # it stands in a queue: whoever serves that is about to execute it
            return
        forget = status is Status.SUCCEEDED and not run.named and run.conversation is None
        gone = self._retention.rest(run.run_id, status, forget=forget and run.run_id not in self._watchers)
        self._forget(gone)
        self._watchers.ring(gone)

    def _forget(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            self._index.drop(run_id, self._runs.pop(run_id).kin)
            self.blobs.drop(run_id)

    def _find(self, run_id: str) -> MemoryRun:
        try:
            return self._runs[run_id]
        except KeyError:
            raise RunNotFound(run_id, PLACE) from None

    def _head(self, conversation: str) -> RunRecord | None:
        found = self._fitting(RunFilter(conversation=conversation))
        return max(found, key=_age).record() if found else None

    def _check_origin(self, origin: tuple[str, int] | None, among: Collection[str] = ()) -> None:
        if origin is not None and origin[0] not in among:
            self._find(origin[0])

    def _relatives(self) -> Relatives:
        def children(run_id: str) -> list[RunRecord]:
            return [run.record() for run in self._fitting(RunFilter(parent=run_id))]

        def followers(run_id: str) -> list[str]:
            return [run.run_id for run in self._fitting(RunFilter(origin=run_id))]

        return Relatives(self._runs.__contains__, children, followers)

    def _fitting(self, which: RunFilter) -> list[MemoryRun]:
        ids = self._index.of(which)
        runs = self._runs.values() if ids is None else [self._runs[run_id] for run_id in ids]
        return [run for run in runs if run.fits(which)]

    # Last: what stands below it could not say `list[…]`.
    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        which = which or RunFilter()
        with self._lock:
            found = self._fitting(which)
            found.sort(key=_age, reverse=True)
            return self._whole([run.record() for run in found[: which.limit]])


def _step(row: tuple[Any, ...]) -> StepRecord:
    return StepRecord(**dict(zip(_COLUMNS, row, strict=True)))


def _place(step: StepRecord) -> tuple[str, int]:
    return step.branch, step.seq


def _age(run: MemoryRun) -> tuple[float, str]:
    return run.age
