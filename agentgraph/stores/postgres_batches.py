"""Writes on their way to PostgreSQL, those of one kind as one statement, and what its rows say of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from agentgraph.exceptions import RunExists, RunFenced
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import (
    OPENING,
    ROOT,
    Commit,
    EventRecord,
    JournalRecord,
    NewRun,
    RunRecord,
    Settlement,
    StoredRun,
)

from .claims import committed, settled
from .leases import Change
from .medium import Item
from .postgres_statements import Grouped, Statements
from .rows import STEP, Row, journal_values, new_run_values, run_record, step_values
from .told import event_rows

__all__ = [
    "Answer",
    "Batch",
    "Cancel",
    "Claim",
    "Create",
    "Delete",
    "GiveBack",
    "Insert",
    "Note",
    "PostgresItem",
    "Tell",
    "Write",
    "commit_row",
    "create_row",
    "goes_alone",
    "in_rounds",
    "looks_first",
    "make_batches",
    "settle_row",
    "storable",
    "taken",
]


@dataclass(frozen=True, slots=True)
class Create:
    """A new run; `token` names this claim of it."""

    run: NewRun
    token: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A run to be claimed; `token` names this claim."""

    run_id: str
    options: bytes | None
    token: str


@dataclass(frozen=True, slots=True)
class Note:
    """A row for the journal."""

    run_id: str
    epoch: int
    record: JournalRecord


@dataclass(frozen=True, slots=True)
class Tell:
    """Events of the pending step."""

    run_id: str
    epoch: int
    events: Sequence[EventRecord]


@dataclass(frozen=True, slots=True)
class Cancel:
    """A run to be cancelled."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question of a run."""

    run_id: str
    key: str
    value: object
    digest: str | None


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The release of a run whose claimer was cancelled before it heard of its claim; None: the claim was refused."""

    claimed: Callable[[], RunRecord | None]


@dataclass(frozen=True, slots=True)
class Insert:
    """Runs of another store; `token` names this attempt to write them."""

    runs: Sequence[StoredRun]
    token: str


@dataclass(frozen=True, slots=True)
class Delete:
    """A run to be deleted with all below it; `gone` is filled with their ids before they are."""

    run_id: str
    gone: list[str]


Write = Create | Claim | Commit | Note | Tell | Settlement | Cancel | Answer | GiveBack | Insert | Delete

_STEP_LENGTH = STEP.count(",") + 1

PostgresItem = Item[Write, Any]  # any: items of all answers share the queue; each keeps its type to itself


@dataclass(frozen=True, slots=True)
class Batch:
    """One statement and what is to be done with the rows it returns, once they are committed."""

    statement: Grouped
    rows: Sequence[Row]
    settle: Callable[[Sequence[Row]], None]


def goes_alone(item: PostgresItem) -> bool:
    """Whether a write is a transaction of its own: it depends on what it finds, or has big values."""
    return bool(item.blobs) or looks_first(item.write)


def looks_first(write: Write) -> bool:
    """Whether it depends on what it finds."""
    match write:
        case Create(run):
            return bool(run.calls or run.branches) or run.conversation is not None or run.origin is not None
        case Settlement():
            return bool(write.questions)
        case Claim() | Cancel() | Answer() | GiveBack() | Insert() | Delete():
            return True
        case Commit():
            return write.step.branch != ROOT or bool(write.opens or write.calls) or write.closes
        case Note() | Tell():
            return False
        case _ as unreachable:
            assert_never(unreachable)


def in_rounds(items: Iterable[PostgresItem]) -> list[list[PostgresItem]]:
    """Items in rounds that have every run once, so that those of a run stay in order."""
    rounds: list[list[PostgresItem]] = []
    seen: dict[str, int] = {}
    for item in items:
        turn = seen.get(item.run_id, 0)
        seen[item.run_id] = turn + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(item)
    return rounds


def make_batches(statements: Statements, items: Sequence[PostgresItem]) -> list[Batch]:
    """The batches of writes that do not look first, each of another run."""
    creates, commits, notes, settlements = _Creates(), _Commits(), _Notes(), _Settlements()
    tells = _Tells()
    for item in items:
        write = item.write
        if isinstance(write, Create):
            creates.add(item, write)
        elif isinstance(write, Commit):
            commits.add(item, write)
        elif isinstance(write, Note):
            notes.add(item, write)
        elif isinstance(write, Tell):
            tells.add(item, write)
        else:
            assert isinstance(write, Settlement)
            settlements.add(item, write)
            notes.hold_back(write)
    # The journal of a settlement is guarded by its run's row as it is before that.
    batches = (
        Batch(statements.create, creates.rows, creates.settle),
        Batch(statements.commit, commits.rows, commits.settle),
        Batch(statements.journal, notes.rows, notes.settle),
        Batch(statements.tell, tells.rows, tells.settle),
        Batch(statements.settle, settlements.rows, settlements.settle),
    )
    return [batch for batch in batches if batch.rows]


class _Creates:
    def __init__(self) -> None:
        self.items: list[PostgresItem] = []
        self.rows: list[Row] = []

    def add(self, item: PostgresItem, write: Create) -> None:
        self.items.append(item)
        self.rows.append(create_row(write))

    def settle(self, rows: Sequence[Row]) -> None:
        created = {run.run_id: run for run in map(run_record, rows)}
        for item in self.items:
            run = created.get(item.run_id)
            if run is None:
                item.refuse(RunExists(item.run_id))
            else:
                item.succeed(run, taken(run))


class _Commits:
    def __init__(self) -> None:
        self.items: list[tuple[PostgresItem, Commit]] = []
        self.rows: list[Row] = []

    def add(self, item: PostgresItem, write: Commit) -> None:
        self.items.append((item, write))
        self.rows.append(commit_row(write))

    def settle(self, rows: Sequence[Row]) -> None:
        found: dict[int, str] = dict(rows)
        for i, (item, write) in enumerate(self.items, start=1):
            if i not in found:
                item.refuse(RunFenced(write.run_id, write.step.seq))
            elif found[i] == Status.RUNNING:
                item.succeed(Status.RUNNING)
            else:
                item.succeed(Status(found[i]), (write.run_id, None))


class _Notes:
    def __init__(self) -> None:
        self.items: list[tuple[PostgresItem, Note]] = []
        self.rows: list[Row] = []

    def add(self, item: PostgresItem, write: Note) -> None:
        # Before what is held back, whose rows nobody waits for: a row's number is its item's.
        self.rows.insert(len(self.items), (write.run_id, write.epoch, *journal_values(write.record)))
        self.items.append((item, write))

    def hold_back(self, write: Settlement) -> None:
        newest = {(record.branch, record.seq, record.key): record for record in write.journal}
        self.rows += [(write.run_id, write.epoch, *journal_values(record)) for record in newest.values()]

    def settle(self, rows: Sequence[Row]) -> None:
        written = {i for (i,) in rows}
        for i, (item, write) in enumerate(self.items, start=1):
            if i in written:
                item.succeed(None)
            else:
                item.refuse(RunFenced(write.run_id, write.record.seq))


class _Tells:
    def __init__(self) -> None:
        self.items: list[PostgresItem] = []
        self.rows: list[Row] = []

    def add(self, item: PostgresItem, write: Tell) -> None:
        self.items.append(item)
        self.rows += [(write.run_id, write.epoch, *row) for row in event_rows(write.events)]

    def settle(self, rows: Sequence[Row]) -> None:
        for item in self.items:
            item.succeed(None)  # nobody asks whether it was refused


class _Settlements:
    def __init__(self) -> None:
        self.items: list[PostgresItem] = []
        self.rows: list[Row] = []

    def add(self, item: PostgresItem, write: Settlement) -> None:
        self.items.append(item)
        self.rows.append(settle_row(write))

    def settle(self, rows: Sequence[Row]) -> None:
        found = {i: (status, seq) for i, status, seq in rows}
        for i, item in enumerate(self.items, start=1):
            status, seq = found[i]
            if status is None:
                item.refuse(RunFenced(item.run_id, OPENING if seq is None else seq))
            else:
                item.succeed(Status(status), (item.run_id, None))


def create_row(write: Create) -> Row:
    """What the statement `create` takes."""
    opening = write.run.opening
    step = (None,) * _STEP_LENGTH if opening is None else step_values(opening)
    return (*new_run_values(write.run), write.token, opening is not None, *step)


def commit_row(write: Commit) -> Row:
    """What the statement `commit` takes."""
    becomes = (write.status.value, committed(write.status, asked=True).value)
    after = (write.state, write.usage, write.journaled, write.told)
    return (write.run_id, write.epoch, *becomes, *after, *step_values(write.step))


def settle_row(write: Settlement) -> Row:
    """What the statement `settle` takes."""
    becomes = [settled(write.event, asked=asked).value for asked in (False, True)]
    return (write.run_id, write.epoch, *becomes, storable(write.error), write.wake_at)


def taken(run: RunRecord) -> Change:
    """What the creation or the claim of a run does to the leases."""
    return (run.run_id, run.epoch) if run.status is Status.RUNNING else None


def storable(text: str | None) -> str | None:
    """Text of anywhere, such as an error's: what PostgreSQL cannot store is spelled out."""
    return None if text is None else text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
