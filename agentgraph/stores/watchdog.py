"""The thread that sees leases run out while the writer's thread waits for a store that does not answer.

It sleeps until the first lease would run out if it were not renewed, and there is none where no run is held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from .leases import Leases

__all__ = ["Watchdog"]


class Watchdog:
    """Has leases lapse in time."""

    def __init__(self, leases: Leases, monotonic: Callable[[], float], place: str) -> None:
        self._leases, self._monotonic, self._place = leases, monotonic, place
        self._lock = threading.Lock()
        self._running = False
        self._closed = threading.Event()

    def attend(self) -> None:
        """See to it that somebody watches: to be called when a run was claimed."""
        with self._lock:
            if not self._running:
                self._running = True
                threading.Thread(target=self._watch, name=f"agentgraph leases of {self._place}", daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.is_set():
            with self._lock:
                now = self._monotonic()
                until = self._leases.lapse(now)
                if until is None:
                    self._running = False
                    return
            self._closed.wait(until - now)
