"""Who may begin, under the limits of the queues of one process: a decision, and the little that it remembers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from agentgraph.graph import Dispatch

from .limits import Limits, Rate

__all__ = ["Admission"]

_Key = tuple[str, str | None]
"""A queue and a tenant."""


@dataclass
class Admission:
    """Counts what is executed. Changes with every beginning and end."""

    limits: dict[str, Limits] = field(default_factory=dict[str, Limits])
    """By the names of queues; a queue without has those of `Limits()`."""
    running: Counter[_Key] = field(default_factory=Counter[_Key])
    """By queue and tenant."""
    begun: dict[_Key, deque[float]] = field(default_factory=dict[_Key, deque[float]])
    """When runs began: of a tenant, and of a whole queue, whose key is `("", queue)`."""

    def admit(self, how: Dispatch, now: float) -> bool:
        """Whether a run may begin now; it is counted if so. `now` is of any clock that does not go back."""
        limits = self.limits.get(how.queue, Limits())
        own = (how.queue, how.tenant)
        of_queue = sum(count for (queue, _), count in self.running.items() if queue == how.queue)
        bounds = ((of_queue, limits.concurrency), (of_queue, limits.per_worker), (self.running[own], limits.per_tenant))
        if any(bound is not None and count >= bound for count, bound in bounds):
            return False
        rates = _rates(limits, how)
        if not all(self._has_room(key, rate, now) for key, rate in rates.items()):
            return False
        for key in rates:
            self.begun[key].append(now)
        self.running[own] += 1
        return True

    def leave(self, how: Dispatch) -> None:
        """A run that was admitted has ended."""
        self.running[how.queue, how.tenant] -= 1
        self.running += Counter[_Key]()  # forgets those of which there are none

    def _has_room(self, key: _Key, rate: Rate, now: float) -> bool:
        window = self.begun.setdefault(key, deque())
        while window and window[0] <= now - rate.per:
            window.popleft()
        return len(window) < rate.limit


def _rates(limits: Limits, how: Dispatch) -> Mapping[_Key, Rate]:
    of_all: dict[_Key, Rate | None] = {("", how.queue): limits.rate, (how.queue, how.tenant): limits.rate_per_tenant}
    return {key: rate for key, rate in of_all.items() if rate is not None}
