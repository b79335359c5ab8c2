"""A store whose process dies at a chosen write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from agentgraph.graph import Commit, JournalRecord, NewRun, RunRecord, Settlement, Status, Store

from .attempt import RUN_ID
from .report import CommitPoint

__all__ = ["Death", "Die", "mortal"]

T = TypeVar("T")

Die = Callable[[str], object]
"""Ends the process, if it can be ended; it is told which write it dies at."""


class Death(BaseException):
    """The process is gone: nothing after this is written or read."""


def mortal(store: Store, at: CommitPoint | None, die: Die) -> Store:
    """`store`, until the write that `at` names; None: for ever."""
    return cast("Store", _Mortal(store, at, die))  # what it does not define, `__getattr__` takes from the store


class _Mortal:
    """Counts the writes of one process. Whatever else the port has is forwarded as it is."""

    def __init__(self, store: Store, at: CommitPoint | None, die: Die) -> None:
        self._store, self._at, self._die = store, at, die
        self._writes = 0
        self._dead = False

    def __getattr__(self, name: str) -> Any:  # Any: whatever the port has
        if self._dead:
            raise Death
        return getattr(self._store, name)

    async def create(self, run: NewRun) -> RunRecord:
        return await self._write(f"the creation of {_run(run.run_id)}", lambda: self._store.create(run))

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        return await self._write(f"the claim of {_run(run_id)}", lambda: self._store.claim(run_id, options))

    async def commit(self, commit: Commit) -> Status:
        step = commit.step
        what = f"the commit of step {step.seq} ({step.node or 'opening'}) of {_run(commit.run_id)}"
        return await self._write(what, lambda: self._store.commit(commit))

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        what = f"the journal row of call {record.key} ({record.kind}) in step {record.seq} of {_run(run_id)}"
        await self._write(what, lambda: self._store.journal(run_id, epoch, record))

    async def settle(self, settlement: Settlement) -> Status:
        what = f"the settlement ({settlement.event}) of {_run(settlement.run_id)}"
        return await self._write(what, lambda: self._store.settle(settlement))

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        what = f"the answer to question {key} of {_run(run_id)}"
        await self._write(what, lambda: self._store.answer(run_id, key, value, digest))

    async def cancel(self, run_id: str) -> Status:
        return await self._write(f"the cancellation of {_run(run_id)}", lambda: self._store.cancel(run_id))

    async def _write(self, what: str, write: Callable[[], Awaitable[T]]) -> T:
        self._writes += 1
        if self._at is None or self._writes < self._at.number:
            return await write()
        if self._writes == self._at.number:
            if self._at.when == "after":
                await write()
            self._dead = True
            self._die(what)
        raise Death


def _run(run_id: str) -> str:
    return "the run" if run_id == RUN_ID else f"run {run_id!r}"
