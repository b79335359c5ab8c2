"""Wakes those who follow runs: at once by the writes of this store, by themselves for those of other processes."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import anyio

from agentgraph.concurrency import ThreadWaiter

__all__ = ["Bell", "Glances", "Watchers"]


class Bell:
    """Wakes one task, from any thread; rung while nobody waits, it wakes the next one to wait at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rung = False
        self._waiter: ThreadWaiter[None] | None = None

    def ring(self) -> None:
        """Wake the task."""
        with self._lock:
            self._rung = True
            waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.succeed(None)

    async def wait(self, seconds: float | None) -> None:
        """Wait to be woken, at most so long; None: for ever."""
        with self._lock:
            if not self._rung:
                self._waiter = ThreadWaiter[None]()
            waiter = self._waiter
        if waiter is not None:
            with anyio.move_on_after(seconds):
                await waiter.wait()
        with self._lock:
            self._rung, self._waiter = False, None


class Watchers:
    """The bells of those who follow runs of a store. Nothing is done for a run that nobody follows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: dict[str, list[Bell]] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._bells

    @contextmanager
    def bell(self, run_id: str) -> Generator[Bell]:
        """A bell for a run while the block lasts."""
        bell = Bell()
        with self._lock:
            self._bells.setdefault(run_id, []).append(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._bells[run_id].remove(bell)
                if not self._bells[run_id]:
                    del self._bells[run_id]

    def ring(self, run_ids: Iterable[str]) -> None:
        """Something was written of these runs."""
        if not self._bells:
            return
        with self._lock:
            bells = [bell for run_id in {*run_ids} for bell in self._bells.get(run_id, ())]
        for bell in bells:
            bell.ring()

    def ring_all(self) -> None:
        """Something may have been written of any run."""
        self.ring([*self._bells])


@dataclass(frozen=True, slots=True)
class Glances:
    """Wakes who looks by himself too, ever more slowly while nothing happens."""

    bell: Bell
    first: float | None
    """Seconds; None: only the bell wakes."""
    longest: float

    async def wait(self, idle: int) -> None:
        await self.bell.wait(None if self.first is None else min(self.first * 1.5 ** min(idle, 20), self.longest))
