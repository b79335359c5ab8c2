"""The writes of the port as statements inside one transaction of the writer's thread.

Each begins with a guarded statement, or a read that serves as one, since the transaction holds the file's write lock:
a write that is refused has written nothing, and the transaction that it shares with other writes goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agentgraph.exceptions import RunExists, RunFenced, RunNotFound
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.questions import answered, answered_meanwhile, overtaken, pick_question
from agentgraph.graph.store import (
    OPENING,
    ROOT,
    Commit,
    EventRecord,
    JournalRecord,
    NewRun,
    Owner,
    RunFilter,
    RunRecord,
    Settlement,
)

from .claims import cancelled, check_turn, claimed, committed, created, settled
from .leases import Asked, Change, Leases
from .rows import branch_values, journal_values, step_values
from .sqlite_rows import (
    INSERT_BRANCH,
    INSERT_EVENT,
    INSERT_JOURNAL,
    INSERT_STEP,
    find_run,
    insert_run,
    read_calls,
    read_runs,
)
from .told import event_rows

__all__ = ["Writes"]

_CLAIM = """
    UPDATE runs SET status = ?, epoch = ?, attempt = ?, options = ?, error = NULL, cancel = 0, wake_at = NULL,
        owner_host = ?, owner_pid = ?, owner_started = ?, owner_name = ?, lease_until = ?, updated_at = ?
    WHERE run_id = ?
"""

# The step of a run that goes on touches no column that an index covers.
_GO_ON = """
    UPDATE runs SET seq = seq + 1, attempt = 1, state = ?, usage = ?, pending = ?, updated_at = ?
    WHERE run_id = ? AND epoch = ? AND seq = ? AND status = 'running' AND cancel = 0
"""

_ASKED = "SELECT cancel FROM runs WHERE run_id = ? AND epoch = ? AND seq = ? AND status = 'running'"

_BRANCH_ON = "UPDATE pending SET seq = seq + 1, node = ?, state = ? WHERE run_id = ? AND branch = ? AND seq = ?"
_MOVED = "UPDATE runs SET attempt = 1, usage = ?, updated_at = ? WHERE run_id = ?"
_CLOSE = tuple(
    f"DELETE FROM {table} WHERE run_id = ? AND substr(branch, 1, length(?)) = ?"  # noqa: S608 - tables of ours
    for table in ("pending", "journal")
)
_AT_BRANCH = "SELECT 1 FROM pending WHERE run_id = ? AND branch = ? AND seq = ?"

_END = """
    UPDATE runs SET seq = seq + 1, attempt = 0, state = ?, usage = ?, pending = ?, updated_at = ?, status = ?,
        owner_host = NULL, owner_pid = NULL, owner_started = NULL, owner_name = NULL, lease_until = 0, cancel = 0
    WHERE run_id = ?
"""

_SETTLE = """
    UPDATE runs SET status = ?, error = ?, updated_at = ?, wake_at = ?,
        owner_host = NULL, owner_pid = NULL, owner_started = NULL, owner_name = NULL, lease_until = 0, cancel = 0
    WHERE run_id = ?
"""

_TOUCH = "UPDATE runs SET updated_at = ? WHERE run_id = ?"
_ASK = "UPDATE runs SET cancel = 1 WHERE run_id = ?"
_DROP_JOURNAL = "DELETE FROM journal WHERE run_id = ? AND branch = ? AND seq = ?"
_DROP_TEXT = "DELETE FROM events WHERE run_id = ? AND branch = ? AND seq = ? AND kind = 'text'"
_STANDS = "SELECT seq, cancel FROM runs WHERE run_id = ? AND epoch = ? AND status = 'running'"


@dataclass(frozen=True, slots=True)
class Writes:
    """What this process writes into the file; every method returns its answer and what it changes in the leases."""

    place: str
    """The file's name, for `RunNotFound`."""
    owner: Owner
    leases: Leases

    def create(self, connection: sqlite3.Connection, now: float, run: NewRun) -> tuple[RunRecord, Change]:
        if run.conversation is not None:
            for newest in read_runs(connection, RunFilter(conversation=run.conversation, limit=1)):
                now = created(now, newest)
                if run.opening is not None:
                    held = self.leases.holds(newest)
                    check_turn(newest, run, now, self.leases.is_dead(newest), held=held)
        if run.origin is not None:
            self._find(connection, run.origin[0])
        if not insert_run(connection, run, self.owner, now, now + self.leases.length):
            raise RunExists(run.run_id)
        if run.opening is not None:
            connection.execute(INSERT_STEP, (run.run_id, *step_values(run.opening)))
        connection.executemany(INSERT_JOURNAL, [(run.run_id, *journal_values(record)) for record in run.calls])
        connection.executemany(INSERT_BRANCH, [(run.run_id, *branch_values(branch)) for branch in run.branches])
        return self._find(connection, run.run_id), ((run.run_id, 1) if run.status is Status.RUNNING else None)

    def claim(
        self, connection: sqlite3.Connection, now: float, run_id: str, options: bytes | None
    ) -> tuple[RunRecord, Change]:
        run = self._find(connection, run_id)
        if run.status is Status.SUCCEEDED:
            return run, None
        run = replace(
            run,
            status=claimed(run, now, self.leases.is_dead(run), held=self.leases.holds(run)),
            epoch=run.epoch + 1,
            attempt=run.attempt + 1,
            options=run.options if options is None else options,
            error=None,
            wake_at=None,
            owner=self.owner,
            lease_until=now + self.leases.length,
            updated_at=now,
        )
        owner = (self.owner.host, self.owner.pid, self.owner.started, self.owner.name)
        values = (run.status.value, run.epoch, run.attempt, run.options, *owner, run.lease_until, now, run_id)
        connection.execute(_CLAIM, values)
        return run, (run_id, run.epoch)

    def commit(self, connection: sqlite3.Connection, now: float, commit: Commit) -> tuple[Status, Change]:
        if commit.step.branch != ROOT:
            return self._commit_branch(connection, now, commit), None
        step, run_id = commit.step, commit.run_id
        after = (commit.state, commit.usage, step.outcome, now)
        guard = (run_id, commit.epoch, step.seq)
        if commit.calls and overtaken(commit, read_calls(connection, run_id)):
            raise RunFenced(run_id, step.seq)
        status = Status.RUNNING
        if commit.status is not status or connection.execute(_GO_ON, (*after, *guard)).rowcount == 0:
            found = connection.execute(_ASKED, guard).fetchone()
            if found is None:
                raise RunFenced(run_id, step.seq)
            status = committed(commit.status, asked=bool(found[0]))
            connection.execute(_END, (*after, status.value, run_id))
        _write_step(connection, commit)
        return status, (None if status is Status.RUNNING else (run_id, None))

    def _commit_branch(self, connection: sqlite3.Connection, now: float, commit: Commit) -> Status:
        step, run_id = commit.step, commit.run_id
        found = connection.execute(_STANDS, (run_id, commit.epoch)).fetchone()
        after = (step.outcome, commit.state)
        if found is None or not connection.execute(_BRANCH_ON, (*after, run_id, step.branch, step.seq)).rowcount:
            raise RunFenced(run_id, step.seq)
        connection.execute(_MOVED, (commit.usage, now, run_id))
        _write_step(connection, commit)
        return committed(commit.status, asked=bool(found[1]))

    def journal(
        self, connection: sqlite3.Connection, now: float, run_id: str, epoch: int, record: JournalRecord
    ) -> tuple[None, Change]:
        found = connection.execute(_STANDS, (run_id, epoch)).fetchone()
        if found is None or not _is_at(connection, run_id, record, found[0]):
            raise RunFenced(run_id, record.seq)
        connection.execute(INSERT_JOURNAL, (run_id, *journal_values(record)))
        return None, None

    def tell(
        self, connection: sqlite3.Connection, now: float, run_id: str, epoch: int, events: Sequence[EventRecord]
    ) -> tuple[None, Change]:
        found = connection.execute(_STANDS, (run_id, epoch)).fetchone()
        pending = [event for event in events if found is not None and event.seq == found[0]]
        connection.executemany(INSERT_EVENT, [(run_id, *row) for row in event_rows(pending)])
        return None, None

    def settle(self, connection: sqlite3.Connection, now: float, settlement: Settlement) -> tuple[Status, Change]:
        run_id = settlement.run_id
        found = connection.execute(_STANDS, (run_id, settlement.epoch)).fetchone()
        if found is None:
            run = find_run(connection, run_id)
            raise RunFenced(run_id, OPENING if run is None else run.seq)
        status = settled(settlement.event, asked=bool(found[1]))
        if settlement.questions and answered_meanwhile(settlement.questions, read_calls(connection, run_id)):
            return Status.RUNNING, None
        wake_at = settlement.wake_at if status is Status.WAITING else None
        connection.execute(_SETTLE, (status.value, settlement.error, now, wake_at, run_id))
        records = (*settlement.journal, *settlement.questions)
        connection.executemany(INSERT_JOURNAL, [(run_id, *journal_values(record)) for record in records])
        return status, (run_id, None)

    def answer(
        self, connection: sqlite3.Connection, now: float, run_id: str, key: str, value: object, digest: str | None
    ) -> tuple[None, Change]:
        self._find(connection, run_id)
        asked = pick_question(run_id, read_calls(connection, run_id), key, digest)
        connection.execute(INSERT_JOURNAL, (run_id, *journal_values(answered(asked, value))))
        connection.execute(_TOUCH, (now, run_id))
        return None, None

    def cancel(self, connection: sqlite3.Connection, now: float, run_id: str) -> tuple[Status, Change]:
        run = self._find(connection, run_id)
        status = cancelled(run, now, self.leases.is_dead(run), held=self.leases.holds(run))
        if status is Status.RUNNING:
            connection.execute(_ASK, (run_id,))
            return status, Asked(run_id)
        if status is not run.status:
            connection.execute(_SETTLE, (status.value, None, now, None, run_id))
        return status, None

    def give_back(
        self, connection: sqlite3.Connection, now: float, claimed: Callable[[], RunRecord | None]
    ) -> tuple[Status | None, Change]:
        """Release a run whose claimer was cancelled before it heard of its claim; None: the claim was refused."""
        run = claimed()
        if run is None or run.status is not Status.RUNNING:
            return None, None
        return self.settle(connection, now, Settlement(run_id=run.run_id, epoch=run.epoch, event=Event.RELEASE))

    def _find(self, connection: sqlite3.Connection, run_id: str) -> RunRecord:
        run = find_run(connection, run_id)
        if run is None:
            raise RunNotFound(run_id, self.place)
        return run


def _write_step(connection: sqlite3.Connection, commit: Commit) -> None:
    step, run_id = commit.step, commit.run_id
    connection.execute(INSERT_STEP, (run_id, *step_values(step)))
    if commit.journaled:
        connection.execute(_DROP_JOURNAL, (run_id, step.branch, step.seq))
    if commit.calls:
        connection.executemany(INSERT_JOURNAL, [(run_id, *journal_values(record)) for record in commit.calls])
    if commit.told:
        connection.execute(_DROP_TEXT, (run_id, step.branch, step.seq))
    if commit.closes:
        for statement in _CLOSE:
            connection.execute(statement, (run_id, commit.below, commit.below))
    if commit.opens:
        connection.executemany(INSERT_BRANCH, [(run_id, *branch_values(branch)) for branch in commit.opens])


def _is_at(connection: sqlite3.Connection, run_id: str, record: JournalRecord, root: int) -> bool:
    """Whether the step of the record is the one that is pending on its branch."""
    if record.branch == ROOT:
        return record.seq == root
    return connection.execute(_AT_BRANCH, (run_id, record.branch, record.seq)).fetchone() is not None
