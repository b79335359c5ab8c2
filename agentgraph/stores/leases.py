"""The runs that one store object executes: what it renews, what it gives up at its end, and who is told of a signal.

The writer's thread renews, claims and gives up. The watchdog takes away what could not be renewed in time, and owners
register their alarms, from threads of their own; so everything here is done under a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentgraph.graph.store import Alarm, RunRecord, Signal

from .claims import IsDead
from .owner import is_dead

__all__ = ["Asked", "Change", "Leases"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody has asked for the cancellation of a run."""

    run_id: str


Change = tuple[str, int | None] | Asked | None
"""What a write does to the runs held, once it is committed: a run and its epoch, or None where it was given up."""


@dataclass(slots=True)
class _Held:
    """A claim; changes as it is renewed."""

    epoch: int
    until: float
    """When it runs out, by the monotonic clock, at the earliest."""
    alarm: Alarm | None = None

    def ring(self, signal: Signal, place: str) -> None:
        if self.alarm is not None:
            self.alarm(signal, place)


class Leases:
    """The claims that stand.

    Args:
        length: Of a lease, in seconds.
        place: What people know the store by.
    """

    def __init__(self, length: float, place: str = "the store") -> None:
        self.length = length
        self.began = 0.0
        """When the write began that renews or claims, by the monotonic clock: leases count from there."""
        self._place = place
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._gone: dict[str, int] = {}
        """Given up, but the store could not be told: its row still names this process."""

    def __len__(self) -> int:
        return len(self._held)

    @property
    def held(self) -> Mapping[str, int]:
        """The epoch of every run, as it is now."""
        with self._lock:
            return {run_id: claim.epoch for run_id, claim in self._held.items()}

    def holds(self, run: RunRecord) -> bool:
        """Whether this store executes the run: not so once another owner has claimed it."""
        claim = self._held.get(run.run_id)
        return claim is not None and claim.epoch == run.epoch

    def is_dead(self, run: RunRecord) -> IsDead:
        """Whether owners are dead, to judge this run by: who has abandoned it counts as dead."""
        return (lambda _: True) if self._gone.get(run.run_id) == run.epoch else is_dead

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> None:
        """Ring `alarm` for a claim, from now on; at once if the claim is gone."""
        with self._lock:
            claim = self._held.get(run_id)
            if claim is not None and claim.epoch == epoch:
                claim.alarm = alarm
                return
            signal = Signal.LAPSED if self._gone.get(run_id) == epoch else Signal.LOST
        alarm(signal, self._place)

    def abandon(self, run_id: str, epoch: int) -> None:
        """Hold a run no more although the store could not be told: nobody here would ever settle it again."""
        with self._lock:
            claim = self._held.get(run_id)
            if claim is not None and claim.epoch == epoch:
                del self._held[run_id]
                self._gone[run_id] = epoch

    def apply(self, change: tuple[str, int | None] | Asked) -> bool:
        """Take over what a committed write changed; whether a run was claimed."""
        if isinstance(change, Asked):
            claim = self._held.get(change.run_id)
            if claim is not None:
                claim.ring(Signal.CANCEL, self._place)
            return False
        run_id, epoch = change
        with self._lock:
            self._gone.pop(run_id, None)
            self._held.pop(run_id, None)
            if epoch is not None:
                self._held[run_id] = _Held(epoch, self.began + self.length)
        return epoch is not None

    def keep(self, renewed: Mapping[str, bool], of: Iterable[str]) -> None:
        """Take over what a renewal `of` these runs found: those renewed, and whether somebody asked to cancel them.

        The others are forgotten: another owner has them.
        """
        with self._lock:
            found = [(run_id, self._held[run_id]) for run_id in of if run_id in self._held]
            for run_id, claim in found:
                claim.until = self.began + self.length
                if run_id not in renewed:
                    del self._held[run_id]
        for run_id, claim in found:
            if run_id not in renewed:
                claim.ring(Signal.LOST, self._place)
            elif renewed[run_id]:
                claim.ring(Signal.CANCEL, self._place)

    def lapse(self, now: float) -> float | None:
        """Give up what was not renewed in time; returns when the next lease runs out, None if none is held."""
        with self._lock:
            late = {run_id: claim for run_id, claim in self._held.items() if claim.until <= now}
            for run_id, claim in late.items():
                del self._held[run_id]
                self._gone[run_id] = claim.epoch
            following = min((claim.until for claim in self._held.values()), default=None)
        for claim in late.values():
            claim.ring(Signal.LAPSED, self._place)
        return following

    def is_late(self, run_id: str, now: float) -> bool:
        """Whether a run was held, and its lease has run out."""
        claim = self._held.get(run_id)
        return run_id in self._gone if claim is None else claim.until <= now

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._held.clear()
