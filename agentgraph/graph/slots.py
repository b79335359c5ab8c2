"""Places that are taken one by one and handed on in the order in which they were asked for.

Whoever waits is a task, of any event loop of the process, and holds no thread. Neither asyncio's nor anyio's own
semaphores serve tasks of several loops, and sync runs have a loop of their own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agentgraph.concurrency import ThreadWaiter
from agentgraph.exceptions import UserError

__all__ = ["Slots"]


class Slots:
    """So many of them.

    Raises:
        UserError: there is none.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            message = f"a limit of {count} lets nothing run; give `limit` a number above 0"
            raise UserError(message)
        self._lock = threading.Lock()
        self._free = count
        self._queue: deque[ThreadWaiter[None]] = deque()

    @asynccontextmanager
    async def taken(self) -> AsyncGenerator[None]:
        """Wait for one, and have it inside the block."""
        await self._take()
        try:
            yield
        finally:
            self._give()

    async def _take(self) -> None:
        with self._lock:
            if self._free:  # so nobody waits
                self._free -= 1
                return
            waiter = ThreadWaiter[None]()
            self._queue.append(waiter)
        try:
            await waiter.wait()
        except BaseException:
            with self._lock:
                waits = waiter in self._queue
                if waits:
                    self._queue.remove(waiter)
            if not waits:  # it was handed over meanwhile
                self._give()
            raise

    def _give(self) -> None:
        with self._lock:
            if not self._queue:
                self._free += 1
                return
            waiter = self._queue.popleft()
        waiter.succeed(None)
