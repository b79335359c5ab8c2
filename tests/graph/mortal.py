"""A store whose process can be lost, or which refuses a sleep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agentgraph.exceptions import RunFenced, StoreError
from agentgraph.graph import Commit, JournalRecord, Settlement, Status
from agentgraph.graph.lifecycle import Event
from agentgraph.stores import MemoryStore

__all__ = ["Drowsy", "Dying", "Killed", "Mortal"]


class Killed(BaseException):
    """The process is gone."""


class Mortal(MemoryStore):
    """Writes nothing more for its process once that is dead."""

    dead = False

    def die(self) -> None:
        self.dead = True
        raise Killed

    async def bury(self) -> None:
        """Let another process find the run as the dead one left it."""
        self.dead = False
        await self.aclose()

    async def commit(self, commit: Commit) -> Status:
        self._check(commit.run_id)
        return await super().commit(commit)

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        self._check(run_id)
        await super().journal(run_id, epoch, record)

    async def settle(self, settlement: Settlement) -> Status:
        self._check(settlement.run_id)
        return await super().settle(settlement)

    def _check(self, run_id: str) -> None:
        if self.dead:
            raise RunFenced(run_id, 0)


class Dying(Mortal):
    """Dies before its write number `left`."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left

    async def bury(self) -> None:
        self.left = 10**9
        await super().bury()

    def _check(self, run_id: str) -> None:
        super()._check(run_id)
        self.left -= 1
        if self.left == 0:
            self.die()


class Drowsy(MemoryStore):
    """Does something, once, just before it puts a run to sleep."""

    before_sleep: Callable[[], Awaitable[object]] | None = None
    full = False

    async def settle(self, settlement: Settlement) -> Status:
        if settlement.event is Event.WAIT:
            before, self.before_sleep = self.before_sleep, None
            if before is not None:
                await before()
            if self.full:
                self.full = False
                message = "there is no space left"
                raise StoreError(message)
        return await super().settle(settlement)
