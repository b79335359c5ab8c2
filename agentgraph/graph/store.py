"""The port between the engine and a store: the protocol that every store keeps. `records.py` has what crosses it.

A run is one `RunRecord` and its `StepRecord`s. Step -1 of a branch is its opening: it holds the node the branch began
with and what its state began with; every later step holds only its outcome and what it added, for the outcome of a
step is the input of the next. `body`, `state` and `options` are bytes that only `codec.py` and the graph's owner read.

The rules, tested for every store by one suite, `agentgraph.stores.conformance`:

- Every write is one transaction, and all or nothing.
- Whoever executes a run has claimed it: `create` and `claim` hand out an `epoch` that grows with each claim. Every
  write of an owner carries it; a write with an old epoch raises `RunFenced` and changes nothing.
- A commit is guarded by its branch's `seq` too, so a step is committed once.
- A branch other than the root has a row of its own from the step that opens it to the step after its fork.
- A cancellation that is asked for ends a run at a step of the root; a step of another branch only hears of it.
- A claim lasts for a lease that the store renews by itself for all runs this process holds, until `settle`, or a
  commit whose status is not `RUNNING`, gives the run up. A run whose owner died on this host is claimed at once.
- Who executes a run is told when it must stop in the middle of a step (`watch`): somebody asked to cancel it, another
  owner has it, or its lease ran out because it could not be renewed.
- A committed step outlives the process, the journal rows of a step die with its commit.
- What a step tells while it runs (`tell`) waits for nothing and holds up nobody. It is told in order, or, where a write
  failed, not at all; all that matters is in the step's commit.
- A run that another one goes on from is there: it is not deleted, and no run is created that goes on from nothing.

Rejected: a lock beside the run (two truths), versions of whole states (quadratic), a queue of pending runs (dispatch
is another concern: `agentgraph.distributed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from os import PathLike
from typing import Protocol

from .lifecycle import Status
from .records import (
    OPENING,
    ROOT,
    Alarm,
    BranchRecord,
    Commit,
    Dispatch,
    EventKind,
    EventRecord,
    JournalKind,
    JournalRecord,
    Lapsed,
    NewRun,
    Owner,
    RunFilter,
    RunRecord,
    Settlement,
    Signal,
    StepRecord,
    StoredRun,
    never_lapses,
)

__all__ = [
    "OPENING",
    "ROOT",
    "Alarm",
    "BranchRecord",
    "Changes",
    "Commit",
    "Dispatch",
    "EventKind",
    "EventRecord",
    "JournalKind",
    "JournalRecord",
    "Lapsed",
    "NeverWaits",
    "NewRun",
    "Owner",
    "RunFilter",
    "RunReader",
    "RunRecord",
    "Settlement",
    "ShieldsSteps",
    "Signal",
    "StepRecord",
    "Store",
    "StoredRun",
    "never_lapses",
    "resolve_store",
]


class Changes(Protocol):
    """Wakes whoever follows a run."""

    async def wait(self, idle: int) -> None:
        """Wait until something may have happened since the run was last read; may return without a reason.

        Args:
            idle: how often in a row nothing had: a store that has to look by itself looks ever more slowly.
        """
        ...


class RunReader(Protocol):
    """What can be read of runs. All methods may be awaited from any event loop and any thread."""

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

    async def events(self, run_id: str, since: tuple[int, int, int] = (OPENING, 0, 0)) -> list[EventRecord]:
        """What the steps of a run have told from `since` on, a `(seq, attempt, n)`; in order, branch by branch."""
        ...

    def changes(self, run_id: str) -> AbstractAsyncContextManager[Changes]:
        """Follow a run while the block lasts: who enters the block, then reads, then waits, misses nothing."""
        ...

    async def branches(self, run_id: str) -> list[BranchRecord]:
        """The branches that a run stands at, inner ones too, by their paths; none outside of a fork."""
        ...

    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        """Runs, the newest first."""
        ...


class NeverWaits:
    """Marks a class of stores whose writes end without ever giving way to another task: nothing can cut them off.

    The engine shields the writes of all others, which costs as much as a small step does. The mark is not inherited: a
    class says it among its own bases.
    """


class ShieldsSteps:
    """Marks a class of stores that shield commits, rows of the journal and settlements by themselves, where they wait.

    For a store that rarely does. The mark is not inherited.
    """


class Store(RunReader, Protocol):
    """Where runs are kept. All methods may be awaited from any event loop and any thread."""

    async def create(self, run: NewRun) -> RunRecord:
        """Write a run with its opening; see `NewRun`. One that is `RUNNING` is claimed by this process.

        Raises:
            RunExists: the id is taken.
            RunNotFound: the run that it goes on from is not there.
            RunBusy: the newest run of its conversation has not ended, or is not the one that it `follows`.
            StoreError: the store cannot be written.
        """
        ...

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        """Take a run to execute it: the next epoch, a fresh lease; `options`, where given, replace the stored ones.

        It sleeps no more: its `wake_at` is gone. A succeeded run is returned as it is, unclaimed.

        Raises:
            RunNotFound: there is no such run.
            RunBusy: its owner lives.
            StoreError: the store cannot be written.
        """
        ...

    def watch(self, run_id: str, epoch: int, alarm: Alarm) -> Lapsed:
        """Call `alarm` when the claim `epoch` of a run has to be stopped, until it is given up; at once if it is gone.

        A cancel is told at the next renewal of leases, or before; that another owner has the run, likewise. That the
        lease ran out is told in time even while the store does not answer, but by a thread, which comes too late where
        the process was stopped. So what is returned is asked before each call that is not to be made by two.
        """
        ...

    async def commit(self, commit: Commit) -> Status:
        """Write one step; returns the run's status after it: `CANCELLED` if somebody asked for that meanwhile.

        After a step of another branch than the root, `CANCELLED` says that somebody asked; the claim stands, for its
        owner to settle when the other branches have stopped.

        Raises:
            RunFenced: another owner has the run, the step was committed already, or one of the questions in `calls` was
                answered meanwhile. Nothing was written.
            StoreError: the store cannot be written. Nothing was written.
        """
        ...

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        """Write what happened inside the pending step; a row with the same key is replaced.

        Raises:
            RunFenced, StoreError: as `commit`.
        """
        ...

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        """Have an event of the pending step written soon, without waiting and without a flush of its own.

        Events that come close together are written together: after a quarter of a second, or as soon as they are 4 KB.
        A commit or settlement of the run writes them before, but `TEXT` that a commit would delete. What cannot be
        written, because the claim is gone or the store closed, is dropped.
        """
        ...

    async def settle(self, settlement: Settlement) -> Status:
        """Give a claim up without a step; returns the run's status after it. One that waits may say until when.

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

    async def insert(self, runs: Sequence[StoredRun]) -> None:
        """Write runs as they are, times, epochs and all, executed by nobody: all of them or none.

        One that is `RUNNING` becomes `PENDING`. What they go on from is among them, or in the store.

        Raises:
            RunExists: one of the ids is taken.
            RunNotFound: a run goes on from one that is not there.
            StoreError: the store cannot be written.
        """
        ...

    async def delete(self, run_id: str) -> Sequence[str]:
        """Delete a run and all runs below it; returns their ids, its own first.

        Raises:
            RunNotFound: there is no such run.
            RunBusy: it, or one below it, is executed.
            UserError: other runs go on from one of these, or it is itself a child of a run that is there; names them.
            StoreError: the store cannot be written.
        """
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
