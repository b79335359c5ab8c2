"""Advances runs: what every dispatcher does with a run it was told to go on with.

A *wake* says which run, and how often it had been claimed when the wake was made. What becomes of it depends on how the
run stands by now:

- it has ended: nothing
- it rests, and was claimed since: nothing, for whoever claimed it has made the next wake
- it rests as it did: it is claimed, and stepped through until it ends, sleeps, or this process is to stop
- it is executed: look again until it no longer is. So a run that is executed has a live wake that watches over it, and
  who takes over a run whose process has died waits no longer than the lease

A store that cannot be reached ends nothing: the wake looks again. What else a run fails with stands in the store.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, assert_never

import anyio

from agentgraph.agent.run import AgentRun
from agentgraph.exceptions import DecodeError, RunBusy, RunFenced, RunNotFound, RunWaiting, StoreError
from agentgraph.graph import (
    Dispatched,
    Emitted,
    End,
    GraphRun,
    HandedOn,
    Observer,
    RunRecord,
    Settlement,
    Status,
    Store,
)
from agentgraph.graph.lifecycle import Event
from agentgraph.stores.owner import this_process

from .served import Services
from .telling import dispatch_of, dispatched, tell_all

__all__ = ["LOG", "Wake", "Work", "was_away"]

LOG = logging.getLogger("agentgraph.distributed")

_LOOK = 0.25

_SLOWEST = 2.0
_TRIES = 5
"""How often in a row a run may fail at one step because its store could not be written, which then can be read."""

_AWAY = "StoreError: "
"""How the error of a run begins that has failed because its store was away: that is no verdict on the run."""


def was_away(record: RunRecord) -> bool:
    """Whether a run has failed because its store was away: it is gone on with."""
    return record.status is Status.FAILED and (record.error or "").startswith(_AWAY)


@dataclass(frozen=True, slots=True)
class Wake:
    """Says: go on with this run."""

    run_id: str
    epoch: int
    """How often it had been claimed."""

    @property
    def names(self) -> Sequence[str]:
        """Of the entries that it may come from."""
        entry = f"{self.run_id}:{self.epoch + 1}"
        return [entry, f"{entry}:timer"]

    def concerns(self, record: RunRecord) -> bool:
        """Whether there is something to do, or to wait for."""
        match record.status:
            case Status.SUCCEEDED | Status.CANCELLED:
                return False
            case Status.FAILED:
                return was_away(record)
            case Status.PENDING | Status.WAITING:
                return record.epoch <= self.epoch
            case Status.RUNNING:
                return True
            case _ as unreachable:
                assert_never(unreachable)


@dataclass
class _Patience:
    """How long, and how often, one wake looks again."""

    pause: float
    seq: int = -1
    failures: int = 0

    def is_over(self, record: RunRecord) -> bool:
        """Whether the run has failed too often at one step because its store could not be written."""
        if record.seq != self.seq or record.status is not Status.FAILED:
            self.seq, self.failures = record.seq, 0
        else:
            self.failures += 1
        return self.failures > _TRIES

    async def wait(self, longest: float = _SLOWEST) -> None:
        """A little longer each time; no longer than a lease that runs out in `longest` seconds needs."""
        await anyio.sleep(min(self.pause, longest + 0.02))
        self.pause = min(_SLOWEST, self.pause * 1.5)


@dataclass
class Work:
    """The runs that this process advances. The one thing here that changes: what is under way, and whether to stop."""

    store: Store
    services: Services
    observers: Sequence[Observer] = ()
    """Told of each event of the runs."""
    pause: float = _LOOK
    """Seconds until a run that another process executes, or a store that is away, is looked at again, at first."""
    stopping: bool = False
    ended: bool = False
    under_way: dict[anyio.CancelScope, Wake] = field(default_factory=dict[anyio.CancelScope, Wake])
    held: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """The runs that are executed here, or about to be, and how often each had been claimed before: by how many wakes,
    for one may watch over a run that another one executes."""
    _idle: anyio.Event = field(default_factory=anyio.Event)

    async def advance(self, wake: Wake, on_end: Callable[[], None] = lambda: None) -> bool:
        """Go on with a run, as far as it can. What it fails with is kept in the store, and raised nowhere.

        Only `drain` stops it: it is shielded from what else is cancelled.

        Returns:
            False: nothing was done, for all has ended here; the wake is for somebody else.
        """
        if self.ended:
            on_end()
            return False
        with anyio.CancelScope(shield=True) as scope:
            self.under_way[scope] = wake
            try:
                await self._advance(wake)
            finally:
                del self.under_way[scope]
                if not self.under_way:
                    self._idle.set()
                on_end()
        return True

    async def drain(self, grace: float) -> None:
        """Let the steps that are under way end, for `grace` seconds; then hand on the runs whose steps do not."""
        self.stopping = True
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(grace):
                await self._empty()
            self.ended = True
            async with anyio.create_task_group() as group:  # at once: where the store is away, each waits for it
                for scope, wake in list(self.under_way.items()):
                    group.start_soon(self._take_away, scope, wake)
            await self._empty()

    async def _empty(self) -> None:
        while self.under_way:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def _take_away(self, scope: anyio.CancelScope, wake: Wake) -> None:
        """Release a run without its executor, who finds that out and is stopped."""
        with suppress(StoreError, RunFenced, RunNotFound):
            record = await self.store.load(wake.run_id)
            if record.owner == this_process() and self.held[wake.run_id, record.epoch - 1]:
                release = Settlement(run_id=record.run_id, epoch=record.epoch, event=Event.RELEASE)
                await self.store.settle(release)
                how = dispatch_of(record)
                tell_all(self.observers, record.run_id, record.seq, HandedOn(how.queue, how.tenant))
        scope.cancel()

    async def _advance(self, wake: Wake) -> None:
        patience = _Patience(self.pause)
        while await self._look(wake, patience):
            pass

    async def _look(self, wake: Wake, patience: _Patience) -> bool:
        """See how the run stands now, and go on with it; whether to look again."""
        try:
            record = await self.store.load(wake.run_id)
        except RunNotFound:
            return False
        except StoreError as error:
            return await self._again(wake, error, patience)
        if await self._is_over(wake, record, patience):
            return False
        try:
            await self._go_on(record)
        except RunWaiting:
            return False
        except RunBusy as busy:
            await patience.wait(busy.seconds)
            return True
        except Exception as error:  # noqa: BLE001 - whatever a user's code raises: the run has failed with it
            if isinstance(error, StoreError | RunFenced) and not isinstance(error, DecodeError):
                return await self._again(wake, error, patience)
            LOG.info("run %r ended with %s: %s", wake.run_id, type(error).__name__, error)
            await self._refuse(record, _told(error))
        return False

    async def _is_over(self, wake: Wake, record: RunRecord, patience: _Patience) -> bool:
        """Whether there is nothing more to do, or nothing that helps."""
        if wake.concerns(record) and patience.is_over(record):
            await self._refuse(record, f"given up after {_TRIES} tries: {record.error}")
            return True
        return not wake.concerns(record)

    async def _again(self, wake: Wake, error: Exception, patience: _Patience) -> bool:
        LOG.warning("run %r is looked at again: %s", wake.run_id, error)
        await patience.wait()
        return True

    async def _go_on(self, record: RunRecord) -> None:
        served = self.services.of_run(record)
        begins = dispatched(record)
        held = record.run_id, record.epoch
        self.held[held] += 1
        try:
            async with served.going_on(record, self.store, self.observers) as run:
                run.ctx.outlet.tell(Emitted(run.run_id, run.ctx.seq, begins))
                await self._step_on(run, begins)
        finally:
            self.held[held] -= 1
            self.held += Counter[tuple[str, int]]()  # forgets those of which there are none

    async def _step_on(
        self,
        run: AgentRun[Any] | GraphRun[Any, Any, Any],  # Any: of whatever types
        begun: Dispatched,
    ) -> None:
        """Take steps, one at least, until there are no more or this process is to stop."""
        first = True
        async for node in run:
            if self.stopping and not first and not isinstance(node, End):
                run.ctx.outlet.tell(Emitted(run.run_id, run.ctx.seq, HandedOn(begun.queue, begun.tenant)))
                return
            first = False

    async def _refuse(self, seen: RunRecord, reason: str) -> None:
        """Fail a run that this code cannot go on with, so that it is seen; `wake` tries it again.

        It was not claimed, or given back as it was, or has failed as if its store were away: else it would have failed
        by itself, and for good.
        """
        with suppress(StoreError, RunFenced, RunBusy, RunNotFound):
            record = await self.store.load(seen.run_id)
            rests = record.status in (Status.PENDING, Status.WAITING) or was_away(record)
            if rests and record.epoch <= seen.epoch + 1:
                claimed = await self.store.claim(seen.run_id)
                await self.store.settle(
                    Settlement(run_id=seen.run_id, epoch=claimed.epoch, event=Event.FAIL, error=reason)
                )


def _told(error: Exception) -> str:
    """What a run has failed with. An error of somebody else that is called as that of a store has its whole name."""
    said = f"{type(error).__name__}: {error}"
    return f"{type(error).__module__}.{said}" if said.startswith(_AWAY) else said
