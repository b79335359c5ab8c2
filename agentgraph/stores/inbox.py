"""What comes from many threads for one, which sleeps until as much is there as it waits for.

To be woken by each would cost more than what it does with them: a thread that wakes takes the interpreter from the one
that is about to bring the next.
"""

from __future__ import annotations

import math
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

__all__ = ["Inbox"]

T = TypeVar("T")


class Inbox(Generic[T]):
    """Filled by any thread, emptied by one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: list[T] = []
        self._wanted = math.inf
        """So many wake the thread."""
        self._bell: SimpleQueue[None] = SimpleQueue()

    def put(self, item: T) -> None:
        """Add something."""
        with self._lock:
            self._items.append(item)
            if len(self._items) < self._wanted:
                return
            self._wanted = math.inf
        self.ring()

    def ring(self) -> None:
        """Wake the thread, or let it not fall asleep, although nothing came."""
        self._bell.put(None)

    def wait(self, count: int, seconds: float | None) -> int:
        """Sleep until so many are there, somebody rings, or so many seconds are over; how many are there."""
        with self._lock:
            there = len(self._items)
            if there >= count:
                return there
            self._wanted = count
        with suppress(Empty):
            self._bell.get(timeout=seconds)
        with self._lock:
            self._wanted = math.inf
            return len(self._items)

    def take(self) -> list[T]:
        """All that is there, in the order in which it came."""
        with self._lock:
            items, self._items = self._items, []
        return items
