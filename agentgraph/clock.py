"""Time and ids, handed to the engine from outside so that nothing in it reads them by itself."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Protocol

import anyio

__all__ = ["Clock", "SystemClock", "new_run_id", "unix_time"]


class Clock(Protocol):
    """Where the engine gets the time from."""

    def now(self) -> datetime:
        """The wall clock, an aware datetime in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass; a clock of a test may do so at once."""
        ...


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


def unix_time(clock: Clock) -> float:
    """What a clock shows, in seconds since 1970; the machine's own is read without a date in between."""
    return time.time() if type(clock) is SystemClock else clock.now().timestamp()


def new_run_id() -> str:
    """A fresh id of 32 hexadecimal digits."""
    return os.urandom(16).hex()
