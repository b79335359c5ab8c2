"""The steps of a run that has forked: those of its branches, and those of the root that open and close them.

Each is a transaction that holds the run's row; the steps of all other runs go the shorter way, in batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString, Self

from psycopg import sql

from agentgraph.exceptions import RunFenced
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.questions import overtaken
from agentgraph.graph.store import ROOT, BranchRecord, Commit

from .claims import committed
from .postgres_batches import PostgresItem, commit_row
from .postgres_rows import Reads
from .postgres_schema import Connection
from .postgres_statements import Statements, Values
from .rows import BRANCH, STEP, branch_values, journal_values, step_values

__all__ = ["Branches"]

_LOCK: LiteralString = """
    SELECT cancel FROM {schema}.runs WHERE run_id = %s AND epoch = %s AND status = 'running' FOR NO KEY UPDATE
"""
_MOVE: LiteralString = """
    UPDATE {schema}.pending SET seq = seq + 1, node = %s, state = %s WHERE run_id = %s AND branch = %s AND seq = %s
"""
_TOUCH: LiteralString = """
    UPDATE {schema}.runs SET attempt = 1, usage = %(usage)s,
        updated_at = coalesce(%(now)s::float8, extract(epoch FROM clock_timestamp())::float8)
    WHERE run_id = %(run_id)s
"""
_STEP: LiteralString = "INSERT INTO {schema}.steps (run_id, epoch, {step}) VALUES (%s, %s, {of_step})"
_OPEN: LiteralString = "INSERT INTO {schema}.pending (run_id, {branch}) VALUES (%s, {of_branch})"
_FORGET: LiteralString = "DELETE FROM {schema}.journal WHERE run_id = %s AND branch = %s AND seq = %s"
_CLOSE: LiteralString = "DELETE FROM {schema}.{table} WHERE run_id = %s AND starts_with(branch, %s)"


@dataclass(frozen=True, slots=True)
class Branches:
    """Those writes, for one store."""

    statements: Statements
    reads: Reads
    lock: bytes
    move: bytes
    touch: bytes
    step: bytes
    add: bytes
    forget: bytes
    close: tuple[bytes, ...]

    @classmethod
    def build(cls, schema: str, statements: Statements, reads: Reads) -> Self:
        """For a schema."""

        def render(text: LiteralString, table: LiteralString = "pending") -> bytes:
            pieces = {
                "step": sql.SQL(STEP),
                "branch": sql.SQL(BRANCH),
                "of_step": _marks(STEP),
                "of_branch": _marks(BRANCH),
                "table": sql.Identifier(table),
            }
            return sql.SQL(text).format(schema=sql.Identifier(schema), **pieces).as_bytes()

        return cls(
            statements,
            reads,
            lock=render(_LOCK),
            move=render(_MOVE),
            touch=render(_TOUCH),
            step=render(_STEP),
            add=render(_OPEN),
            forget=render(_FORGET),
            close=(render(_CLOSE, "pending"), render(_CLOSE, "journal")),
        )

    def commit(self, connection: Connection, item: PostgresItem, commit: Commit, shared: Values) -> None:
        """Write the step.

        Raises:
            RunFenced: another owner has the run, or the step was committed already.
        """
        with connection.transaction():
            self._check_questions(connection, commit)
            write = self._commit_root if commit.step.branch == ROOT else self._commit_branch
            status = write(connection, commit, shared)
            for statement in self.close if commit.closes else ():
                connection.execute(statement, (commit.run_id, commit.below))
            self.open(connection, commit.run_id, commit.opens)
            if commit.calls:
                rows = [(commit.run_id, *journal_values(record)) for record in commit.calls]
                self.statements.keep.execute(connection, rows, shared)
        gone = status is not Status.RUNNING and commit.step.branch == ROOT
        item.succeed(status, (commit.run_id, None) if gone else None)

    def open(self, connection: Connection, run_id: str, branches: Sequence[BranchRecord]) -> None:
        """Write where branches stand that the store does not know."""
        connection.cursor().executemany(self.add, [(run_id, *branch_values(branch)) for branch in branches])

    def _check_questions(self, connection: Connection, commit: Commit) -> None:
        """Refuse to take a question along that was answered meanwhile; the lock keeps further answers out."""
        if commit.calls:
            connection.execute(self.lock, (commit.run_id, commit.epoch))
            if overtaken(commit, self.reads.calls(connection, commit.run_id)):
                raise RunFenced(commit.run_id, commit.step.seq)

    def _commit_root(self, connection: Connection, commit: Commit, shared: Values) -> Status:
        row = self.statements.commit.execute(connection, [commit_row(commit)], shared).fetchone()
        if row is None:
            raise RunFenced(commit.run_id, commit.step.seq)
        return Status(row[1])

    def _commit_branch(self, connection: Connection, commit: Commit, shared: Values) -> Status:
        step, run_id = commit.step, commit.run_id
        found = connection.execute(self.lock, (run_id, commit.epoch)).fetchone()
        place = (run_id, step.branch, step.seq)
        if found is None or connection.execute(self.move, (step.outcome, commit.state, *place)).rowcount == 0:
            raise RunFenced(run_id, step.seq)
        connection.execute(self.touch, {**shared, "usage": commit.usage, "run_id": run_id})
        connection.execute(self.step, (run_id, commit.epoch, *step_values(step)))
        if commit.journaled:
            connection.execute(self.forget, place)
        return committed(commit.status, asked=found[0])


def _marks(columns: LiteralString) -> sql.SQL:
    marks: LiteralString = ", ".join(["%s" for _ in columns.split(",")])
    return sql.SQL(marks)
