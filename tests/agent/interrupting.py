"""A store that loses its process, or its disk, at a chosen write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from agentgraph.exceptions import StoreError
from agentgraph.graph import (
    Alarm,
    BranchRecord,
    Changes,
    Commit,
    EventRecord,
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

__all__ = ["Accident", "Interrupting", "Killed"]

T = TypeVar("T")

Accident = Literal["killed before", "killed after", "disk full"]
"""The process is gone before, or right after, the write; or the write fails and the process lives on."""


class Killed(BaseException):
    """The process is gone: nothing after this is written."""


@dataclass
class Interrupting:
    """Writes through to `store` until write number `at`."""

    store: Store
    at: int
    accident: Accident
    writes: int = field(default=0, init=False)
    kept: set[str] = field(default_factory=set[str], init=False)
    """The idempotency keys of calls whose outcome was written, inside a step or with it."""
    committed: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]], init=False)

    def knows(self, key: str) -> bool:
        """Whether the outcome of the call with this idempotency key was written."""
        run_id, seq, _ = key.rsplit("/", 2)
        return key in self.kept or (run_id, int(seq)) in self.committed

    async def _write(self, write: Callable[[], Awaitable[T]]) -> T:
        self.writes += 1
        if self.writes < self.at or (self.accident == "disk full" and self.writes > self.at):
            return await write()
        if self.accident == "disk full":
            message = "there is no space left"
            raise StoreError(message)
        if self.accident == "killed after" and self.writes == self.at:
            await write()
        raise Killed

    @property
    def interrupted(self) -> bool:
        return self.writes >= self.at

    async def create(self, run: NewRun) -> RunRecord:
        return await self.store.create(run)

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> Lapsed:
        return self.store.watch(run_id, epoch, alarm)

    async def commit(self, commit: Commit) -> Status:
        async def write() -> Status:
            status = await self.store.commit(commit)
            self.committed.add((commit.run_id, commit.step.seq))
            return status

        return await self._write(write)

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        async def write() -> None:
            await self.store.journal(run_id, epoch, record)
            self._keep(run_id, record)

        await self._write(write)

    async def settle(self, settlement: Settlement) -> Status:
        async def write() -> Status:
            status = await self.store.settle(settlement)
            for record in settlement.journal:
                self._keep(settlement.run_id, record)
            return status

        return await self._write(write)

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        await self.store.answer(run_id, key, value, digest)

    def _keep(self, run_id: str, record: JournalRecord) -> None:
        self.kept.add(f"{run_id}/{record.seq}/{record.key}")

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        return await self.store.claim(run_id, options)

    async def cancel(self, run_id: str) -> Status:
        return await self.store.cancel(run_id)

    async def load(self, run_id: str) -> RunRecord:
        return await self.store.load(run_id)

    async def steps(self, run_id: str, after: int = -2) -> list[StepRecord]:
        return await self.store.steps(run_id, after)

    async def calls(self, run_id: str) -> list[JournalRecord]:
        return await self.store.calls(run_id)

    async def events(self, run_id: str, since: tuple[int, int, int] = (-1, 0, 0)) -> list[EventRecord]:
        return await self.store.events(run_id, since)

    def changes(self, run_id: str) -> AbstractAsyncContextManager[Changes]:
        return self.store.changes(run_id)

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        self.store.tell(run_id, epoch, event)

    async def branches(self, run_id: str) -> list[BranchRecord]:
        return await self.store.branches(run_id)

    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        return await self.store.list(which)

    async def insert(self, runs: Sequence[StoredRun]) -> None:
        await self.store.insert(runs)

    async def delete(self, run_id: str) -> Sequence[str]:
        return await self.store.delete(run_id)

    async def aclose(self) -> None:
        await self.store.aclose()
