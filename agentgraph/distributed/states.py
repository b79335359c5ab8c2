"""How queues and workers stand, for people and for what watches over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .limits import Limits

__all__ = ["FleetState", "Load", "QueueState", "WorkerState"]


@dataclass(frozen=True, kw_only=True)
class Load:
    """How many runs stand somewhere."""

    waiting: int = 0
    """Those that are ready, and have no place yet."""
    running: int = 0
    """Those that have been given to a worker."""
    delayed: int = 0
    """Those that sleep until a time, or are to begin at one."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.running + self.delayed

    def __add__(self, other: Load) -> Load:
        return Load(
            waiting=self.waiting + other.waiting,
            running=self.running + other.running,
            delayed=self.delayed + other.delayed,
        )


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """A queue at one moment."""

    name: str
    """With `@` and the version of the code behind it, where that has one."""
    limits: Limits
    tenants: Mapping[str, Load]
    """What stands there for each tenant, those with most first; `-` is for runs of no tenant."""
    oldest: float | None = None
    """Seconds that the first of those that wait has been in the queue."""

    @property
    def load(self) -> Load:
        """What stands there for all of them."""
        return sum(self.tenants.values(), Load())


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """A worker at one moment."""

    executor: str
    """Its id."""
    host: str
    """The name of its machine."""
    pid: int
    """Its process there."""
    queues: Sequence[str]
    """Those that it takes runs from."""
    concurrency: int | None
    """Runs that it may execute at once, of all of these queues; None: as many as come."""
    running: int
    """Runs that it executes."""
    up: float
    """Seconds since it began."""
    silent: float
    """Seconds since its last sign of life."""
    status: Literal["serving", "ending", "silent", "gone"]
    """`ending`: it begins no further run. `silent`: it has given no sign of life for three seconds; its work is given
    to others when it has not for the workers' `stale_after`. `gone`: it no longer holds its lock, so it has died, or is
    about to take it again after a restart of the server."""


@dataclass(frozen=True, kw_only=True)
class FleetState:
    """All that a dispatcher knows of."""

    queues: Sequence[QueueState] = ()
    """By their names."""
    workers: Sequence[WorkerState] = ()
    """The longest at work first."""
