"""Writes to PostgreSQL that depend on what they find: a claim, a cancel, an answer, a turn of a conversation.

A claim and a cancel are written only if the run has not changed since it was looked at; else they look again. What
depends on the journal or on other runs happens in a transaction that holds the run's row or the conversation's lock,
and no other; who goes on from another run takes a lock before, which only deletions take for themselves alone. So no
two processes ever wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from psycopg import Rollback

from agentgraph.clock import Clock
from agentgraph.exceptions import AgentRunError, GraphRuntimeError, RunExists, RunFenced, RunNotFound, UserError
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.questions import answered, answered_meanwhile, pick_question
from agentgraph.graph.store import OPENING, Commit, JournalKind, NewRun, Owner, RunRecord, Settlement

from .claims import cancelled, check_turn, claimed, created, settled
from .leases import Asked, Leases
from .postgres_batches import (
    Answer,
    Cancel,
    Claim,
    Create,
    Delete,
    GiveBack,
    Insert,
    Note,
    PostgresItem,
    Tell,
    create_row,
    looks_first,
    make_batches,
    settle_row,
    taken,
)
from .postgres_branches import Branches
from .postgres_care import Care
from .postgres_rows import Reads
from .postgres_schema import Connection
from .postgres_statements import Statements, Values
from .rows import journal_values, run_record

__all__ = ["Looking"]


@dataclass(frozen=True, slots=True)
class Looking:
    """Those writes, for one store."""

    place: str
    owner: Owner
    leases: Leases
    clock: Clock | None
    statements: Statements
    reads: Reads
    care: Care
    branches: Branches

    def shared(self) -> Values:
        """What many statements need: the owner, the lease and the time, None for the server's."""
        return {
            "host": self.owner.host,
            "pid": self.owner.pid,
            "started": self.owner.started,
            "name": self.owner.name,
            "lease": self.leases.length,
            "now": None if self.clock is None else self.clock.now().timestamp(),
        }

    def write(self, connection: Connection, item: PostgresItem) -> None:
        """Settle an item that looks first.

        Raises:
            psycopg.Error: nothing was written, or the connection was lost.
        """
        try:
            if item.blobs:
                self._write_blobs(connection, item)
            else:
                self._write(connection, item)
        except (AgentRunError, GraphRuntimeError, UserError) as refusal:
            item.refuse(refusal)

    def look_up(self, connection: Connection, item: PostgresItem) -> None:
        """Settle an item that arrived although the connection was lost."""
        match item.write:
            case Commit() as write:
                self._look_up_step(connection, item, write)
            case Settlement() as write:
                self._look_up_settlement(connection, item, write)
            case Create() | Claim() as write:
                found = self._see(connection, self.statements.find, item.run_id)
                if found is not None and found[2] == write.token:
                    item.succeed(found[0], taken(found[0]))
            case Answer() as write:
                self._look_up_answer(connection, item, write)
            case Insert() | Delete() as write:
                self.care.look_up(connection, item, write)
            case Note() | Tell() | Cancel() | GiveBack():
                pass  # written twice, they are written once
            case _ as unreachable:
                assert_never(unreachable)

    def _look_up_step(self, connection: Connection, item: PostgresItem, write: Commit) -> None:
        step = {"run_id": item.run_id, "epoch": write.epoch, "branch": write.step.branch, "seq": write.step.seq}
        row = connection.execute(self.statements.committed, step, binary=True).fetchone()
        if row is not None:
            status = Status(row[1]) if row[0] == write.epoch else write.status
            item.succeed(status, None if status is Status.RUNNING else (item.run_id, None))

    def _look_up_settlement(self, connection: Connection, item: PostgresItem, write: Settlement) -> None:
        found = self._see(connection, self.statements.find, item.run_id)
        becomes = {settled(write.event, asked=asked) for asked in (False, True)}
        if found is not None and found[0].epoch == write.epoch and found[0].status in becomes:
            item.succeed(found[0].status, (item.run_id, None))

    def _look_up_answer(self, connection: Connection, item: PostgresItem, write: Answer) -> None:
        """An answer that says the same is taken for this one: whoever gave it, the run gets it."""
        for row in self.reads.calls(connection, item.run_id):
            named = write.key in (row.path, row.key) and write.digest in (None, row.digest)
            if named and row.kind is JournalKind.ANSWERED and row == answered(row, write.value):
                item.succeed(None)

    def _write(self, connection: Connection, item: PostgresItem) -> None:
        match item.write:
            case Claim() as write:
                self._claim(connection, item, write)
            case Cancel():
                self._cancel(connection, item)
            case GiveBack() as write:
                self._give_back(connection, item, write.claimed)
            case Create() as write:
                self._create(connection, item, write)
            case Answer() as write:
                self._answer(connection, item, write)
            case Insert() | Delete() as write:
                self.care.write(connection, item, write, self.shared())
            case Commit() as write:
                self.branches.commit(connection, item, write, self.shared())
            case write:
                assert isinstance(write, Settlement)  # journal rows are in a batch
                self._settle(connection, item, write)

    def _write_blobs(self, connection: Connection, item: PostgresItem) -> None:
        """Write an item and the big values that it refers to; all or nothing."""
        try:
            with connection.transaction():
                connection.execute(self.care.share)
                self.care.blobs.keep(connection, item.blobs)
                if looks_first(item.write):
                    self._write(connection, item)
                else:
                    self._write_batches(connection, item)
        except BaseException:
            item.reset()
            raise

    def _write_batches(self, connection: Connection, item: PostgresItem) -> None:
        for batch in make_batches(self.statements, [item]):
            batch.settle(batch.statement.execute(connection, batch.rows, self.shared()).fetchall())
        if item.refused:
            raise Rollback  # ends the transaction, and is not heard of beyond it

    def _claim(self, connection: Connection, item: PostgresItem, claim: Claim) -> None:
        while not item.settled:
            run, now = self._find(connection, item.run_id)
            if run.status is Status.SUCCEEDED:
                item.succeed(run)
                return
            claimed(run, now, self.leases.is_dead(run), held=self.leases.holds(run))
            values = {**self.shared(), **_as_seen(run), "options": claim.options, "token": claim.token}
            row = connection.execute(self.statements.claim, values, prepare=True, binary=True).fetchone()
            if row is not None:  # else it has changed meanwhile
                run = run_record(row)
                item.succeed(run, taken(run))

    def _cancel(self, connection: Connection, item: PostgresItem) -> None:
        while not item.settled:
            run, now = self._find(connection, item.run_id)
            status = cancelled(run, now, self.leases.is_dead(run), held=self.leases.holds(run))
            if status is not run.status or status is Status.RUNNING:
                statement = self.statements.ask if status is Status.RUNNING else self.statements.cancel
                values = {**self.shared(), **_as_seen(run), "becomes": status.value}
                if connection.execute(statement, values, prepare=True).rowcount == 0:
                    continue  # it has changed meanwhile
            item.succeed(status, Asked(item.run_id) if status is Status.RUNNING else None)

    def _give_back(self, connection: Connection, item: PostgresItem, claimed: Callable[[], RunRecord | None]) -> None:
        run = claimed()
        if run is None or run.status is not Status.RUNNING:
            item.succeed(None)
            return
        row = settle_row(Settlement(run_id=run.run_id, epoch=run.epoch, event=Event.RELEASE))
        ((_, status, _),) = self.statements.settle.execute(connection, [row], self.shared())
        item.succeed(None, None if status is None else (run.run_id, None))

    def _create(self, connection: Connection, item: PostgresItem, write: Create) -> None:
        with connection.transaction():
            self.care.check_origin(connection, write.run.origin)
            shared = {**self.shared(), **self._take_turn(connection, write.run)}
            row = self.statements.create.execute(connection, [create_row(write)], shared).fetchone()
            if row is None:
                raise RunExists(item.run_id)
            calls = [(item.run_id, *journal_values(record)) for record in write.run.calls]
            if calls:
                self.statements.keep.execute(connection, calls, self.shared())
            self.branches.open(connection, item.run_id, write.run.branches)
        run = run_record(row)
        item.succeed(run, taken(run))

    def _take_turn(self, connection: Connection, new: NewRun) -> Values:
        """Let nobody else create a run in its conversation; returns the time of creation if that is no longer free."""
        if new.conversation is None:
            return {}
        values = {**self.shared(), "conversation": new.conversation}
        connection.execute(self.statements.lock_turn, values, prepare=True)
        row = connection.execute(self.statements.head, values, prepare=True, binary=True).fetchone()
        if row is None:
            return {}
        newest = run_record(row[:-2])
        now = created(row[-1], newest)
        if new.opening is not None:
            check_turn(newest, new, now, self.leases.is_dead(newest), held=self.leases.holds(newest))
        return {"now": now}

    def _settle(self, connection: Connection, item: PostgresItem, write: Settlement) -> None:
        with connection.transaction():
            found = self._see(connection, self.statements.lock, item.run_id)
            if found is None or found[0].epoch != write.epoch or found[0].status is not Status.RUNNING:
                raise RunFenced(item.run_id, OPENING if found is None else found[0].seq)
            status: str | None = None
            if not answered_meanwhile(write.questions, self.reads.calls(connection, item.run_id)):
                rows = [(item.run_id, *journal_values(record)) for record in (*write.journal, *write.questions)]
                self.statements.keep.execute(connection, rows, self.shared())
                ((_, status, _),) = self.statements.settle.execute(connection, [settle_row(write)], self.shared())
        if status is None:
            item.succeed(Status.RUNNING)
        else:
            item.succeed(Status(status), (item.run_id, None))

    def _answer(self, connection: Connection, item: PostgresItem, write: Answer) -> None:
        with connection.transaction():
            if self._see(connection, self.statements.lock, item.run_id) is None:
                raise RunNotFound(item.run_id, self.place)
            rows = self.reads.calls(connection, item.run_id)
            row = answered(pick_question(item.run_id, rows, write.key, write.digest), write.value)
            self.statements.keep.execute(connection, [(item.run_id, *journal_values(row))], self.shared())
            connection.execute(self.statements.touch, {**self.shared(), "run_id": item.run_id})
        item.succeed(None)

    def _find(self, connection: Connection, run_id: str) -> tuple[RunRecord, float]:
        found = self._see(connection, self.statements.find, run_id)
        if found is None:
            raise RunNotFound(run_id, self.place)
        return found[0], found[1]

    def _see(self, connection: Connection, query: bytes, run_id: str) -> tuple[RunRecord, float, str] | None:
        """A run, the time, and the token of its claim."""
        row = connection.execute(query, {**self.shared(), "run_id": run_id}, prepare=True, binary=True).fetchone()
        return None if row is None else (run_record(row[:-2]), row[-1], row[-2])


def _as_seen(run: RunRecord) -> Values:
    return {
        "run_id": run.run_id,
        "epoch": run.epoch,
        "seq": run.seq,
        "status": run.status.value,
        "lease_until": run.lease_until,
    }
