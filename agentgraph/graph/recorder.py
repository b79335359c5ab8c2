"""Writes what a run does into its store: each step, the end of the claim. Knows no node's code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from pydantic_core import to_json

from agentgraph.concurrency import shielded
from agentgraph.exceptions import RunFenced, StoreError

from .checks import FORK
from .codec import EDIT, Codec, Restored
from .frontier import Outcome, branch_path
from .journal import Journal
from .ledger import Ledger, Node
from .lifecycle import Event, Status
from .node import AnyFork, End, is_fork
from .store import (
    ROOT,
    BranchRecord,
    Commit,
    EventRecord,
    JournalKind,
    JournalRecord,
    Lapsed,
    NeverWaits,
    RunFilter,
    RunRecord,
    Settlement,
    ShieldsSteps,
    StepRecord,
    Store,
    never_lapses,
)
from .tail import rows_of

__all__ = ["Recorder", "Turn", "UsageOf", "ledgers_of", "restore", "to_its_end"]

T = TypeVar("T")

_LOST = "agentgraph: processes lost"
"""The key of the note that counts them."""

_BACK = {Status.FAILED: Event.FAIL, Status.CANCELLED: Event.CANCEL, Status.WAITING: Event.WAIT}
"""How a run that was claimed, and cannot go on, becomes again what it was; else it is released."""

UsageOf = Callable[[Any], Mapping[str, int]]
"""Reads a run's counters from the stored fields of its state."""


@dataclass(slots=True)
class Turn:
    """One node's turn, as it is written down. Never changed; not frozen, since each step makes one."""

    seq: int
    ran: Node | None
    """None where the pending node was replaced by `outcome`, or an error ended the branch."""
    outcome: Outcome
    started: float
    """Unix time, as `ended`."""
    ended: float
    branch: str = ROOT
    attempt: int = 1
    closes: bool = False
    """The branches of the fork before it are over."""
    calls: Sequence[JournalRecord] = ()
    """What the journal of the next step begins with."""


@dataclass(slots=True)
class Recorder:
    """The claim of this process on one run. Nobody else writes the run while it holds."""

    store: Store
    codec: Codec
    ledgers: dict[str, Ledger]
    """Of every branch that is walked here."""
    record: RunRecord
    """The run as it was when it was claimed."""
    usage_of: UsageOf
    usage: bytes = b"{}"
    held: bool = True
    """Whether the claim still stands, as far as is known here."""
    lapsed: Lapsed = never_lapses
    """Says whether the claim's lease has run out; asked before each call."""
    counted: bool = False
    """Whether this claim counted a lost process, over the step that is still pending."""

    owner: str = field(init=False)
    """Who holds it, for people."""
    _shields: bool = field(init=False)
    """Whether what is written has to be shielded from cancellation here, not by the store."""

    def __post_init__(self) -> None:
        self.owner = str(self.record.owner or "")
        self._shields = not {ShieldsSteps, NeverWaits}.intersection(type(self.store).__bases__)

    async def commit(
        self, turn: Turn, state: Any, *, journaled: bool, told: bool = False, status: Status | None = None
    ) -> Status:
        """Write one step. Not to be cancelled: a step that has happened is kept.

        `status` is what the run becomes by it, if not what the outcome says.

        Raises:
            RunFenced: nothing was written; the claim is gone.
            StoreError: nothing was written.
        """
        ledger = self.ledgers[turn.branch]
        encoded = ledger.encode(turn.seq, state, turn.ran, turn.outcome)
        inside = turn.branch != ROOT  # of a fork
        usage = to_json(self.usage_of(state)) if encoded.alters and not inside else self.usage
        commit = Commit(
            run_id=self.record.run_id,
            epoch=self.record.epoch,
            step=StepRecord(
                seq=turn.seq,
                branch=turn.branch,
                node=EDIT if turn.ran is None else turn.ran.get_node_id(),
                outcome=encoded.outcome,
                body=encoded.body,
                state=encoded.changed,
                usage=b"" if usage == self.usage else usage,
                attempt=turn.attempt,
                started_at=turn.started,
                ended_at=turn.ended,
                owner=self.owner,
            ),
            state=encoded.state,
            usage=usage,
            status=status or (Status.SUCCEEDED if isinstance(turn.outcome, End) else Status.RUNNING),
            journaled=journaled,
            told=told,
            calls=turn.calls,
            opens=_opened(turn, turn.outcome) if is_fork(turn.outcome) else (),
            closes=turn.closes,
        )
        try:
            became = await self._kept(self.store.commit(commit))
        except BaseException as error:
            self.held = self.held and isinstance(error, StoreError)  # which says that nothing was written
            raise
        ledger.stored()
        self.usage, self.held, self.counted = usage, became is Status.RUNNING or inside, self.counted and inside
        return became

    async def settle(
        self,
        event: Event,
        error: str | None = None,
        journals: Iterable[Journal] = (),
        wake_at: float | None = None,
    ) -> None:
        """Give the claim up without a step, the pending node kept.

        A store that cannot be written is no further error here: whatever ended the run is what the caller must hear
        of, and the lease ends by itself. Nor is a claim that another owner has by now.
        """
        if not self.held:
            return
        self.held = False
        settlement = Settlement(
            run_id=self.record.run_id,
            epoch=self.record.epoch,
            event=event,
            error=error,
            journal=[row for journal in journals for row in journal.held(taken=True)],
            wake_at=wake_at,
        )
        with suppress(StoreError, RunFenced):
            await self._kept(self.store.settle(settlement))

    async def give_back(self, seen: RunRecord) -> None:
        """Give the claim up as if there had been none: the run becomes what it was `seen` as."""
        await self.settle(_BACK.get(seen.status, Event.RELEASE), seen.error, wake_at=seen.wake_at)

    async def wait(
        self, questions: Sequence[JournalRecord], journals: Sequence[Journal], wake_at: datetime | None
    ) -> Status:
        """Put the run to sleep until it is answered or `wake_at`; `RUNNING`: it stays awake, an answer came meanwhile.

        Raises:
            RunFenced, StoreError: nothing was written.
        """
        settlement = Settlement(
            run_id=self.record.run_id,
            epoch=self.record.epoch,
            event=Event.WAIT,
            journal=[*(row for journal in journals for row in journal.held()), *self._none_lost()],
            questions=questions,
            wake_at=None if wake_at is None else wake_at.timestamp(),
        )
        status = await self._kept(self.store.settle(settlement))
        self.held = status is Status.RUNNING
        if self.held:
            await self.stay_awake(journals)
        else:
            for journal in journals:
                journal.held(taken=True)
        return status

    async def stay_awake(self, journals: Iterable[Journal]) -> None:
        """Write what was held back: the pending step begins anew.

        Raises:
            RunFenced, StoreError: not all of it is written.
        """
        for row in [row for journal in journals for row in journal.held(taken=True)]:
            await self.write_journal(row)

    async def reread(self) -> tuple[Restored, list[JournalRecord]]:
        """The run as it was last committed, and the journal of its pending step, answers and all.

        Raises:
            DecodeError, StoreError: it cannot be read.
        """
        run_id = self.record.run_id
        record = await self.store.load(run_id)
        restored = await restore(self.store, self.codec, record)
        self.ledgers = ledgers_of(restored)
        return restored, await self.calls()

    @property
    def lease(self) -> float:
        """Seconds that the claim lasts where it is not renewed."""
        return self.record.lease_until - self.record.updated_at

    async def calls(self) -> list[JournalRecord]:
        """The journal of the pending steps, answers and all.

        Raises:
            StoreError: it cannot be read.
        """
        return await self.store.calls(self.record.run_id)

    def adopt_lists(self, branch: str, state: Any) -> None:
        """Have the lists of a branch's state record what becomes of them."""
        self.ledgers[branch].adopt_lists(state)

    def rewind(self, branch: str, state: Any) -> None:
        """Take `state` for the one that the branch's pending step began with, of which it is a twin."""
        self.ledgers[branch].rewind(state)

    async def count_loss(self, calls: Sequence[JournalRecord]) -> tuple[int, list[JournalRecord]]:
        """Note that one more process was lost over the pending step: how many that makes, and the journal with it.

        An attempt that waited, failed or was given up in good order is none of them.

        Raises:
            RunFenced, StoreError: it is not written.
        """
        noted = next((row for row in calls if row.kind is JournalKind.NOTED and row.key == _LOST), None)
        progress = str(await _steps_inside(self.store, self.record))
        lost = 1 + (0 if noted is None or noted.digest != progress else int(noted.value))
        row, self.counted = self._losses(lost, progress), True
        await self.write_journal(row)
        return lost, [*(each for each in calls if each is not noted), row]

    def _none_lost(self) -> list[JournalRecord]:
        """Begins the count anew: who was taken for lost may have come to a wait, as this process has, after a look."""
        return [self._losses(0, "")] if self.counted else []

    def _losses(self, count: int, progress: str) -> JournalRecord:
        return JournalRecord(
            seq=self.record.seq, branch=ROOT, key=_LOST, kind=JournalKind.NOTED, digest=progress, value=to_json(count)
        )

    def tell(self, event: EventRecord) -> None:
        """Have an event of the pending step written, some time soon."""
        self.store.tell(self.record.run_id, self.record.epoch, event)

    def write_journal(self, row: JournalRecord) -> Awaitable[None]:
        """Write what happened inside the pending step: whatever becomes of the caller, it has happened."""
        return self._kept(self.store.journal(self.record.run_id, self.record.epoch, row))

    def _kept(self, write: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Have it written whole, though the caller is cancelled meanwhile."""
        return shielded(write) if self._shields else write


def to_its_end(store: Store, write: Coroutine[Any, Any, T]) -> Awaitable[T]:
    """Have something written whole, though the caller is cancelled meanwhile."""
    return write if NeverWaits in type(store).__bases__ else shielded(write)


async def _steps_inside(store: Store, run: RunRecord) -> int:
    """How many steps its branches and the runs below it have committed, while its own step has not ended."""
    branches = await store.branches(run.run_id) if run.pending == FORK else []
    below = await store.list(RunFilter(parent=run.run_id))
    inside = [child.seq + await _steps_inside(store, child) for child in below]
    return sum(branch.seq for branch in branches) + sum(inside)


async def restore(store: Store, codec: Codec, record: RunRecord) -> Restored:
    """Read a run back.

    Raises:
        DecodeError, RunNotResumable, StoreError: it cannot be read.
    """
    branches = await store.branches(record.run_id) if record.pending == FORK else ()
    return codec.restore(record.run_id, await rows_of(store, codec, record), record.state, branches)


def ledgers_of(restored: Restored) -> dict[str, Ledger]:
    """What is stored of each branch of a run that was read back."""
    inside = {path: branch.ledger for path, branch in restored.branches.items() if branch.ledger is not None}
    return {ROOT: restored.ledger, **inside}


def _opened(turn: Turn, fork: AnyFork) -> list[BranchRecord]:
    """The branches that begin with a step, which led to a fork."""
    return [
        BranchRecord(branch=branch_path(turn.branch, turn.seq, position), node=node.get_node_id())
        for position, node in enumerate(fork.branches)
    ]
