"""The tables of a store in a PostgreSQL database, and the numbered migrations that bring any format to the newest.

They have a schema of their own, the same tables as in SQLite's file and two columns more. `runs.token` names a single
claim and `steps.epoch` the claim that committed the step: by them a writer whose connection was lost finds out what of
its work has arrived. Ids are compared byte by byte, whatever the database's language, so pages join everywhere.

A schema is ours if its table `meta` says so in its comment; the format stands in the table. Both are read, and
migrations applied, under an advisory lock, so many processes may open a fresh database at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from agentgraph.exceptions import StoreError

__all__ = ["FORMAT", "MIGRATIONS", "Connection", "migrate"]

Connection = psycopg.Connection[tuple[Any, ...]]  # any: the driver does not know the types of columns

_MARK = "agentgraph store"

# A step changes its run's row but none of the columns that an index covers; with room left in the page, PostgreSQL
# then writes no index entry (a HOT update).
_FORMAT_1: Sequence[LiteralString] = (
    "CREATE TABLE {schema}.meta (name text PRIMARY KEY, value text NOT NULL)",
    "COMMENT ON TABLE {schema}.meta IS 'agentgraph store'",
    """
    CREATE TABLE {schema}.runs (
        run_id text COLLATE "C" PRIMARY KEY, graph text NOT NULL, agent text, status text NOT NULL,
        epoch bigint NOT NULL, seq bigint NOT NULL, attempt bigint NOT NULL,
        state bytea NOT NULL, usage bytea NOT NULL, options bytea NOT NULL, pending text NOT NULL,
        error text, cancel boolean NOT NULL DEFAULT false,
        conversation text, parent text, origin_run text, origin_seq bigint,
        owner_host text, owner_pid bigint, owner_started bigint, owner_name text,
        lease_until double precision NOT NULL, token text NOT NULL,
        created_at double precision NOT NULL, updated_at double precision NOT NULL
    ) WITH (fillfactor = 60)
    """,
    "CREATE INDEX runs_by_time ON {schema}.runs (created_at, run_id)",
    "CREATE INDEX runs_by_status ON {schema}.runs (status, created_at, run_id)",
    "CREATE INDEX runs_by_agent ON {schema}.runs (agent, created_at, run_id) WHERE agent IS NOT NULL",
    "CREATE INDEX runs_by_parent ON {schema}.runs (parent, created_at, run_id) WHERE parent IS NOT NULL",
    "CREATE INDEX runs_by_origin ON {schema}.runs (origin_run) WHERE origin_run IS NOT NULL",
    """
    CREATE INDEX runs_by_conversation ON {schema}.runs (conversation, created_at, run_id)
    WHERE conversation IS NOT NULL
    """,
    """
    CREATE TABLE {schema}.steps (
        run_id text COLLATE "C" NOT NULL, branch text COLLATE "C" NOT NULL, seq bigint NOT NULL,
        node text NOT NULL, outcome text NOT NULL, body bytea NOT NULL, state bytea NOT NULL, usage bytea NOT NULL,
        attempt bigint NOT NULL, started_at double precision NOT NULL, ended_at double precision NOT NULL,
        owner text NOT NULL, epoch bigint NOT NULL,
        PRIMARY KEY (run_id, branch, seq)
    )
    """,
    """
    CREATE TABLE {schema}.journal (
        run_id text COLLATE "C" NOT NULL, branch text COLLATE "C" NOT NULL, seq bigint NOT NULL,
        key text COLLATE "C" NOT NULL, place bigint GENERATED ALWAYS AS IDENTITY,
        kind text NOT NULL, digest text NOT NULL, value bytea NOT NULL, usage bytea NOT NULL,
        PRIMARY KEY (run_id, branch, seq, key)
    )
    """,
    """
    CREATE TABLE {schema}.pending (
        run_id text COLLATE "C" NOT NULL, branch text COLLATE "C" NOT NULL, seq bigint NOT NULL,
        node text NOT NULL, state bytea NOT NULL, PRIMARY KEY (run_id, branch)
    )
    """,
    """
    CREATE TABLE {schema}.events (
        run_id text COLLATE "C" NOT NULL, "offset" bigint NOT NULL, body bytea NOT NULL,
        PRIMARY KEY (run_id, "offset")
    )
    """,
    "CREATE TABLE {schema}.blobs (digest text PRIMARY KEY, data bytea NOT NULL)",
)

# Which runs need a blob: it goes with the last of them. A foreign key would lock the blob's row at every reference.
_FORMAT_2: Sequence[LiteralString] = (
    """
    CREATE TABLE {schema}.run_blobs (
        run_id text COLLATE "C" NOT NULL, digest text NOT NULL, PRIMARY KEY (run_id, digest)
    )
    """,
    "CREATE INDEX run_blobs_by_digest ON {schema}.run_blobs (digest)",
    "ALTER TABLE {schema}.blobs ALTER COLUMN data SET STORAGE EXTERNAL",
)

# Nothing was written into the table that format 1 had. A row holds several events, and is named by the last of them.
# Who follows a run has a row in `followers`, and is notified of what happens in it; an id too long for a note is none.
_TOLD_EVENTS: Sequence[LiteralString] = (
    "DROP TABLE {schema}.events",
    """
    CREATE TABLE {schema}.events (
        run_id text COLLATE "C" NOT NULL, branch text COLLATE "C" NOT NULL, seq bigint NOT NULL,
        attempt bigint NOT NULL, n bigint NOT NULL, kind text NOT NULL, body bytea NOT NULL,
        PRIMARY KEY (run_id, branch, seq, attempt, n)
    )
    """,
    """
    CREATE TABLE {schema}.followers (
        run_id text COLLATE "C" NOT NULL, follower text NOT NULL, until timestamptz NOT NULL,
        PRIMARY KEY (run_id, follower)
    )
    """,
    """
    CREATE FUNCTION {schema}.tell_followers() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE changed text := coalesce(NEW.run_id, OLD.run_id);
    BEGIN
        IF EXISTS (SELECT FROM {schema}.followers AS f WHERE f.run_id = changed) THEN
            PERFORM pg_notify('agentgraph', CASE WHEN octet_length(changed) < 8000 THEN changed ELSE '' END);
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER tell_followers AFTER UPDATE OF seq, status OR DELETE ON {schema}.runs
    FOR EACH ROW EXECUTE FUNCTION {schema}.tell_followers()
    """,
    """
    CREATE TRIGGER tell_followers AFTER INSERT OR UPDATE ON {schema}.journal
    FOR EACH ROW EXECUTE FUNCTION {schema}.tell_followers()
    """,
    """
    CREATE TRIGGER tell_followers AFTER INSERT ON {schema}.events
    FOR EACH ROW EXECUTE FUNCTION {schema}.tell_followers()
    """,
)

# Runs that sleep until a time.
_TIMERS: Sequence[LiteralString] = (
    "ALTER TABLE {schema}.runs ADD COLUMN wake_at double precision",
    "CREATE INDEX runs_by_wake ON {schema}.runs (wake_at) WHERE wake_at IS NOT NULL",
)

# Runs that were handed to a dispatcher, which adds functions and triggers of its own to the schema.
_DISPATCHED: Sequence[LiteralString] = (
    "ALTER TABLE {schema}.runs ADD COLUMN dispatch text",
    "CREATE INDEX runs_by_dispatch ON {schema}.runs (status, created_at, run_id) WHERE dispatch IS NOT NULL",
)

MIGRATIONS: Sequence[Sequence[LiteralString]] = (_FORMAT_1, _FORMAT_2, _TOLD_EVENTS, _TIMERS, _DISPATCHED)
"""The statements that lead from format n to n + 1, at index n; format 0 is an empty schema."""

FORMAT = len(MIGRATIONS)
"""The format that this release writes."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('agentgraph ' || %s, 0))"
_EXISTS = "SELECT count(*) FROM pg_namespace WHERE nspname = %s"
_MARKED = "SELECT obj_description(to_regclass(quote_ident(%s) || '.meta'), 'pg_class')"
_TABLES = "SELECT count(*) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)"
_SET_FORMAT = """
    INSERT INTO {schema}.meta (name, value) VALUES ('format', %s)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


def migrate(
    connection: Connection,
    schema: str,
    place: str,
    migrations: Sequence[Sequence[LiteralString]] = MIGRATIONS,
) -> None:
    """Bring the schema to the newest format, in one transaction.

    Raises:
        StoreError: the schema belongs to another program, or a newer release wrote it.
        psycopg.Error: it cannot be read or written.
    """
    name = sql.Identifier(schema)
    with connection.transaction():
        connection.execute(_LOCK, (schema,))
        found, newest = _format(connection, schema, place), len(migrations)
        if found > newest:
            raise StoreError(
                f"{place} was written by a newer agentgraph: it has format {found}, this release reads up to "
                f"{newest}; upgrade agentgraph or give another `schema`"
            )
        if found == newest:
            return
        for statements in migrations[found:]:
            for statement in statements:
                connection.execute(sql.SQL(statement).format(schema=name))
        connection.execute(sql.SQL(_SET_FORMAT).format(schema=name), (str(newest),))


def _format(connection: Connection, schema: str, place: str) -> int:
    name = sql.Identifier(schema)
    if not _value(connection, _EXISTS, schema):
        connection.execute(sql.SQL("CREATE SCHEMA {schema}").format(schema=name))
        return 0
    if _value(connection, _MARKED, schema) == _MARK:
        query = sql.SQL("SELECT value FROM {schema}.meta WHERE name = 'format'").format(schema=name)
        return int(_value(connection, query))
    if _value(connection, _TABLES, schema):
        raise StoreError(f"{place} holds tables of another program; give another `schema`, this one was not touched")
    return 0


def _value(connection: Connection, query: LiteralString | sql.Composed, *values: str) -> Any:  # any: of a column
    row = connection.execute(query, values).fetchone()
    return None if row is None else row[0]
