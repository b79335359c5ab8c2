"""One schema of one PostgreSQL database: its URL, its name for people, and its connections."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agentgraph.exceptions import StoreError, UserError

from .postgres_errors import cannot_open
from .postgres_schema import Connection, migrate

__all__ = ["Database", "Synchronous", "check_version"]

Synchronous = Literal["FULL", "NORMAL"]

_NEEDED = 120000
"""PostgreSQL 12."""

_DEFAULTS: Mapping[str, str] = {
    "application_name": "agentgraph",
    "client_encoding": "UTF8",
    "connect_timeout": "10",
    # A peer that vanished without a word is noticed within half a minute, not after the hours that systems default to.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}
"""What holds for a connection unless its URL says otherwise."""

_PROBLEM = (
    "the URL of the PostgreSQL store cannot be understood; it reads postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
    "with characters such as @ : / % in a password as %40 %3A %2F %25"
)

# What the writer runs looks rows up by their keys. Plans are made once, at a time when the tables may still be empty,
# where reading them whole looks cheap; and what JIT compiles takes longer than such a statement runs.
_LOOK_UP = """
    SELECT set_config(name, value, false) FROM (VALUES
        ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'),
        ('enable_mergejoin', 'off'), ('jit', 'off')
    ) AS settings(name, value)
"""
# With more than one statement of a batch or a claim in a transaction, each must see what others have committed.
_ISOLATION = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED"
_WAIT = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
_DO_NOT_WAIT = "SET synchronous_commit = off"


@dataclass(frozen=True, slots=True)
class Database:
    """Where a store's tables are, and how they are reached."""

    conninfo: str = field(repr=False)
    """With the password, if the URL has one."""
    schema: str
    place: str
    """What people know it by: host, database, schema. Never the password."""
    synchronous: Synchronous

    @classmethod
    def at(cls, url: str, schema: str, synchronous: Synchronous) -> Self:
        """The database that a URL names.

        Raises:
            UserError: the URL cannot be understood.
        """
        given = _parse(url)
        host = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or "this machine"
        port = given.get("port") or os.environ.get("PGPORT") or "5432"
        name = given.get("dbname") or os.environ.get("PGDATABASE") or given.get("user") or "of this user"
        place = f"PostgreSQL database {name!r} on {host}:{port}, schema {schema!r}"
        return cls(make_conninfo("", **{**_DEFAULTS, **given}), schema, place, synchronous)

    def open(self) -> Connection:
        """A first connection; creates and migrates the tables.

        Raises:
            StoreError: the database cannot be a store; says why and what to do.
        """
        try:
            connection = self.connect_to_write()
        except psycopg.Error as error:
            raise cannot_open(self.place, error) from error
        try:
            check_version(connection.info.server_version, self.place)
            migrate(connection, self.schema, self.place)
        except BaseException as error:
            connection.close()
            if isinstance(error, psycopg.Error):
                raise cannot_open(self.place, error) from error
            raise
        return connection

    def connect_to_write(self) -> Connection:
        """A connection for the writer's thread."""
        connection = self.connect()
        try:
            connection.execute(_ISOLATION)
            connection.execute(_LOOK_UP)
            connection.execute(_WAIT if self.synchronous == "FULL" else _DO_NOT_WAIT)
        except BaseException:
            connection.close()
            raise
        return connection

    def connect(self, **other: int) -> Connection:
        """A further connection, for any one thread at a time; every statement is a transaction.

        Args:
            **other: Parameters of the connection that are to be other than the URL says.
        """
        return psycopg.connect(make_conninfo(self.conninfo, **other), autocommit=True)


def check_version(found: int, place: str) -> None:
    """Refuse a server that cannot do what the store needs.

    Raises:
        StoreError: it is too old.
    """
    if found < _NEEDED:
        raise StoreError(
            f"{place} is served by PostgreSQL {found // 10000}, the store needs {_NEEDED // 10000} or newer; "
            "upgrade the server or give another URL"
        )


def _parse(url: str) -> dict[str, str]:
    # Neither the driver's message nor what it took for a host may be shown where a character of the password that
    # should have been encoded has cut the URL in the wrong place: they hold parts of the password.
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error:
        raise UserError(_PROBLEM) from None
    names = (given.get("host", "")[1:], given.get("dbname", ""))
    ports = given.get("port", "0").split(",")
    if any("@" in name for name in names) or not all(port.isdigit() or not port for port in ports):
        raise UserError(_PROBLEM)
    return given
