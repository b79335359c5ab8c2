"""The port between the engine and a store: the records that cross it, and the protocol that every store keeps.

A run is one `RunRecord` and its `StepRecord`s. Step -1 of a branch is its opening: it holds the node the branch began
with and what its state began with; every later step holds only its outcome and what it added, for the outcome of a
step is the input of the next. `body`, `state` and `options` are bytes that only `codec.py` and the graph's owner read.

The rules, tested for every store by one conformance suite:

- Every write is one transaction, and all or nothing.
- Whoever executes a run has claimed it: `create` and `claim` hand out an `epoch` that grows with each claim. Every
  write of an owner carries it; a write with an old epoch raises `RunFenced` and changes nothing.
- A commit is guarded by its branch's `seq` too, so a step is committed once.
- A claim lasts for a lease that the store renews by itself for all runs this process holds, until `settle`, or a
  commit whose status is not `RUNNING`, gives the run up. A run whose owner died on this host is claimed at once.
- A committed step outlives the process, the journal rows of a step die with its commit.

Rejected: a lock beside the run (two truths), versions of whole states (quadratic), a queue of pending runs (dispatch
is another concern: `agentgraph.distributed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from os import PathLike
from typing import Protocol

from .lifecycle import Event, Status

__all__ = [
    "OPENING",
    "ROOT",
    "Commit",
    "JournalKind",
    "JournalRecord",
    "NewRun",
    "Owner",
    "RunFilter",
    "RunRecord",
    "Settlement",
    "StepRecord",
    "Store",
    "resolve_store",
]

ROOT = ""
"""The path of a run's root branch."""

OPENING = -1
"""The seq of the step row that a branch begins with."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One step of a claimed run; `status` is what the run becomes by it."""

    run_id: str
    epoch: int
    step: StepRecord
    state: bytes
    """The newest small state, whole."""
    usage: bytes
    status: Status = Status.RUNNING
    journaled: bool = False
    """The step has journal rows, to be deleted with this commit."""


class JournalKind(StrEnum):
    """What a journal row says of its call."""

    STARTED = "started"
    """It was begun; whether it ended is not known."""
    DONE = "done"
    """It returned `value`."""
    LOST = "lost"
    """It returned something that cannot be stored; `value` says what. It is not run again."""
    ASKED = "asked"
    """It waits for an answer; `value` is the question."""
    ANSWERED = "answered"
    """`value` is the answer; the step has not seen it yet, or has not ended since."""


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs to list; what is None does not matter."""

    status: Status | None = None
    agent: str | None = None
    conversation: str | None = None
    parent: str | None = None
    since: float | None = None
    """Created at or after this Unix time."""
    before: tuple[float, str] | None = None
    """For the next page: `(created_at, run_id)` of the last run of the page before."""
    limit: int = 100


class Store(Protocol):
    """Where runs are kept. All methods may be awaited from any event loop and any thread."""

    async def create(self, run: NewRun) -> RunRecord:
        """Write a run with its opening; see `NewRun`. One that is `RUNNING` is claimed by this process.

        Raises:
            RunExists: the id is taken.
            RunBusy: the newest run of its conversation has not ended, or is not the one that it `follows`.
            StoreError: the store cannot be written.
        """
        ...

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        """Take a run to execute it: the next epoch, a fresh lease; `options`, where given, replace the stored ones.

        A succeeded run is returned as it is, unclaimed.

        Raises:
            RunNotFound: there is no such run.
            RunBusy: its owner lives.
            StoreError: the store cannot be written.
        """
        ...

    async def commit(self, commit: Commit) -> Status:
        """Write one step; returns the run's status after it: `CANCELLED` if somebody asked for that meanwhile.

        Raises:
            RunFenced: another owner has the run, or the step was committed already. Nothing was written.
            StoreError: the store cannot be written. Nothing was written.
        """
        ...

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        """Write what happened inside the pending step; a row with the same key is replaced.

        Raises:
            RunFenced, StoreError: as `commit`.
        """
        ...

    async def settle(self, settlement: Settlement) -> Status:
        """Give a claim up without a step; returns the run's status after it.

        A run does not go to sleep beside an answer that it has not seen: if one of `questions` is answered by now,
        nothing is written, the claim stands, and the status is `RUNNING`.

        Raises:
            RunFenced, StoreError: as `commit`.
        """
        ...

    async def answer(self, run_id: str, key: str, value: object, digest: str | None = None) -> None:
        """Answer an open question, once; the run takes it up when it is resumed.

        Args:
            run_id: the run that asks.
            key: the question's key, `<branch>/<seq>/<key>`, or its last part where that names one open question.
            value: the answer, anything that JSON can hold.
            digest: of what the answerer has seen; refused if the question is about something else.

        Raises:
            RunNotFound: there is no such run.
            UserError: the question is not open: it never was, was answered, or the run has moved on.
            StoreError: the store cannot be written.
        """
        ...

    async def cancel(self, run_id: str) -> Status:
        """Ask for a run's cancellation, or cancel it at once if no living owner has it; returns its status.

        Raises:
            RunNotFound: there is no such run.
        """
        ...

    async def load(self, run_id: str) -> RunRecord:
        """A run as it stands.

        Raises:
            RunNotFound: there is no such run.
        """
        ...

    async def steps(self, run_id: str, after: int = OPENING - 1) -> list[StepRecord]:
        """The committed steps of a run whose `seq` is above `after`, in order, the opening first."""
        ...

    async def calls(self, run_id: str) -> list[JournalRecord]:
        """The journal of the steps that are pending, in the order written."""
        ...

    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        """Runs, the newest first."""
        ...

    async def aclose(self) -> None:
        """Release the runs' leases, end what works in the background, close the files."""
        ...


def resolve_store(where: Store | str | PathLike[str] | None) -> Store | None:
    """A store as it is, or the one that `agentgraph.stores.open_store` opens.

    The stores stand above this port, so the one place that goes the other way asks for them by name, at run time.
    """
    if where is None or not isinstance(where, str | PathLike):
        return where
    opened: Store = import_module("agentgraph.stores").open_store(where)
    return opened
