"""What the writer says to PostgreSQL. A step is one statement, and so are the steps of many runs.

A `Grouped` statement begins with `given`, the rows to write, numbered by `i`: a single row comes as plain values, many
come as one array a column. What follows is the same for both. Every part that changes something is guarded by the
run's epoch and seq: what is refused has written nothing, and an owner never waits for the rows of another one's runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Self

from psycopg import Cursor, sql

from .postgres_schema import Connection
from .rows import CALL, EVENT, RUN, STEP, Row

__all__ = ["Grouped", "Statements"]

Values = Mapping[str, Any]  # any: values of columns of all types

_CLOCK = "clock AS (SELECT coalesce(%(now)b::float8, extract(epoch FROM clock_timestamp())::float8) AS now)"
_NO_OWNER = "owner_host = NULL, owner_pid = NULL, owner_started = NULL, owner_name = NULL"
_RESTS = _NO_OWNER + ", lease_until = 0, cancel = false"

_STEP_COLUMNS: LiteralString = (
    "branch text, seq int8, node text, outcome text, body bytea, state bytea, usage bytea, attempt int8,"
    " started_at float8, ended_at float8, owner text"
)

_CREATE_COLUMNS: LiteralString = (
    "run_id text, graph text, agent text, run_state bytea, run_usage bytea, options bytea, pending text,"
    " conversation text, parent text, origin_run text, origin_seq int8, status text, epoch int8, run_seq int8,"
    " run_attempt int8, dispatch text, token text, opened bool, " + _STEP_COLUMNS
)
_CREATE: LiteralString = """
    created AS (
        INSERT INTO {schema}.runs (run_id, graph, agent, status, epoch, seq, attempt, state, usage, options, pending,
            conversation, parent, origin_run, origin_seq, dispatch, token, created_at, updated_at,
            owner_host, owner_pid, owner_started, owner_name, lease_until)
        SELECT run_id, graph, agent, status, epoch, run_seq, run_attempt, run_state, run_usage, options, pending,
            conversation, parent, origin_run, origin_seq, dispatch, token, clock.now, clock.now,
            CASE {held} %(host)b::text END, CASE {held} %(pid)b::int8 END, CASE {held} %(started)b::int8 END,
            CASE {held} %(name)b::text END, CASE {held} clock.now + %(lease)b::float8 ELSE 0 END
        FROM given, clock ORDER BY run_id
        ON CONFLICT (run_id) DO NOTHING RETURNING {run}
    ), inserted AS (
        INSERT INTO {schema}.steps (run_id, {step}, epoch)
        SELECT g.run_id, g.branch, g.seq, g.node, g.outcome, g.body, g.state, g.usage, g.attempt, g.started_at,
            g.ended_at, g.owner, g.epoch
        FROM given AS g JOIN created USING (run_id) WHERE g.opened
    )
    SELECT {run} FROM created
"""

_COMMIT_COLUMNS: LiteralString = (
    "run_id text, epoch int8, status text, if_asked text, run_state bytea, run_usage bytea, journaled bool, told bool, "
    + _STEP_COLUMNS
)
_BECOMES = "CASE WHEN r.cancel THEN g.if_asked ELSE g.status END"
_GOES_ON = "WHEN NOT r.cancel AND g.status = 'running' THEN"
_COMMIT: LiteralString = """
    committed AS (
        UPDATE {schema}.runs AS r SET
            seq = r.seq + 1, state = g.run_state, usage = g.run_usage, pending = g.outcome, updated_at = clock.now,
            status = {becomes}, cancel = false,
            attempt = CASE {goes_on} 1 ELSE 0 END,
            owner_host = CASE {goes_on} r.owner_host END,
            owner_pid = CASE {goes_on} r.owner_pid END,
            owner_started = CASE {goes_on} r.owner_started END,
            owner_name = CASE {goes_on} r.owner_name END,
            lease_until = CASE {goes_on} r.lease_until ELSE 0 END
        FROM given AS g, clock
        WHERE r.run_id = g.run_id AND r.epoch = g.epoch AND r.seq = g.seq AND r.status = 'running'
        RETURNING g.i, r.status
    ), inserted AS (
        INSERT INTO {schema}.steps (run_id, {step}, epoch)
        SELECT g.run_id, g.branch, g.seq, g.node, g.outcome, g.body, g.state, g.usage, g.attempt, g.started_at,
            g.ended_at, g.owner, g.epoch
        FROM given AS g JOIN committed USING (i)
    ), deleted AS (
        DELETE FROM {schema}.journal AS j USING given AS g JOIN committed AS c ON c.i = g.i
        WHERE g.journaled AND j.run_id = g.run_id AND j.branch = g.branch AND j.seq = g.seq
    ), superseded AS (
        DELETE FROM {schema}.events AS e USING given AS g JOIN committed AS c ON c.i = g.i
        WHERE g.told AND e.run_id = g.run_id AND e.branch = g.branch AND e.seq = g.seq AND e.kind = 'text'
    )
    SELECT i, status FROM committed
"""

_JOURNAL_COLUMNS: LiteralString = (
    "run_id text, epoch int8, branch text, seq int8, key text, kind text, digest text, value bytea, usage bytea"
)
# A row that is replaced keeps its place, so the journal reads in the order in which its calls were begun. The run's
# row is locked, for it is not written: or a claim could come between the guard and the journal.
_JOURNAL: LiteralString = """
    guarded AS (
        SELECT g.i FROM given AS g JOIN {schema}.runs AS r
        ON r.run_id = g.run_id AND r.epoch = g.epoch AND r.status = 'running'
        WHERE g.branch = '' AND r.seq = g.seq OR EXISTS (
            SELECT 1 FROM {schema}.pending AS p
            WHERE p.run_id = g.run_id AND p.branch = g.branch AND p.seq = g.seq
        )
        FOR NO KEY UPDATE OF r
    ), inserted AS (
        INSERT INTO {schema}.journal (run_id, {call})
        SELECT g.run_id, g.branch, g.seq, g.key, g.kind, g.digest, g.value, g.usage
        FROM given AS g JOIN guarded USING (i) ORDER BY i
        ON CONFLICT (run_id, branch, seq, key) DO UPDATE
        SET kind = excluded.kind, digest = excluded.digest, value = excluded.value, usage = excluded.usage
    )
    SELECT i FROM guarded
"""

_TELL_COLUMNS: LiteralString = (
    "run_id text, epoch int8, branch text, seq int8, attempt int8, n int8, kind text, body bytea"
)
# Alone in its transaction, it does not wait for the disk.
_TELL: LiteralString = """
    guarded AS (
        SELECT g.i FROM given AS g JOIN {schema}.runs AS r
        ON r.run_id = g.run_id AND r.epoch = g.epoch AND r.status = 'running' AND r.seq = g.seq
        FOR NO KEY UPDATE OF r
    ), inserted AS (
        INSERT INTO {schema}.events (run_id, {event})
        SELECT g.run_id, g.branch, g.seq, g.attempt, g.n, g.kind, g.body FROM given AS g JOIN guarded USING (i)
        ON CONFLICT DO NOTHING
    )
    SELECT CASE WHEN %(relaxed)b::bool THEN set_config('synchronous_commit', 'off', true) END FROM guarded
"""

_SETTLE_COLUMNS: LiteralString = "run_id text, epoch int8, status text, if_asked text, error text, wake_at float8"
_SETTLE: LiteralString = """
    settled AS (
        UPDATE {schema}.runs AS r SET
            status = {becomes}, error = g.error, updated_at = clock.now, {rests},
            wake_at = CASE WHEN {becomes} = 'waiting' THEN g.wake_at END
        FROM given AS g, clock
        WHERE r.run_id = g.run_id AND r.epoch = g.epoch AND r.status = 'running'
        RETURNING g.i, r.status
    )
    SELECT g.i, s.status, r.seq
    FROM given AS g LEFT JOIN settled AS s USING (i) LEFT JOIN {schema}.runs AS r USING (run_id)
"""

# Without a guard, for a transaction that has looked at the run and holds its row.
_KEEP_COLUMNS: LiteralString = (
    "run_id text, branch text, seq int8, key text, kind text, digest text, value bytea, usage bytea"
)
_KEEP: LiteralString = """
    kept AS (
        INSERT INTO {schema}.journal (run_id, {call})
        SELECT run_id, {call} FROM given ORDER BY i
        ON CONFLICT (run_id, branch, seq, key) DO UPDATE
        SET kind = excluded.kind, digest = excluded.digest, value = excluded.value, usage = excluded.usage
        RETURNING 1
    )
    SELECT count(*) FROM kept
"""

_FIND: LiteralString = "WITH {clock} SELECT {run}, token, clock.now FROM {schema}.runs, clock WHERE run_id = %(run_id)b"
_LOCK: LiteralString = _FIND + " FOR NO KEY UPDATE OF runs"
# Turns are taken one at a time; the run that would conflict does not exist yet, so there is no row to lock.
_LOCK_TURN: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('{schema}.' || %(conversation)b::text, 0))"
_HEAD: LiteralString = """
    WITH {clock} SELECT {run}, token, clock.now FROM {schema}.runs, clock
    WHERE conversation = %(conversation)b ORDER BY created_at DESC, run_id DESC LIMIT 1
"""
_TOUCH: LiteralString = """
    WITH {clock} UPDATE {schema}.runs SET updated_at = clock.now FROM clock WHERE run_id = %(run_id)b
"""
_UNCHANGED = (
    "run_id = %(run_id)b AND epoch = %(epoch)b AND seq = %(seq)b AND status = %(status)b AND"
    " lease_until = %(lease_until)b"
)
_CLAIM: LiteralString = """
    WITH {clock}
    UPDATE {schema}.runs SET
        owner_host = %(host)b, owner_pid = %(pid)b, owner_started = %(started)b, owner_name = %(name)b,
        lease_until = clock.now + %(lease)b::float8,
        status = 'running', epoch = epoch + 1, attempt = attempt + 1, options = coalesce(%(options)b, options),
        error = NULL, cancel = false, wake_at = NULL, token = %(token)b, updated_at = clock.now
    FROM clock WHERE {unchanged} RETURNING {run}
"""
_ASK: LiteralString = "UPDATE {schema}.runs SET cancel = true WHERE {unchanged}"
_CANCEL: LiteralString = """
    WITH {clock} UPDATE {schema}.runs SET
        status = %(becomes)b, error = NULL, wake_at = NULL, updated_at = clock.now, {rests}
    FROM clock WHERE {unchanged}
"""
_COMMITTED: LiteralString = """
    SELECT r.epoch, r.status FROM {schema}.runs AS r JOIN {schema}.steps AS s USING (run_id)
    WHERE run_id = %(run_id)b AND s.branch = %(branch)b AND s.seq = %(seq)b AND s.epoch = %(epoch)b
"""

_RENEWED = "unnest(%(run_ids)b::text[], %(epochs)b::int8[]) AS held(run_id, epoch)"
_MINE = "r.run_id = held.run_id AND r.epoch = held.epoch AND r.status = 'running'"
_RENEW: LiteralString = """
    WITH {clock} UPDATE {schema}.runs AS r SET lease_until = clock.now + %(lease)b::float8
    FROM {renewed}, clock WHERE {mine} RETURNING r.run_id, r.cancel
"""
_GIVE_UP: LiteralString = """
    WITH {clock} UPDATE {schema}.runs AS r SET {no_owner}, lease_until = clock.now FROM {renewed}, clock WHERE {mine}
"""

_PIECES: Mapping[str, LiteralString] = {
    "becomes": _BECOMES,
    "call": CALL,
    "clock": _CLOCK,
    "event": EVENT,
    "goes_on": _GOES_ON,
    "held": "WHEN status = 'running' THEN",
    "mine": _MINE,
    "no_owner": _NO_OWNER,
    "renewed": _RENEWED,
    "rests": _RESTS,
    "run": RUN,
    "step": STEP,
    "unchanged": _UNCHANGED,
}


@dataclass(frozen=True, slots=True)
class Grouped:
    """A statement that writes one row or many."""

    columns: Sequence[str]
    one: bytes
    many: bytes

    @classmethod
    def build(cls, schema: str, columns: LiteralString, body: LiteralString) -> Self:
        """The statement `body` for rows of `columns`, written `name type, …`."""
        pairs = [column.split() for column in columns.split(",")]
        values: LiteralString = ", ".join([f"%({name})b::{kind} AS {name}" for name, kind in pairs])
        arrays: LiteralString = ", ".join([f"%({name})b::{kind}[]" for name, kind in pairs])
        names: LiteralString = ", ".join([name for name, _ in pairs])
        whole: LiteralString = "WITH {clock}, given AS (SELECT {given}), " + body
        one: LiteralString = f"1::int8 AS i, {values}"
        many: LiteralString = f"* FROM unnest({arrays}) WITH ORDINALITY AS g({names}, i)"
        return cls(names.split(", "), _render(schema, whole, given=one), _render(schema, whole, given=many))

    def execute(self, connection: Connection, rows: Sequence[Row], shared: Values) -> Cursor[Row]:
        """Send it; `shared` are the values that are no columns. The cursor may be read when a pipeline has ended."""
        if len(rows) == 1:
            return connection.execute(
                self.one, {**shared, **dict(zip(self.columns, rows[0], strict=True))}, prepare=True
            )
        columns = zip(self.columns, map(list, zip(*rows, strict=True)), strict=True)
        return connection.execute(self.many, {**shared, **dict(columns)}, prepare=True, binary=True)


@dataclass(frozen=True, slots=True)
class Statements:
    """All of them, for one schema."""

    create: Grouped
    commit: Grouped
    journal: Grouped
    tell: Grouped
    settle: Grouped
    keep: Grouped
    find: bytes
    lock: bytes
    lock_turn: bytes
    head: bytes
    touch: bytes
    claim: bytes
    ask: bytes
    cancel: bytes
    committed: bytes
    renew: bytes
    give_up: bytes

    @classmethod
    def build(cls, schema: str) -> Self:
        """The statements for a schema."""
        return cls(
            create=Grouped.build(schema, _CREATE_COLUMNS, _CREATE),
            commit=Grouped.build(schema, _COMMIT_COLUMNS, _COMMIT),
            journal=Grouped.build(schema, _JOURNAL_COLUMNS, _JOURNAL),
            tell=Grouped.build(schema, _TELL_COLUMNS, _TELL),
            settle=Grouped.build(schema, _SETTLE_COLUMNS, _SETTLE),
            keep=Grouped.build(schema, _KEEP_COLUMNS, _KEEP),
            find=_render(schema, _FIND),
            lock=_render(schema, _LOCK),
            lock_turn=_render(schema, _LOCK_TURN),
            head=_render(schema, _HEAD),
            touch=_render(schema, _TOUCH),
            claim=_render(schema, _CLAIM),
            ask=_render(schema, _ASK),
            cancel=_render(schema, _CANCEL),
            committed=_render(schema, _COMMITTED),
            renew=_render(schema, _RENEW),
            give_up=_render(schema, _GIVE_UP),
        )


def _render(schema: str, text: LiteralString, **more: LiteralString) -> bytes:
    texts: dict[str, LiteralString] = {**_PIECES, **more}
    pieces = {name: sql.SQL(piece) for name, piece in texts.items()}
    return sql.SQL(text).format(schema=sql.Identifier(schema), **pieces).as_bytes()
