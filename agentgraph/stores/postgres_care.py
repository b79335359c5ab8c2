"""The writes to PostgreSQL that move whole runs: in from another store, and out.

A deletion has a lock that nobody else has meanwhile who lets a run go on from another one; it then locks each run that
it finds, so what it has checked holds until it is committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString, Self, assert_never

from psycopg import sql

from agentgraph.exceptions import RunExists, RunNotFound
from agentgraph.graph.store import RunRecord, StoredRun

from .leases import Leases
from .postgres_batches import Delete, Insert, PostgresItem, storable
from .postgres_blobs import BlobTable
from .postgres_branches import Branches
from .postgres_schema import Connection
from .postgres_statements import Values
from .removal import Relatives, as_inserted, check_rest, doomed
from .rows import CALL, RUN, STEP, journal_values, run_record, run_values, step_values

__all__ = ["Care"]

_NOW: LiteralString = "coalesce(%(now)s::float8, extract(epoch FROM clock_timestamp())::float8)"
_LOCK: LiteralString = "pg_advisory_xact_lock{shared}(hashtextextended('{schema}.', 1))"
_FIND: LiteralString = "SELECT {run}, token FROM {schema}.runs WHERE run_id = %(run_id)s"
_CHILDREN: LiteralString = "SELECT {run} FROM {schema}.runs WHERE parent = %s ORDER BY created_at, run_id FOR UPDATE"
_FOLLOWERS: LiteralString = "SELECT run_id FROM {schema}.runs WHERE origin_run = %s"
_INSERT_RUN: LiteralString = "INSERT INTO {schema}.runs ({run}, token) VALUES ({of_run}, %s)"
_INSERT_STEP: LiteralString = "INSERT INTO {schema}.steps (run_id, epoch, {step}) VALUES (%s, %s, {of_step})"
_INSERT_CALL: LiteralString = "INSERT INTO {schema}.journal (run_id, {call}) VALUES (%s, {of_call})"
_DELETE: LiteralString = """
    WITH gone AS (SELECT unnest(%(ids)s::text[]) AS run_id),
        steps AS (DELETE FROM {schema}.steps AS t USING gone WHERE t.run_id = gone.run_id),
        journal AS (DELETE FROM {schema}.journal AS t USING gone WHERE t.run_id = gone.run_id),
        pending AS (DELETE FROM {schema}.pending AS t USING gone WHERE t.run_id = gone.run_id),
        events AS (DELETE FROM {schema}.events AS t USING gone WHERE t.run_id = gone.run_id)
    DELETE FROM {schema}.runs AS t USING gone WHERE t.run_id = gone.run_id
"""


@dataclass(frozen=True, slots=True)
class Care:
    """Those writes, for one store."""

    place: str
    leases: Leases
    blobs: BlobTable
    branches: Branches
    lock: bytes
    share: bytes
    now: bytes
    find: bytes
    children: bytes
    followers: bytes
    insert_run: bytes
    insert_step: bytes
    insert_call: bytes
    delete_runs: bytes

    @classmethod
    def build(cls, place: str, schema: str, leases: Leases, branches: Branches) -> Self:
        """For a schema."""

        def render(text: LiteralString, shared: LiteralString = "") -> bytes:
            pieces = {
                "run": sql.SQL(RUN),
                "step": sql.SQL(STEP),
                "call": sql.SQL(CALL),
                "shared": sql.SQL(shared),
                "of_run": _marks(RUN),
                "of_step": _marks(STEP),
                "of_call": _marks(CALL),
            }
            return sql.SQL(text).format(schema=sql.Identifier(schema), **pieces).as_bytes()

        return cls(
            place,
            leases,
            BlobTable.build(schema),
            branches,
            lock=render("SELECT " + _LOCK),
            share=render("SELECT " + _LOCK, "_shared"),
            now=render("SELECT " + _NOW),
            find=render(_FIND),
            children=render(_CHILDREN),
            followers=render(_FOLLOWERS),
            insert_run=render(_INSERT_RUN),
            insert_step=render(_INSERT_STEP),
            insert_call=render(_INSERT_CALL),
            delete_runs=render(_DELETE),
        )

    def check_origin(self, connection: Connection, origin: tuple[str, int] | None) -> None:
        """Refuse a run that would go on from nothing; inside the transaction that writes it.

        Raises:
            RunNotFound: there is no such run.
        """
        if origin is not None:
            connection.execute(self.share)
            if self._see(connection, origin[0]) is None:
                raise RunNotFound(origin[0], self.place)

    def write(self, connection: Connection, item: PostgresItem, write: Insert | Delete, shared: Values) -> None:
        """Move runs in or out."""
        if isinstance(write, Insert):
            self._insert_all(connection, item, write)
        else:
            self._delete(connection, item, write, shared)

    def _insert_all(self, connection: Connection, item: PostgresItem, write: Insert) -> None:
        new = {stored.run.run_id for stored in write.runs}
        with connection.transaction():
            connection.execute(self.share)
            for stored in write.runs:
                if self._see(connection, stored.run.run_id) is not None:
                    raise RunExists(stored.run.run_id)
                if stored.run.origin is not None and stored.run.origin[0] not in new:
                    self.check_origin(connection, stored.run.origin)
            for stored in write.runs:
                self._insert(connection, stored, write.token)
        item.succeed(None)

    def _delete(self, connection: Connection, item: PostgresItem, write: Delete, shared: Values) -> None:
        with connection.transaction():
            connection.execute(self.lock)
            ((now,),) = connection.execute(self.now, shared, binary=True)
            run = self._see(connection, item.run_id, b" FOR UPDATE")
            if run is None:
                raise RunNotFound(item.run_id, self.place)

            def check(run: RunRecord) -> None:
                check_rest(run, now, self.leases.is_dead(run), held=self.leases.holds(run))

            write.gone[:] = [each.run_id for each in doomed(run[0], self._relatives(connection), check)]
            connection.execute(self.delete_runs, {"ids": write.gone})
            self.blobs.drop(connection, write.gone)
        item.succeed(write.gone)

    def look_up(self, connection: Connection, item: PostgresItem, write: Insert | Delete) -> None:
        """Settle what arrived although the connection was lost."""
        found = self._see(connection, item.run_id)
        match write:
            case Insert():
                if found is not None and found[1] == write.token:
                    item.succeed(None)
            case Delete():
                if found is None and write.gone:
                    item.succeed(write.gone)
            case _ as unreachable:
                assert_never(unreachable)

    def _insert(self, connection: Connection, stored: StoredRun, token: str) -> None:
        run_id, epoch = stored.run.run_id, stored.run.epoch
        run = as_inserted(stored.run)
        values = [storable(value) if isinstance(value, str) else value for value in run_values(run)]
        cursor = connection.cursor()
        cursor.execute(self.insert_run, (*values, token))
        cursor.executemany(self.insert_step, [(run_id, epoch, *step_values(step)) for step in stored.steps])
        cursor.executemany(self.insert_call, [(run_id, *journal_values(call)) for call in stored.calls])
        self.branches.open(connection, run_id, stored.branches)

    def _relatives(self, connection: Connection) -> Relatives:
        def has(run_id: str) -> bool:
            return self._see(connection, run_id) is not None

        def children(run_id: str) -> list[RunRecord]:
            return [run_record(row) for row in connection.execute(self.children, (run_id,), binary=True)]

        def followers(run_id: str) -> list[str]:
            return [follower for (follower,) in connection.execute(self.followers, (run_id,), binary=True)]

        return Relatives(has, children, followers)

    def _see(self, connection: Connection, run_id: str, lock: bytes = b"") -> tuple[RunRecord, str] | None:
        row = connection.execute(self.find + lock, {"run_id": run_id}, binary=True).fetchone()
        return None if row is None else (run_record(row[:-1]), row[-1])


def _marks(columns: LiteralString) -> sql.SQL:
    marks: LiteralString = ", ".join(["%s" for _ in columns.split(",")])
    return sql.SQL(marks)
