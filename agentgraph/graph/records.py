"""The records that cross the port between the engine and a store: rows, and what is asked to be written.

`body`, `state` and `options` are bytes that only `codec.py` and the graph's owner read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from typing_extensions import dataclass_transform

from agentgraph.exceptions import StoreError

from .lifecycle import Event, Status

__all__ = [
    "OPENING",
    "ROOT",
    "SEALED",
    "Alarm",
    "BranchRecord",
    "Commit",
    "Dispatch",
    "EventKind",
    "EventRecord",
    "JournalKind",
    "JournalRecord",
    "Lapsed",
    "NewRun",
    "Owner",
    "RunFilter",
    "RunRecord",
    "Settlement",
    "Signal",
    "StepRecord",
    "StoredRun",
    "never_lapses",
    "record",
]

T = TypeVar("T")

ROOT = ""
"""The path of a run's root branch."""

OPENING = -1
"""The seq of the step row that a branch begins with."""


SEALED = b"\0"
"""What bytes begin with that a store has encrypted; no JSON does."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """A dataclass whose fields are given by name and do not change.

    The type checkers hold that they do not. At run time nothing does: a frozen dataclass sets each field by a call, and
    of the many fields of these records that made a tenth of what a step costs.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that executes runs."""

    host: str
    """The machine as far as process ids mean anything on it: boot id and pid namespace; empty where unknown."""
    pid: int
    started: int
    """When the process started, in the kernel's ticks since boot: tells a reused pid from the old one."""
    name: str
    """The host's name, for people."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.name}"


@record
class StepRecord:
    """What one step did; also the opening of a branch (`seq == OPENING`)."""

    seq: int
    branch: str = ROOT
    node: str
    """The id of the node that ran; empty for an opening, `codec.EDIT` for a change of the pending node."""
    outcome: str
    """The id of the node that comes next, or `End`."""
    body: bytes
    """The outcome's fields and what the step added to the lists of the state, as `codec.py` writes them."""
    state: bytes = b""
    """The other fields of the state that changed, a JSON object; empty where none did."""
    usage: bytes = b""
    """The run's counters after the step, a JSON object; empty where they did not change."""
    attempt: int = 1
    started_at: float = 0.0
    """Unix time, seconds."""
    ended_at: float = 0.0
    owner: str = ""
    """The process that ran it, for people."""


@record
class BranchRecord:
    """A branch of a fork, as it stands until the fork's own branch goes on."""

    branch: str
    """Its path."""
    seq: int = 0
    """Its next step: so many were committed."""
    node: str
    """The id of the node that comes next, or how the branch ended."""
    state: bytes = b""
    """The newest small state of the branch, whole; empty where it is still that of the fork."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """How a run that was handed to a dispatcher is to be executed. Kept with the run, never encrypted."""

    queue: str
    """The queue that it stands in."""
    tenant: str | None = None
    """Whom it is for, where a queue bounds what one tenant may have."""
    priority: int = 0
    """1 comes before 2, and 0 before both."""
    after: float | None = None
    """Not before this Unix time."""


@record
class RunRecord:
    """A run as it stands."""

    run_id: str
    graph: str
    """The name of its graph."""
    agent: str | None = None
    """The name of the agent it belongs to."""
    status: Status
    epoch: int
    """How often it was claimed."""
    seq: int
    """The next step of its root branch: so many were committed."""
    attempt: int
    """How often the pending step was claimed."""
    state: bytes
    """Every field of the state that is not stored by items, a JSON object."""
    usage: bytes = b"{}"
    """Its counters, a JSON object of integers."""
    options: bytes = b"{}"
    """What it was started with; only its graph's owner reads it."""
    pending: str
    """The id of the node that comes next, or `End`."""
    error: str | None = None
    """Why it failed, if it did."""
    conversation: str | None = None
    parent: str | None = None
    origin: tuple[str, int] | None = None
    """The run and the step it goes on from."""
    owner: Owner | None = None
    """Who executes it, while somebody does."""
    lease_until: float = 0.0
    """Unix time, seconds."""
    created_at: float = 0.0
    updated_at: float = 0.0
    wake_at: float | None = None
    """When a run that waits is to be resumed, answered or not, Unix time; None: it waits for answers alone."""
    dispatch: Dispatch | None = None
    """How it is executed, if it was handed to a dispatcher; None: by whoever calls for it."""

    def check_readable(self) -> None:
        """Refuse a run whose store was opened without its key.

        Raises:
            StoreError: it is encrypted.
        """
        if self.state.startswith(SEALED):
            raise StoreError(
                f"run {self.run_id!r} is encrypted: open its store with the key, `EncryptedStore(store, cipher)`, "
                "or on the command line by the variable AGENTGRAPH_KEY"
            )


@record
class Commit:
    """One step of a claimed run; `status` is what the run becomes by it.

    That of another branch than the root is guarded by the seq of that branch, and changes of the run its time alone.
    """

    run_id: str
    epoch: int
    step: StepRecord
    state: bytes
    """The newest small state of the branch, whole."""
    usage: bytes
    """The run's counters."""
    status: Status = Status.RUNNING
    journaled: bool = False
    """The step has journal rows, to be deleted with this commit."""
    told: bool = False
    """The step may have told `TEXT` events, to be deleted with this commit, which holds all of the text."""
    calls: Sequence[JournalRecord] = ()
    """What the journal of the next step begins with: what it had, where the same node stays pending."""
    opens: Sequence[BranchRecord] = ()
    """The branches that begin with it, where it is a fork."""
    closes: bool = False
    """The branches of the fork before it are over: what is pending inside of them is deleted, their journal too."""

    @property
    def below(self) -> str:
        """What the paths of all branches begin with that the step before this one opened."""
        return f"{self.step.branch}/{self.step.seq - 1}:" if self.step.branch else f"{self.step.seq - 1}:"


class JournalKind(StrEnum):
    """What a journal row says of its call."""

    STARTED = "started"
    """It was begun; whether it ended is not known."""
    DONE = "done"
    """It returned `value`."""
    RAISED = "raised"
    """It was begun and raised an error: it may be run again."""
    LOST = "lost"
    """It returned something that cannot be stored; `value` says what. It is not run again."""
    ASKED = "asked"
    """It waits for an answer; `value` is the question."""
    ANSWERED = "answered"
    """`value` is the answer; the step has not seen it yet, or has not ended since."""
    NOTED = "noted"
    """No call: `value` is about the attempts of the step: how many lost their process, or until when it sleeps."""


@record
class JournalRecord:
    """A call that happened inside a step which has not ended."""

    seq: int
    branch: str = ROOT
    key: str
    kind: JournalKind
    digest: str
    """Of what was called with which arguments: a row whose digest differs is not used."""
    value: bytes = b"null"
    usage: bytes = b"{}"
    """What the call added to the run's counters."""

    @property
    def path(self) -> str:
        """The key of a question, unique in its run."""
        return f"{self.branch}/{self.seq}/{self.key}"


class EventKind(StrEnum):
    """What an event of a step is."""

    TEXT = "text"
    """A piece of what the step will store when it ends; gone with its commit."""
    EMITTED = "emitted"
    """What `ctx.emit` was given; kept with the run."""


@record
class EventRecord:
    """Something that a step told while it had not ended."""

    seq: int
    branch: str = ROOT
    attempt: int
    n: int
    """Its number in this attempt of the step, from 0."""
    kind: EventKind
    body: bytes


@record
class NewRun:
    """A run to be created: claimed by who creates it, unless `status` says that nobody executes it."""

    run_id: str
    graph: str
    agent: str | None = None
    opening: StepRecord | None = None
    """The row that it begins with; None for a fork, which begins with the rows of its origin."""
    seq: int = 0
    """Its first step."""
    pending: str
    """The id of the node that comes first, or `End`."""
    status: Status = Status.RUNNING
    state: bytes
    usage: bytes = b"{}"
    options: bytes = b"{}"
    conversation: str | None = None
    follows: str | None = None
    """With `opening` and `conversation`: the run that has to be the newest there, and ended, if there is one."""
    parent: str | None = None
    origin: tuple[str, int] | None = None
    """The run that it goes on from, and that run's step before which."""
    named: bool = False
    """Somebody chose the id, so a store that forgets must remember it."""
    calls: Sequence[JournalRecord] = ()
    """What the journal of its first step holds already."""
    branches: Sequence[BranchRecord] = ()
    """The open branches that it begins with, where that step is a fork's."""
    dispatch: Dispatch | None = None
    """How it is to be executed, if it is handed to a dispatcher: it is created `PENDING` then."""


@record
class Settlement:
    """The end of a claim without a step: the pending node is kept."""

    run_id: str
    epoch: int
    event: Event
    """`RELEASE`, `FAIL`, `CANCEL` or `WAIT`."""
    error: str | None = None
    journal: Sequence[JournalRecord] = ()
    """Outcomes that were held back, written with it."""
    questions: Sequence[JournalRecord] = ()
    """What the run waits for, if that is why; `ASKED` rows, written with it."""
    wake_at: float | None = None
    """Until when, in Unix time, if it waits for a time."""


class Signal(StrEnum):
    """Why who executes a run must stop, at once."""

    CANCEL = "cancel"
    """Somebody has asked for the run's cancellation."""
    LOST = "lost"
    """Another owner has the run."""
    LAPSED = "lapsed"
    """The lease ran out before it could be renewed: another owner may have the run."""


Alarm = Callable[[Signal, str], None]
"""Told of a signal and by what store; called from any thread, maybe again and again. It returns at once."""

Lapsed = Callable[[], bool]
"""Whether the lease of a claim has run out, or is held no more; it returns at once. The alarm is rung then."""


def never_lapses() -> bool:
    """Of a claim that no lease bounds."""
    return False


@record
class RunFilter:
    """Which runs to list; what is None does not matter."""

    status: Status | None = None
    agent: str | None = None
    conversation: str | None = None
    parent: str | None = None
    origin: str | None = None
    """Those that go on from this run."""
    since: float | None = None
    """Created at or after this Unix time."""
    due_before: float | None = None
    """Those that sleep until this Unix time, or until an earlier one: they are to be resumed."""
    submitted: bool = False
    """Only those that were handed to a dispatcher."""
    before: tuple[float, str] | None = None
    """For the next page: `(created_at, run_id)` of the last run of the page before."""
    limit: int = 100


@record
class StoredRun:
    """All that a store has of one run, to be written into another one."""

    run: RunRecord
    steps: Sequence[StepRecord]
    calls: Sequence[JournalRecord] = ()
    branches: Sequence[BranchRecord] = ()
