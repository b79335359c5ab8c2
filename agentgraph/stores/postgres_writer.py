"""How a group of writes comes into a PostgreSQL database.

Steps, journal rows, new runs and settlements go out together: one statement a kind, in one transaction, one flush and
one round trip. What depends on what it finds (`postgres_looking.py`) is a transaction of its own.

When the connection is lost, nobody knows what of a group has arrived. The writer connects again, looks, and sends what
is not there once more: every statement is guarded, so what arrives late after all is refused. Only if the server stays
away for longer than `patience` does a write fail, and says what is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from tenacity import Retrying

from .leases import Leases
from .medium import OutOfReachError
from .postgres_batches import PostgresItem, goes_alone, in_rounds, make_batches
from .postgres_database import Database
from .postgres_errors import cannot_write, is_lost, may_have_arrived
from .postgres_looking import Looking
from .postgres_schema import Connection
from .postgres_statements import Statements, Values

__all__ = ["DatabaseMedium"]

_FORGET_PLANS = "DISCARD PLANS"
"""Now and then: plans are made for tables as large as they were then, and those that grow from nothing soon are not."""


class DatabaseMedium:
    """Opens the database and owns the connection that writes it.

    Raises:
        StoreError: the database cannot be a store.
    """

    def __init__(self, database: Database, looking: Looking, retrying: Retrying) -> None:
        self._database, self._looking, self._retrying = database, looking, retrying
        self._connection = database.open()

    @property
    def place(self) -> str:
        return self._database.place

    @property
    def waits(self) -> bool:
        return True

    def write(self, items: Sequence[PostgresItem], *, renew: bool) -> None:
        try:
            self._retrying(self._attempt, items, renew=renew)
        except psycopg.Error as error:
            if is_lost(error):
                raise OutOfReachError(error) from error
            raise

    def write_at_once(self, item: PostgresItem) -> bool:
        return False  # pragma: no cover - who waits for a server is not asked

    def explain(self, error: Exception, item: PostgresItem) -> Exception:
        if not isinstance(error, psycopg.Error):
            return error
        failure = cannot_write(self.place, error, item.run_id, item.seq, unsure=item.unsure)
        failure.__cause__ = error
        return failure

    def end(self) -> None:
        try:
            if self._leases:
                self._connect_again()
                self._connection.execute(self._statements.give_up, self._held())
                self._leases.clear()
        finally:
            self._connection.close()

    @property
    def _leases(self) -> Leases:
        return self._looking.leases

    @property
    def _statements(self) -> Statements:
        return self._looking.statements

    def _attempt(self, items: Sequence[PostgresItem], *, renew: bool) -> None:
        self._connect_again()
        try:
            self._write(self._connection, items, renew=renew)
        except psycopg.Error as error:
            if is_lost(error):
                self._connection.close()
            for item in items:
                item.unsure = not item.settled and (item.unsure or may_have_arrived(error))
            raise

    def _connect_again(self) -> None:
        if self._connection.closed:
            self._connection = self._database.connect_to_write()

    def _write(self, connection: Connection, items: Sequence[PostgresItem], *, renew: bool) -> None:
        if renew:
            connection.execute(_FORGET_PLANS)
            held = self._held()
            renewed = connection.execute(self._statements.renew, held, prepare=True)
            self._leases.keep(dict(renewed.fetchall()), held["run_ids"])
        doubtful = [item for item in items if item.unsure and not item.settled]
        for item in doubtful:
            self._looking.look_up(connection, item)
        self._write_rest(connection, [item for item in items if not item.settled])
        for item in doubtful:
            item.unsure = False
            if item.refused:  # perhaps by itself: it arrived after it was looked for
                self._looking.look_up(connection, item)

    def _write_rest(self, connection: Connection, items: Sequence[PostgresItem]) -> None:
        together: list[list[PostgresItem]] = []
        for turn in in_rounds(items):
            together.append([item for item in turn if not goes_alone(item)])
            alone = [item for item in turn if goes_alone(item)]
            if alone:
                self._write_together(connection, together)
                together = []
            for item in alone:
                self._looking.write(connection, item)
        self._write_together(connection, together)

    def _write_together(self, connection: Connection, rounds: Sequence[Sequence[PostgresItem]]) -> None:
        """All batches in one transaction; they are settled when it is committed."""
        batches = [batch for items in rounds for batch in make_batches(self._statements, items)]
        relaxed = all(item.relaxed for items in rounds for item in items)
        shared = {**self._looking.shared(), "relaxed": relaxed}
        if len(batches) == 1:
            found = [batches[0].statement.execute(connection, batches[0].rows, shared).fetchall()]
        elif batches:
            with connection.pipeline(), connection.transaction():
                cursors = [batch.statement.execute(connection, batch.rows, shared) for batch in batches]
            found = [cursor.fetchall() for cursor in cursors]
        else:
            return
        for batch, rows in zip(batches, found, strict=True):
            batch.settle(rows)

    def _held(self) -> Values:
        held = self._leases.held
        return {**self._looking.shared(), "run_ids": list(held), "epochs": list(held.values())}
