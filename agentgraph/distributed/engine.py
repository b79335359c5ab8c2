"""A worker: DBOS in the event loop that serves, with one workflow, "advance this run".

DBOS is one in a process, and so is a worker. It is launched inside of the running loop, so that runs are advanced there
and share what belongs to a loop, such as connections to models.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

import anyio
from anyio import to_thread

from agentgraph.concurrency import called_in_loop
from agentgraph.exceptions import UserError
from agentgraph.graph import Observer, Store

from .database import ADVANCE
from .health import Health
from .port import GRACE, ServeOptions
from .pulse import Pulse, new_executor
from .queues import APPLICATION, Queues
from .recovery import Own, Recovery
from .served import Services
from .telling import tell_all
from .working import Wake, Work

if TYPE_CHECKING:
    from sqlalchemy import Engine

try:
    from dbos import DBOS, DBOSConfig, WorkflowSerializationFormat
    from sqlalchemy.exc import SQLAlchemyError
except ImportError as missing:
    raise UserError(
        "runs in PostgreSQL are dispatched by DBOS, which cannot be imported; pip install 'agentgraph[dbos]'"
    ) from missing

__all__ = ["Worker"]

_POOL = 5
"""Connections that DBOS may have beside the one that it listens with."""


@dataclass
class _Process:
    """What there is once in a process: the work that its DBOS is for."""

    work: Work | None = None


_process = _Process()
_lock = threading.Lock()


@dataclass
class Worker:
    """One worker, for one `serve`."""

    store: Store
    queues: Queues
    services: Services
    serves: Sequence[str]
    stale_after: float
    observers: Sequence[Observer] = ()
    executor: str = field(default_factory=new_executor)
    _work: Work = field(init=False)
    _pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        self._work = Work(self.store, self.services, self.observers)
        self._pulse = Pulse(self.queues, self.executor, self.serves, partial(_look, self._work))

    def health(self) -> Health:
        """How it goes."""
        status: Literal["serving", "ending", "unheard"] = "ending" if self._work.stopping else "serving"
        if self._pulse.silent() > self.stale_after:
            status = "unheard"
        return Health(status=status, running=len(self._work.under_way), queues=[*self.serves], executor=self.executor)

    async def serve(self, stop: anyio.Event, options: ServeOptions) -> None:
        """Take runs from the queues until `stop`.

        Raises:
            UserError: there is a worker or another DBOS in this process already, or the event loop is not asyncio's.
            StoreError: the database cannot be had.
        """
        _check_loop()
        with _lock:
            if _process.work is not None:
                raise UserError("this process has a worker already: DBOS is one in a process; start another process")
            _process.work = self._work
        try:
            await self._serve(stop, options)
        finally:
            _process.work = None

    async def _serve(self, stop: anyio.Event, options: ServeOptions) -> None:
        for queue in self.serves:
            await to_thread.run_sync(self.queues.ensure, queue, options.get("concurrency"))
        engine, close = self.queues.engine(_POOL)
        try:
            self._configure(engine)
            await self._work_until(stop, options)
        finally:
            close()

    async def _work_until(self, stop: anyio.Event, options: ServeOptions) -> None:
        recovery = Recovery(self.queues, self.stale_after, called_in_loop(partial(tell_all, self.observers)), self._own)
        try:
            await to_thread.run_sync(self._pulse.start, abandon_on_cancel=True)
            self._launch()
            recovery.start()
            options.get("ready", _nothing)()
            await stop.wait()
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(recovery.stop)
                await self._end(options.get("grace", GRACE))
                await to_thread.run_sync(self._pulse.stop)

    def _configure(self, engine: Engine) -> None:
        _workflow()
        config = DBOSConfig(
            name=APPLICATION,
            system_database_engine=engine,
            dbos_system_schema=self.queues.schema,
            application_version=APPLICATION,
            executor_id=self.executor,
            log_level="ERROR",
            scheduler_polling_interval_sec=3600.0,
        )
        DBOS(config=config)
        if DBOS.executor_id != self.executor:  # the configuration of who was first holds
            raise UserError(
                "this process runs a DBOS of its own already, which is one in a process; start workers as processes of "
                "their own: `agentgraph worker`"
            )

    def _launch(self) -> None:
        DBOS.listen_queues([*self.serves])
        try:
            DBOS.launch()
        except SQLAlchemyError as error:
            raise self.queues.cannot_be("served", error) from error

    def _own(self) -> Own:
        wakes = [*self._work.under_way.values()]
        return Own(executor=self.executor, under_way=[name for wake in wakes for name in wake.names])

    async def _end(self, grace: float) -> None:
        """Begin nothing more, let what is under way end, and end DBOS when its outcomes are written."""
        work = self._work
        work.stopping = True
        ending = partial(DBOS.destroy, workflow_completion_timeout_sec=math.ceil(grace) + 2 if work.under_way else 0)
        async with anyio.create_task_group() as group:
            group.start_soon(work.drain, grace)
            await to_thread.run_sync(ending)


def _look(work: Work) -> tuple[int, bool]:
    return len(work.under_way), work.stopping


def _nothing() -> None:
    pass


@cache
def _workflow() -> None:
    """Make it known to DBOS, once in a process."""

    async def advance(run_id: str, epoch: int) -> None:
        work = _process.work
        assert work is not None  # DBOS has ended before that
        if not await work.advance(Wake(run_id, epoch)):
            raise asyncio.CancelledError  # it is no end: the entry stays taken, and is given back as this worker's

    register = DBOS.workflow(
        name=ADVANCE, max_recovery_attempts=None, serialization_type=WorkflowSerializationFormat.PORTABLE
    )
    register(advance)


def _check_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise UserError("a worker runs in an event loop of asyncio, for DBOS does: serve with `asyncio.run`") from None
