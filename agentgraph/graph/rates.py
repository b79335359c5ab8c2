"""How often something may begin."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from threading import Lock

from agentgraph.clock import Clock, SystemClock
from agentgraph.exceptions import UserError

from .slots import Slots

__all__ = ["RateLimit"]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` beginnings within any `per` seconds: `rate = RateLimit("openai", 500)` in the class of a node.

    All that hold an equal one in this process, whichever runs, threads and event loops they are of, share it. Who has
    to wait does so in the order of asking, as a task that can be cancelled.

    Raises:
        UserError: the numbers make no sense.
    """

    key: str
    """What is spared: the name of a service, say. Another key is another limit."""
    limit: int
    """So many may begin."""
    per: float = 60.0
    """Within so many seconds."""

    def __post_init__(self) -> None:
        if self.limit < 1 or not 0 < self.per < math.inf:
            message = f"{self} makes no sense: `limit` is at least 1, `per` a number of seconds above 0"
            raise UserError(message)

    async def wait(self, clock: Clock | None = None) -> None:
        """Wait for the next beginning that is allowed, and count it."""
        clock = clock or SystemClock()
        known = None if type(clock) is SystemClock else id(clock)
        with _lock:
            window = _windows.setdefault((known, self), _Window(self.limit, clock))
        await window.wait(self.per)


@dataclass
class _Window:
    """The newest beginnings under one limit, by the monotonic clock."""

    limit: int
    clock: Clock
    """By which they began. Those by another clock, such as a test's, are of no matter here."""
    begun: deque[float] = field(init=False)
    turn: Slots = field(default_factory=lambda: Slots(1))
    """The first in line has it while it waits for its time; the others wait behind it."""

    def __post_init__(self) -> None:
        self.begun = deque(maxlen=self.limit)

    async def wait(self, per: float) -> None:
        async with self.turn.taken():
            now = self.clock.monotonic()
            if len(self.begun) == self.limit:
                due = self.begun[0] + per
                if due > now:
                    await self.clock.sleep(due - now)
                    now = max(due, self.clock.monotonic())
            self.begun.append(now)


_lock = Lock()
_windows: dict[tuple[int | None, RateLimit], _Window] = {}
