"""A store that kills its process before or after its n-th write: the hook is an environment variable."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

from agentgraph.graph import (
    Alarm,
    BranchRecord,
    Changes,
    Commit,
    EventRecord,
    JournalKind,
    JournalRecord,
    Lapsed,
    NewRun,
    RunFilter,
    RunRecord,
    Settlement,
    Status,
    StepRecord,
    Store,
    StoredRun,
)

from .jobs import Moment
from .marks import leave_mark

__all__ = ["CRASH_AT", "DyingStore"]

T = TypeVar("T")

CRASH_AT = "CRASH_AT"
"""For example `before:3` or `after:3`."""


class DyingStore:
    """Forwards to a store, counts the writes of the engine, and marks in `told` what it was told to be written."""

    def __init__(self, inner: Store, told: Path) -> None:
        self._inner, self._told = inner, told
        self._crash = Moment.read(os.environ[CRASH_AT]) if CRASH_AT in os.environ else None
        self.writes = 0

    async def create(self, run: NewRun) -> RunRecord:
        marks = [] if run.opening is None else [step_mark(run.run_id, run.opening)]
        return await self._write(self._inner.create(run), *marks)

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        return await self._write(self._inner.claim(run_id, options))

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> Lapsed:
        return self._inner.watch(run_id, epoch, alarm)

    async def commit(self, commit: Commit) -> Status:
        return await self._write(self._inner.commit(commit), step_mark(commit.run_id, commit.step))

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        await self._write(self._inner.journal(run_id, epoch, record), call_mark(run_id, record))

    async def settle(self, settlement: Settlement) -> Status:
        marks = [call_mark(settlement.run_id, row) for row in settlement.journal]
        return await self._write(self._inner.settle(settlement), *marks)

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        await self._write(self._inner.answer(run_id, key, value, digest), f"answer {run_id}{key}")

    async def cancel(self, run_id: str) -> Status:
        return await self._inner.cancel(run_id)

    async def load(self, run_id: str) -> RunRecord:
        return await self._inner.load(run_id)

    async def steps(self, run_id: str, after: int = -2) -> list[StepRecord]:
        return await self._inner.steps(run_id, after)

    async def calls(self, run_id: str) -> list[JournalRecord]:
        return await self._inner.calls(run_id)

    async def events(self, run_id: str, since: tuple[int, int, int] = (-1, 0, 0)) -> list[EventRecord]:
        return await self._inner.events(run_id, since)

    def changes(self, run_id: str) -> AbstractAsyncContextManager[Changes]:
        return self._inner.changes(run_id)

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        self._inner.tell(run_id, epoch, event)

    async def branches(self, run_id: str) -> list[BranchRecord]:
        return await self._inner.branches(run_id)

    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        return await self._inner.list(which)

    async def insert(self, runs: Sequence[StoredRun]) -> None:
        await self._inner.insert(runs)

    async def delete(self, run_id: str) -> Sequence[str]:
        return await self._inner.delete(run_id)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _write(self, writing: Awaitable[T], *marks: str) -> T:
        self.writes += 1
        write = self.writes
        self._die_at(Moment("before", write))
        written = await writing
        for mark in marks:
            leave_mark(self._told, mark)
        self._die_at(Moment("after", write))
        return written

    def _die_at(self, moment: Moment) -> None:
        if moment == self._crash:
            os.kill(os.getpid(), signal.SIGKILL)


def step_mark(run_id: str, step: StepRecord) -> str:
    return f"step {run_id}/{step.seq}/"


def call_mark(run_id: str, row: JournalRecord) -> str:
    made = row.kind in (JournalKind.DONE, JournalKind.LOST)
    return f"{'call' if made else 'row'} {run_id}/{row.seq}/{row.key}"
