"""What of dispatching happens inside a PostgreSQL database, whoever writes: functions and triggers of its schema.

A run that was submitted stands in a queue of another engine, whose tables are in a schema of their own. Whatever makes
such a run ready to go on puts an entry into that queue, in the transaction that makes it ready: its creation, its
release, the beginning of a sleep, an answer. So nobody who writes needs to know of the engine, and no wake is lost.

A wake is named `<run>:<n>`, n being the claim that it is to lead to, the run's epoch plus one: what wakes a run twice
before it is claimed is one entry. The end of a sleep, `<run>:<n>:timer`, may stand beside an answer that came first.

An answer to a run below wakes the submitted run above it, also while that is executed: it may be about to sleep, and
has not seen the answer then. Who takes such an entry waits until the run rests. The row of that run is locked, as by
who puts it to sleep; so its epoch is that of the sleep that the answer ends.

A dispatcher puts all of it there at its first use, beside the engine's tables: a store that dispatches nothing has no
trigger. `remove` takes it away again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import LiteralString

from psycopg import sql

from agentgraph.stores.postgres_schema import Connection

__all__ = ["ADVANCE", "ENGINE", "install", "remove"]

ENGINE = "_dbos"
"""What the name of the engine's schema ends with, after that of the store's."""

ADVANCE = "agentgraph.advance"
"""What the engine is asked to do with a run. Its version and application are called `agentgraph`."""

_VERSION = "3"
"""Of what follows. Another one is put in place of it, for there is nothing to keep but workers, who come back."""

_REMOVE: Sequence[LiteralString] = (
    "DROP TRIGGER IF EXISTS dispatch_created ON {schema}.runs",
    "DROP TRIGGER IF EXISTS dispatch_rested ON {schema}.runs",
    "DROP TRIGGER IF EXISTS dispatch_deleted ON {schema}.runs",
    "DROP TRIGGER IF EXISTS dispatch_answered ON {schema}.journal",
    "DROP FUNCTION IF EXISTS {schema}.dispatch_answered, {schema}.dispatch_run",
    "DROP FUNCTION IF EXISTS {schema}.dispatch, {schema}.forget_wakes",
    "DROP TABLE IF EXISTS {schema}.workers",
    "DELETE FROM {schema}.meta WHERE name = 'dispatch'",
)
_INSTALL: Sequence[LiteralString] = (
    # The sign of life of each worker, and what is known of it: `pulse.py`.
    """
    CREATE TABLE {schema}.workers (
        executor text COLLATE "C" PRIMARY KEY, owner_host text NOT NULL, owner_pid bigint NOT NULL,
        owner_started bigint NOT NULL, owner_name text NOT NULL, queues text[] NOT NULL,
        started_at double precision NOT NULL, beat_at double precision NOT NULL, missed_at double precision,
        running bigint NOT NULL DEFAULT 0, draining boolean NOT NULL DEFAULT false
    )
    """,
    # Takes entries away: all of these, or those alone that have ended, for one that is under way is somebody's. Ids of
    # runs are compared byte by byte, and names made of them would be: the engine's index has the database's own order.
    """
    CREATE FUNCTION {schema}.forget_wakes(names text[], whole boolean) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        WITH gone AS (
            DELETE FROM {engine}.workflow_status WHERE workflow_uuid = ANY(names COLLATE "default")
            AND (whole OR status NOT IN ('ENQUEUED', 'DELAYED', 'PENDING')) RETURNING workflow_uuid
        ), inputs AS (
            DELETE FROM {engine}.workflow_input AS i USING gone WHERE i.workflow_uuid = gone.workflow_uuid
        )
        DELETE FROM {engine}.workflow_output AS o USING gone WHERE o.workflow_uuid = gone.workflow_uuid;
    END $$
    """,
    # Puts a run into its queue; once for each claim and purpose. An entry without a tenant would never be taken from a
    # queue that bounds tenants. Who restores a database without the engine's tables can still write runs.
    """
    CREATE FUNCTION {schema}.dispatch(of_run text, purpose text, at double precision) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE
        run record;
        wake text;
    BEGIN
        IF to_regnamespace(quote_ident({engine_name})) IS NULL THEN
            RETURN;
        END IF;
        SELECT r.epoch, r.dispatch::json AS how INTO run FROM {schema}.runs AS r
        WHERE r.run_id = of_run AND r.dispatch IS NOT NULL;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        wake := of_run || ':' || run.epoch + 1 || CASE purpose WHEN '' THEN '' ELSE ':' || purpose END;
        PERFORM {schema}.forget_wakes(ARRAY[wake], false);
        PERFORM {engine}.enqueue_workflow(
            workflow_name => 'agentgraph.advance', queue_name => run.how->>'queue',
            positional_args => ARRAY[to_json(of_run), to_json(run.epoch)],
            workflow_id => wake COLLATE "default", app_version => 'agentgraph', application_name => 'agentgraph',
            priority => coalesce((run.how->>'priority')::int4, 0),
            queue_partition_key => coalesce(run.how->>'tenant', '-'),
            delay_until_epoch_ms => (at * 1000)::int8
        );
    END $$
    """,
    # What becomes of a run that was submitted.
    """
    CREATE FUNCTION {schema}.dispatch_run() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF to_regnamespace(quote_ident({engine_name})) IS NOT NULL THEN
                PERFORM {schema}.forget_wakes(array_agg(OLD.run_id || ':' || n || suffix), true)
                FROM generate_series(1, OLD.epoch + 1) AS n,
                    unnest(ARRAY['', ':timer', ':lost', ':timer:lost']) AS suffix;
            END IF;
        ELSIF NEW.status = 'pending' THEN
            PERFORM {schema}.dispatch(NEW.run_id, '', (NEW.dispatch::json->>'after')::float8) WHERE TG_OP = 'INSERT';
            PERFORM {schema}.dispatch(NEW.run_id, '', NULL) WHERE TG_OP = 'UPDATE';
        ELSE
            PERFORM {schema}.dispatch(NEW.run_id, 'timer', NEW.wake_at) WHERE NEW.wake_at IS NOT NULL;
        END IF;
        RETURN NULL;
    END $$
    """,
    # An ordinary step never comes as far as the function: the conditions are looked at without it.
    """
    CREATE TRIGGER dispatch_created AFTER INSERT ON {schema}.runs FOR EACH ROW
    WHEN (NEW.dispatch IS NOT NULL AND NEW.status = 'pending') EXECUTE FUNCTION {schema}.dispatch_run()
    """,
    """
    CREATE TRIGGER dispatch_rested AFTER UPDATE OF status ON {schema}.runs FOR EACH ROW
    WHEN (NEW.dispatch IS NOT NULL AND OLD.status = 'running' AND NEW.status IN ('pending', 'waiting'))
    EXECUTE FUNCTION {schema}.dispatch_run()
    """,
    """
    CREATE TRIGGER dispatch_deleted AFTER DELETE ON {schema}.runs FOR EACH ROW
    WHEN (OLD.dispatch IS NOT NULL) EXECUTE FUNCTION {schema}.dispatch_run()
    """,
    # Up from the run that was answered, to the one that was submitted. One that asks itself and is executed does not go
    # to sleep over its answer.
    """
    CREATE FUNCTION {schema}.dispatch_answered() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        above text := NEW.run_id;
        run record;
    BEGIN
        WHILE above IS NOT NULL LOOP
            SELECT r.parent, r.dispatch IS NOT NULL AS submitted INTO run FROM {schema}.runs AS r
            WHERE r.run_id = above;
            IF run.submitted THEN
                PERFORM FROM {schema}.runs AS r WHERE r.run_id = above FOR NO KEY UPDATE;
                PERFORM {schema}.dispatch(r.run_id, '', NULL) FROM {schema}.runs AS r
                WHERE r.run_id = above
                AND (r.status = 'waiting' OR r.status = 'running' AND above <> NEW.run_id);
                RETURN NULL;
            END IF;
            above := run.parent;
        END LOOP;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER dispatch_answered AFTER INSERT OR UPDATE ON {schema}.journal FOR EACH ROW
    WHEN (NEW.kind = 'answered') EXECUTE FUNCTION {schema}.dispatch_answered()
    """,
)
_INSTALLED: LiteralString = "SELECT value FROM {schema}.meta WHERE name = 'dispatch'"
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('agentgraph dispatch {schema}', 4))"
_NOTE: LiteralString = "INSERT INTO {schema}.meta (name, value) VALUES ('dispatch', %s)"


def install(connection: Connection, schema: str) -> None:
    """Put functions, triggers and the table of workers into a store's schema, if they are not there; all or nothing.

    Raises:
        psycopg.Error: the database does not let it.
    """
    execute = _executing(connection, schema)
    if execute(_INSTALLED) == (_VERSION,):
        return
    with connection.transaction():
        execute(_LOCK)
        if execute(_INSTALLED) == (_VERSION,):  # meanwhile
            return
        for text in (*_REMOVE, *_INSTALL):
            execute(text)
        execute(_NOTE, _VERSION)


def remove(connection: Connection, schema: str) -> None:
    """Take all of it away, with the engine's tables; all or nothing. The runs stay.

    Raises:
        psycopg.Error: the database does not let it.
    """
    execute = _executing(connection, schema)
    with connection.transaction():
        execute(_LOCK)
        for text in (*_REMOVE, "DROP SCHEMA IF EXISTS {engine} CASCADE"):
            execute(text)


def _executing(connection: Connection, schema: str) -> Callable[..., tuple[object, ...] | None]:
    engine = schema + ENGINE
    names = {"schema": sql.Identifier(schema), "engine": sql.Identifier(engine), "engine_name": sql.Literal(engine)}

    def execute(text: LiteralString, *values: str) -> tuple[object, ...] | None:
        cursor = connection.execute(sql.SQL(text).format(**names), values)
        return cursor.fetchone() if cursor.description else None

    return execute
