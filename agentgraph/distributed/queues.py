"""The engine's side of a store's database: its tables, its queues, and connections to both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from agentgraph.exceptions import StoreError, UserError
from agentgraph.stores.postgres_database import Database
from agentgraph.stores.postgres_errors import cannot_open
from agentgraph.stores.postgres_schema import Connection

from .database import ENGINE, install, remove
from .engine_limits import engine_rate, worker_bound
from .limits import Limits

if TYPE_CHECKING:
    from dbos import DBOSClient
    from sqlalchemy import Engine

__all__ = ["APPLICATION", "Queues"]

APPLICATION = "agentgraph"
"""The engine's name for whose work it is; also its version of the code, which is always this: ours is in the queue."""

_READY: LiteralString = """
    SELECT count(*) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = %s AND p.proname = 'enqueue_workflow' AND 'application_name' = ANY (p.proargnames)
"""
_PREPARED: LiteralString = "SELECT EXISTS (SELECT FROM {schema}.meta WHERE name = 'dispatch')"
_LOCK: LiteralString = "hashtextextended('agentgraph worker {schema} ' || executor, 2)"
"""Of the worker whose id the column `executor` has."""

_NEEDS = "runs in PostgreSQL are dispatched by DBOS, which cannot be imported; pip install 'agentgraph[dbos]'"


@dataclass
class Queues:
    """Those of one store. Its methods block, and may be called from any thread."""

    database: Database
    ready: bool = False
    """Whether the engine's tables are known to be there."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def schema(self) -> str:
        """That of the engine's tables."""
        return self.database.schema + ENGINE

    def render(self, text: LiteralString) -> bytes:
        """A statement for the two schemas; `lock` is the key of a worker's lock."""
        names = {"schema": sql.Identifier(self.database.schema), "engine": sql.Identifier(self.schema)}
        return sql.SQL(text).format(**names, lock=sql.SQL(_LOCK).format(**names)).as_bytes()

    @contextmanager
    def connection(self) -> Generator[Connection]:
        """A connection for a statement or two.

        Raises:
            StoreError: the database cannot be had.
        """
        try:
            with self.database.connect() as connection:
                yield connection
        except psycopg.Error as error:
            raise cannot_open(self.database.place, error) from error

    def prepare(self) -> None:
        """See that the engine has its tables, and the store its triggers.

        Raises:
            StoreError: they cannot be had.
            UserError: they are not there, and DBOS, which makes them, is not installed.
        """
        with self._lock:
            if self.ready:
                return
            with self.connection() as connection:
                row = connection.execute(_READY, (self.schema,)).fetchone()
            if row != (1,):
                self._migrate()
            with self.connection() as connection:
                install(connection, self.database.schema)
            self.ready = True

    def exist(self) -> bool:
        """Whether a dispatcher has ever prepared this database.

        Raises:
            StoreError: the database cannot be had.
        """
        with self.connection() as connection:
            return connection.execute(self.render(_PREPARED)).fetchone() == (True,)

    def remove(self) -> None:
        """Take away what `prepare` has made.

        Raises:
            StoreError: the database does not let it.
        """
        with self._lock, self.connection() as connection:
            remove(connection, self.database.schema)
            self.ready = False

    def limit(self, queue: str, limits: Limits, *, anew: bool = True) -> None:
        """Write the limits of a queue; `anew`: over those that it has.

        Raises:
            StoreError: they cannot be written.
            UserError: DBOS is not installed.
        """
        with self.client() as client:
            client.register_queue(
                queue,
                global_concurrency=limits.concurrency,
                worker_concurrency=worker_bound(limits),
                partition_concurrency=limits.per_tenant,
                limiter=engine_rate(limits.rate),
                partition_limiter=engine_rate(limits.rate_per_tenant),
                polling_interval_sec=limits.poll,
                on_conflict="always_update" if anew else "never_update",
            )

    def ensure(self, queue: str, per_worker: int | None) -> None:
        """See that a queue is there; `per_worker`, where given, becomes one of its limits, as far as others let it.

        Raises:
            StoreError, UserError: as `limit`.
        """
        self.limit(queue, Limits() if per_worker is None else Limits(per_worker=per_worker), anew=False)
        if per_worker is not None:
            with self.client() as client:
                found = client.retrieve_queue(queue)
                assert found is not None  # it was made above
                found.set_worker_concurrency(min(per_worker, found.global_concurrency or per_worker))

    @contextmanager
    def client(self) -> Generator[DBOSClient]:
        """The engine's own way to be told something.

        Raises:
            StoreError: the database cannot be had.
            UserError: DBOS is not installed.
        """
        try:
            from dbos import DBOSClient
            from sqlalchemy.exc import SQLAlchemyError
        except ImportError as error:
            raise UserError(_NEEDS) from error

        engine, close = self.engine(1)
        try:
            client = DBOSClient(
                system_database_engine=engine,
                dbos_system_schema=self.schema,
                application_name=APPLICATION,
                lazy=True,
                retry_connection_errors=False,
            )
            try:
                yield client
            finally:
                client.destroy()
        except SQLAlchemyError as error:
            raise self.cannot_be("written", error) from error
        finally:
            close()

    def cannot_be(self, what: str, error: Exception) -> StoreError:
        """What an error of the engine's database means."""
        return StoreError(f"the queues of {self.database.place} cannot be {what}: {_first_line(error)}")

    def engine(self, size: int) -> tuple[Engine, Callable[[], None]]:
        """A pool of so many connections, as DBOS wants them, and what closes them all, those too that it has kept.

        The password stays with the driver.
        """
        from sqlalchemy import create_engine

        over = threading.Event()
        made: list[psycopg.Connection] = []  # DBOS takes one out of the pool, and drops it open

        def connect() -> psycopg.Connection:
            made[:] = [each for each in made if not each.closed]
            made.append(connection := psycopg.connect(self.database.conninfo))
            if over.is_set():  # a thread of DBOS that has not ended yet
                connection.close()
            return connection

        def close() -> None:
            over.set()
            engine.dispose()
            for connection in made:
                connection.close()

        engine = create_engine("postgresql+psycopg://", creator=connect, pool_size=size, max_overflow=0)
        return engine, close

    def _migrate(self) -> None:
        try:
            from dbos import DBOS
            from sqlalchemy.engine import URL
            from sqlalchemy.exc import SQLAlchemyError
        except ImportError as error:
            raise UserError(_NEEDS) from error
        given = {name: str(value) for name, value in conninfo_to_dict(self.database.conninfo).items()}
        user, password, name = given.pop("user", None), given.pop("password", None), given.pop("dbname", None)
        url = URL.create("postgresql+psycopg", user, password, database=name or user, query=given)
        try:
            DBOS.migrate(url.render_as_string(hide_password=False), schema=self.schema)
        except SQLAlchemyError as error:
            place = f"the queues of {self.database.place}"
            raise StoreError(
                f"{place} cannot be made: {_first_line(error)}; see that its user may create schemas"
            ) from error


def _first_line(error: Exception) -> str:
    """What went wrong, without the statement."""
    return str(error).partition("\n")[0]
