"""Writes what a run does into its store: the opening, each step, the end of the claim. Knows no node's code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from agentgraph.concurrency import shielded
from agentgraph.exceptions import RunNotResumable

from .codec import EDIT, Codec, Ledger, Node, Restored
from .journal import Journal
from .lifecycle import Event, Status
from .node import End
from .store import OPENING, Commit, JournalRecord, NewRun, RunRecord, Settlement, StepRecord, Store

__all__ = ["MAX_ATTEMPTS", "Recorder", "RunInfo", "Turn", "claim", "create"]

MAX_ATTEMPTS = 5
"""So many attempts of one step may lose their process before the run is given up as failed."""

UsageOf = Callable[[Any], Mapping[str, int]]
"""Reads a run's counters from its state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What a run is created with beside its node and state."""

    run_id: str
    named: bool = False
    """The caller chose the id, so a store that forgets must remember the run."""
    agent: str | None = None
    conversation: str | None = None
    parent: str | None = None
    options: bytes = b"{}"
    """Opaque to the engine; a JSON object that whoever made the graph reads on resume."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One node's turn, as it is written down."""

    seq: int
    ran: Node | None
    """None where the pending node was replaced by `outcome`."""
    outcome: Node | End[Any]
    started: datetime
    ended: datetime


@dataclass
class Recorder:
    """The claim of this process on one run. Nobody else writes the run while it holds."""

    store: Store
    ledger: Ledger
    record: RunRecord
    """The run as it was when it was claimed."""
    usage_of: UsageOf
    attempt: int = 1
    usage: bytes = b"{}"
    held: bool = True
    """Whether the claim still stands, as far as is known here."""

    async def commit(self, turn: Turn, state: Any, *, journaled: bool) -> Status:
        """Write one step. Not to be cancelled: a step that has happened is kept.

        Raises:
            RunFenced, StoreError: nothing was written; the claim is gone.
        """
        encoded = self.ledger.encode(turn.seq, state, turn.ran, turn.outcome)
        usage = to_json(self.usage_of(state))
        step = StepRecord(
            seq=turn.seq,
            node=EDIT if turn.ran is None else turn.ran.get_node_id(),
            outcome=encoded.outcome,
            body=encoded.body,
            state=encoded.changed,
            usage=b"" if usage == self.usage else usage,
            attempt=self.attempt,
            started_at=turn.started.timestamp(),
            ended_at=turn.ended.timestamp(),
            owner=str(self.record.owner or ""),
        )
        commit = Commit(
            run_id=self.record.run_id,
            epoch=self.record.epoch,
            step=step,
            state=encoded.state,
            usage=usage,
            status=Status.SUCCEEDED if isinstance(turn.outcome, End) else Status.RUNNING,
            journaled=journaled,
        )
        self.held = False  # until the store says otherwise
        status = await shielded(self.store.commit(commit))
        self.held = status is Status.RUNNING
        self.ledger.stored()
        self.usage, self.attempt = usage, 1
        return status

    async def settle(self, event: Event, error: str | None, journal: Journal) -> None:
        """Give the claim up without a step, the pending node kept."""
        if not self.held:
            return
        self.held = False
        settlement = Settlement(
            run_id=self.record.run_id,
            epoch=self.record.epoch,
            event=event,
            error=error,
            journal=journal.take_held(),
        )
        await shielded(self.store.settle(settlement))

    async def write_journal(self, row: JournalRecord) -> None:
        """Write what happened inside the pending step."""
        await self.store.journal(self.record.run_id, self.record.epoch, row)


async def create(
    store: Store, codec: Codec, info: RunInfo, opening: tuple[str, Node, Any], usage_of: UsageOf
) -> Recorder:
    """Write a new run, its first node and state, and hold it.

    Raises:
        RunExists, StoreError: see `Store.create`.
    """
    graph, node, state = opening
    ledger = codec.ledger()
    encoded = ledger.encode(OPENING, state, None, node)
    usage = to_json(usage_of(state))
    new = NewRun(
        run_id=info.run_id,
        graph=graph,
        agent=info.agent,
        opening=StepRecord(
            seq=OPENING, node="", outcome=encoded.outcome, body=encoded.body, state=encoded.changed, usage=usage
        ),
        state=encoded.state,
        usage=usage,
        options=info.options,
        conversation=info.conversation,
        parent=info.parent,
        named=info.named,
    )
    record = await shielded(store.create(new))
    ledger.stored()
    return Recorder(store, ledger, record, usage_of, usage=usage)


async def claim(
    store: Store, codec: Codec, record: RunRecord, options: bytes | None, usage_of: UsageOf
) -> tuple[Recorder, Restored]:
    """Take over a run and read it back; `record` is the run as it was last seen.

    Raises:
        RunBusy, StoreError: see `Store.claim`.
        RunNotResumable: it does not fit this graph, or has lost its process too often.
        DecodeError: what is stored does not fit the code.
    """
    run_id = record.run_id
    record = await shielded(store.claim(run_id, options))
    recorder = Recorder(store, codec.ledger(), record, usage_of, attempt=record.attempt, usage=record.usage)
    recorder.held = record.status is Status.RUNNING
    if recorder.held and record.attempt > MAX_ATTEMPTS:
        problem = f"step {record.seq} ({record.pending}) has lost its process {MAX_ATTEMPTS} times in a row"
        await recorder.settle(Event.FAIL, problem, Journal())
        raise RunNotResumable(run_id, [f"{problem}; it counts as failed, and resuming it once more tries again"])
    try:
        restored = codec.restore(run_id, await store.steps(run_id), record.state)
    except BaseException:
        await recorder.settle(Event.RELEASE, None, Journal())
        raise
    recorder.ledger = restored.ledger
    return recorder, restored
