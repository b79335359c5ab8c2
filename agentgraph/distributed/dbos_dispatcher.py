"""Has runs executed by the workers of many machines, on a PostgreSQL database and DBOS Transact.

A submitted run and its place in the queue are one transaction, for both are in the database of the store; so is every
later wake (`agentgraph.stores.postgres_dispatch`). Who submits, answers or cancels needs no DBOS. A worker is DBOS in
the event loop of `serve`, which takes from its queues what their limits allow and advances it (`working.py`), beside a
sign of life (`pulse.py`) and the care for what dead workers have left (`recovery.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import anyio
from anyio import to_thread
from typing_extensions import Unpack

from agentgraph.concurrency import called_in_loop
from agentgraph.exceptions import UserError
from agentgraph.graph import Observer, Status, Store, Submittable, cancel_tree
from agentgraph.stores import Cipher, EncryptedStore, open_store

from .health import Health
from .held import HoldsStore
from .limits import Limits
from .port import Serveable, ServeOptions, SubmitOptions
from .results import Resumable, result
from .served import Services
from .states import FleetState
from .submitting import queue_name, submit, wake

if TYPE_CHECKING:
    from agentgraph.stores.postgres_database import Database

    from .engine import Worker
    from .queues import Queues

__all__ = ["DBOSDispatcher"]

StartT = TypeVar("StartT")
OutcomeT = TypeVar("OutcomeT")

_LONGEST_SCHEMA = 58
"""Bytes: that of the engine is five longer, and PostgreSQL cuts names after 63."""


class DBOSDispatcher(HoldsStore):
    """Has runs executed by workers that share a PostgreSQL database. Needs the extra `dbos` where runs are served.

    Args:
        url: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, as `open_store` takes it.
        version: Of the code: its runs stand in queues of their own, which workers of other versions do not look into.
        lease: Seconds after which another process may take over a run whose owner is not heard of.
        stale_after: Seconds after which the work of a worker that is not heard of is given to others.
        schema: That of the store. DBOS has one of its own beside it, with `_dbos` after the name.
        cipher: Encrypts what runs hold, as `EncryptedStore` does; how they are dispatched stays readable.
        observers: Told of what is submitted, begun, handed on and recovered by this process, and of all that happens in
            the runs that it executes.

    Raises:
        StoreError: the database cannot be opened; says why and what to do.
        UserError: an argument makes no sense, or psycopg is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        version: str | None = None,
        lease: float = 15.0,
        stale_after: float = 15.0,
        schema: str = "agentgraph",
        cipher: Cipher | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        if len(schema.encode()) > _LONGEST_SCHEMA:
            raise UserError(f"schema={schema!r} is too long for a dispatcher; give at most {_LONGEST_SCHEMA} bytes")
        if stale_after <= 0:
            raise UserError(f"stale_after={stale_after} gives all work away at once; give seconds above 0")
        self.version, self.stale_after, self.observers = version, stale_after, observers
        opened = open_store(url, lease=lease, schema=schema)
        self._database = _database_of(opened)
        super().__init__(opened if cipher is None else EncryptedStore(opened, cipher))
        self._made: Queues | None = None
        self._worker: Worker | None = None
        self._stops: set[Callable[[], None]] = set()

    async def prepare(self) -> None:
        """Make the engine's tables if they are not there, which else the first use does; it takes a second or two.

        Raises:
            StoreError: they cannot be made.
            UserError: they are not there, and DBOS is not installed.
        """
        queues = self._queues()
        if not queues.ready:
            await to_thread.run_sync(queues.prepare)

    async def remove(self) -> None:
        """Take away what `prepare` has made: queues, limits, triggers. The runs stay, and nobody is told of them.

        Raises:
            UserError: workers serve the queues.
            StoreError: the database does not let it.
        """
        serving = [each.executor for each in (await self.state()).workers if each.status != "gone"]
        if serving:
            raise UserError(f"workers serve these queues, and would make them again: end {', '.join(serving)} first")
        await to_thread.run_sync(self._queues().remove)

    async def submit(self, what: Submittable[StartT], start: StartT, /, **options: Unpack[SubmitOptions]) -> str:
        await self.prepare()
        return (await submit(self.store, what, start, options, self.version, self.observers)).run_id

    async def serve(self, agents: Sequence[Serveable], **options: Unpack[ServeOptions]) -> None:
        """Execute runs of these agents and graphs: once in a process at a time, in an event loop of asyncio."""
        from .engine import Worker

        services = Services.of(agents, inspect.currentframe())
        names = options.get("queues") or services.names
        queues = [queue_name(name, self.version) for name in names]
        stop = anyio.Event()
        stopping = called_in_loop(stop.set)
        self._stops.add(stopping)
        try:
            await self.prepare()
            self._worker = Worker(self.store, self._queues(), services, queues, self.stale_after, self.observers)
            await self._worker.serve(stop, options)
        finally:
            self._stops.discard(stopping)
            self._worker = None

    def stop(self) -> None:
        for stopping in list(self._stops):
            stopping()

    async def result(self, what: Resumable[OutcomeT], run_id: str) -> OutcomeT:
        return await result(self.store, what, run_id)

    async def cancel(self, run_id: str) -> Status:
        return await cancel_tree(self.store, run_id)

    async def wake(self, run_id: str) -> Status:
        return (await wake(self.store, run_id)).status

    async def limit(self, queue: str, limits: Limits) -> None:
        await self.prepare()
        await to_thread.run_sync(self._queues().limit, queue_name(queue, self.version), limits)

    async def state(self) -> FleetState:
        from .watching import fleet_state

        return await to_thread.run_sync(fleet_state, self._queues())

    def health(self) -> Health:
        return Health(status="idle") if self._worker is None else self._worker.health()

    def _queues(self) -> Queues:
        if self._made is None:
            from .queues import Queues

            self._made = Queues(self._database)
        return self._made


def _database_of(store: Store) -> Database:
    from agentgraph.stores.postgres import (
        PostgresStore,
    )  # by now: `open_store` says what to do where psycopg is missing

    assert isinstance(store, PostgresStore)  # what its URL names
    return store.database
