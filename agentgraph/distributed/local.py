"""Executes submitted runs in this very process, from any store: nothing but a loop that looks for what is ready.

The store is all that it remembers: runs that were submitted before this process began, that others have released, that
sleep until a time or were answered elsewhere are found by looking, every half second. What this process itself submits
is looked for at once. Several processes may serve one file: each run is claimed by one of them.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup
from typing_extensions import Unpack

from agentgraph.concurrency import called_in_loop
from agentgraph.exceptions import StoreError
from agentgraph.graph import (
    Dispatch,
    JournalKind,
    JournalRecord,
    Observer,
    RunFilter,
    RunRecord,
    Status,
    Store,
    Submittable,
    cancel_tree,
    open_questions,
)
from agentgraph.stores.claims import lives
from agentgraph.stores.owner import is_dead, this_process

from .admission import Admission
from .health import Health
from .held import HoldsStore
from .limits import Limits
from .port import GRACE, Serveable, ServeOptions, SubmitOptions
from .results import Resumable, result
from .served import Services
from .states import FleetState, Load, QueueState, WorkerState
from .submitting import queue_name, submit, wake
from .telling import dispatch_of
from .working import LOG, Wake, Work

__all__ = ["LocalDispatcher"]

StartT = TypeVar("StartT")
OutcomeT = TypeVar("OutcomeT")

_LOOK = 0.5
"""Seconds between two looks for what other processes have written."""

_READY = (Status.PENDING, Status.RUNNING, Status.WAITING)


class _Bell:
    """Tells who serves, in its event loop, of what came; from any thread. Made in that loop."""

    def __init__(self) -> None:
        self.brought: dict[str, tuple[RunRecord, Wake]] = {}
        self.stopped = False
        self._rung = anyio.Event()
        self._ring = called_in_loop(self._rang)

    def bring(self, record: RunRecord) -> None:
        """A run is ready."""
        self.brought[record.run_id] = record, Wake(record.run_id, record.epoch)
        self._ring()

    def stop(self) -> None:
        """Nothing more is to be begun."""
        self.stopped = True
        self._ring()

    def ring(self) -> None:
        """Something has ended; called in the loop itself."""
        self._rang()

    async def wait(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._rung.wait()
        self._rung = anyio.Event()

    def _rang(self) -> None:
        self._rung.set()


@dataclass(frozen=True)
class _Seen:
    """A run that waits, as it was at one look."""

    at: float = 0.0
    """When it was written last."""
    below: bool = False
    """It waits for runs below it."""
    answers: frozenset[tuple[str, JournalRecord]] = frozenset()
    """Those that it, or a run below, has in its journal; with that run."""


@dataclass
class _Desk:
    """One `serve`: what is ready, in order, and what is under way."""

    crew: Work
    admission: Admission
    queues: set[str]
    bell: _Bell
    since: float = field(default_factory=time.monotonic)
    ready: dict[str, tuple[RunRecord, Wake]] = field(default_factory=dict[str, tuple[RunRecord, Wake]])
    seen: dict[str, _Seen] = field(default_factory=dict[str, _Seen])
    """Runs that wait, as they were at the last look."""

    async def work(self, group: TaskGroup) -> None:
        """Look and begin until told to stop."""
        next_look = 0.0
        while not self.bell.stopped:
            if anyio.current_time() >= next_look:
                try:
                    await self._look()
                except StoreError as error:
                    LOG.warning("what is ready is looked for again: %s", error)
                next_look = anyio.current_time() + _LOOK
            self._take_brought()
            self._begin(group)
            await self.bell.wait(next_look - anyio.current_time())

    def _take_brought(self) -> None:
        while self.bell.brought:
            run_id, (record, wake) = self.bell.brought.popitem()
            if record.dispatch is not None and record.dispatch.queue in self.queues:
                self.ready[run_id] = record, wake

    def _begin(self, group: TaskGroup) -> None:
        under_way = {wake.run_id for wake in self.crew.under_way.values()}
        now = datetime.now(UTC).timestamp()
        in_order = sorted(self.ready.values(), key=lambda each: (dispatch_of(each[0]).priority, each[0].created_at))
        for record, woken in in_order:
            how = dispatch_of(record)
            early = how.after is not None and how.after > now and record.epoch == 0
            if record.run_id not in under_way and not early and self.admission.admit(how, anyio.current_time()):
                del self.ready[record.run_id]
                group.start_soon(self.crew.advance, woken, partial(self._ended, how))
                under_way.add(record.run_id)

    def _ended(self, how: Dispatch) -> None:
        self.admission.leave(how)
        self.bell.ring()

    async def _look(self) -> None:
        now = datetime.now(UTC).timestamp()
        async for record in submitted(self.crew.store, Status.PENDING):
            self._add(record)
        async for record in submitted(self.crew.store, Status.RUNNING):
            if not lives(record, now, is_dead):
                self._add(record)
        seen, self.seen = self.seen, {}
        async for record in submitted(self.crew.store, Status.WAITING):
            self.seen[record.run_id] = await self._see(record, before := seen.get(record.run_id, _Seen()))
            is_due = record.wake_at is not None and record.wake_at <= now
            if is_due or not self.seen[record.run_id].answers <= before.answers:
                self._add(record)

    def _add(self, record: RunRecord) -> None:
        if dispatch_of(record).queue in self.queues and record.run_id not in self.ready:
            self.ready[record.run_id] = record, Wake(record.run_id, record.epoch)

    async def _see(self, record: RunRecord, before: _Seen) -> _Seen:
        """How a run waits, and which answers there are, to it and to runs below that it waits for.

        An answer that was there at the last look has woken it then, and is there until its step ends.
        """
        store, own = self.crew.store, record.run_id
        if before.at == record.updated_at and not before.below:
            return before
        rows = [(own, row) for row in await store.calls(own)]
        below = {question.run_id for question in open_questions(row for _, row in rows)} - {own}
        for run_id in below:
            rows += [(run_id, row) for row in await store.calls(run_id)]
        answers = frozenset(each for each in rows if each[1].kind is JournalKind.ANSWERED)
        return _Seen(record.updated_at, bool(below), answers)


async def submitted(store: Store, status: Status) -> AsyncIterator[RunRecord]:
    """The runs with this status that were handed to a dispatcher, the newest first."""
    which = RunFilter(status=status, submitted=True)
    while page := await store.list(which):
        for record in page:
            yield record
        which = replace(which, before=(page[-1].created_at, page[-1].run_id))


def _nothing() -> None:
    pass


class LocalDispatcher(HoldsStore):
    """Executes submitted runs in this process, on asyncio or trio.

    `submit`, `cancel` and `wake` may be called in any event loop and thread; `serve` in one at a time.

    Args:
        store: Where the runs are kept.
        version: Of the code: its runs stand in queues of their own, which other versions do not look into.
        observers: Told of what is submitted, begun and handed on, and of all that happens in the runs that are executed
            here.
    """

    def __init__(self, store: Store, version: str | None = None, observers: Sequence[Observer] = ()) -> None:
        super().__init__(store)
        self.version, self.observers = version, observers
        self._admission = Admission()
        self._desks: dict[_Bell, _Desk] = {}
        """Of those who serve."""

    async def submit(self, what: Submittable[StartT], start: StartT, /, **options: Unpack[SubmitOptions]) -> str:
        record = await submit(self.store, what, start, options, self.version, self.observers)
        for bell in list(self._desks):
            bell.bring(record)
        return record.run_id

    async def serve(self, agents: Sequence[Serveable], **options: Unpack[ServeOptions]) -> None:
        services = Services.of(agents, inspect.currentframe())
        names = options.get("queues") or services.names
        queues = {queue_name(name, self.version) for name in names}
        if (concurrency := options.get("concurrency")) is not None:
            for queue in queues:
                limits = self._admission.limits.get(queue, Limits())
                self._admission.limits[queue] = replace(limits, per_worker=concurrency)
        desk = _Desk(Work(self.store, services, self.observers), self._admission, queues, bell := _Bell())
        self._desks[bell] = desk
        options.get("ready", _nothing)()
        try:
            async with anyio.create_task_group() as group:
                try:
                    await desk.work(group)
                finally:
                    await desk.crew.drain(options.get("grace", GRACE))
        finally:
            del self._desks[bell]

    def stop(self) -> None:
        for bell in list(self._desks):
            bell.stop()

    async def result(self, what: Resumable[OutcomeT], run_id: str) -> OutcomeT:
        return await result(self.store, what, run_id)

    async def cancel(self, run_id: str) -> Status:
        return await cancel_tree(self.store, run_id)

    async def wake(self, run_id: str) -> Status:
        record = await wake(self.store, run_id)
        for bell in list(self._desks):
            bell.bring(record)
        return record.status

    async def limit(self, queue: str, limits: Limits) -> None:
        self._admission.limits[queue_name(queue, self.version)] = limits

    async def state(self) -> FleetState:
        runs = [run for status in _READY async for run in submitted(self.store, status)]
        names = sorted({*self._admission.limits, *(dispatch_of(run).queue for run in runs)})
        queues = [
            _queue(name, self._admission, [run for run in runs if dispatch_of(run).queue == name]) for name in names
        ]
        return FleetState(queues=queues, workers=self._workers())

    def _workers(self) -> list[WorkerState]:
        health = self.health()
        if health.status == "idle":
            return []
        me = this_process()
        limits = [self._admission.limits.get(queue, Limits()).per_worker for queue in health.queues]
        return [
            WorkerState(
                executor="this process",
                host=me.name,
                pid=me.pid,
                queues=health.queues,
                concurrency=None if None in limits else sum(limit or 0 for limit in limits),
                running=health.running,
                up=time.monotonic() - min(desk.since for desk in self._desks.values()),
                silent=0.0,
                status="ending" if health.status == "ending" else "serving",
            )
        ]

    def health(self) -> Health:
        desks = list(self._desks.values())
        if not desks:
            return Health(status="idle")
        ending = any(desk.bell.stopped or desk.crew.stopping for desk in desks)
        return Health(
            status="ending" if ending else "serving",
            running=sum(len(desk.crew.under_way) for desk in desks),
            queues=sorted({queue for desk in desks for queue in desk.queues}),
        )


def _queue(name: str, admission: Admission, runs: Sequence[RunRecord]) -> QueueState:
    now = datetime.now(UTC).timestamp()
    tenants: dict[str, Load] = {}
    for run in runs:
        tenant = dispatch_of(run).tenant or "-"
        tenants[tenant] = tenants.get(tenant, Load()) + _load(run, now)
    ready = [run for run in runs if _load(run, now).waiting]
    return QueueState(
        name=name,
        limits=admission.limits.get(name, Limits()),
        tenants=dict(sorted(tenants.items(), key=lambda item: -item[1].total)),
        oldest=max((now - run.updated_at for run in ready), default=None),
    )


def _load(run: RunRecord, now: float) -> Load:
    """What one run adds; nothing if it waits for an answer."""
    late = run.wake_at is not None or (run.status is Status.PENDING and (dispatch_of(run).after or 0) > now)
    return Load(
        waiting=int(run.status is Status.PENDING and not late),
        running=int(run.status is Status.RUNNING),
        delayed=int(late),
    )
