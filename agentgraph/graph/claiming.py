"""How this process comes to hold a run: it creates one, or takes over one that nobody executes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from pydantic_core import to_json

from agentgraph.exceptions import RunNotResumable

from .codec import Codec, Restored
from .ledger import Ledger, Node
from .lifecycle import Event, Status
from .recorder import Recorder, UsageOf, ledgers_of, restore, to_its_end
from .store import OPENING, ROOT, Dispatch, JournalRecord, NewRun, RunRecord, StepRecord, Store

__all__ = ["MAX_ATTEMPTS", "Ended", "RunInfo", "claim", "create", "submit"]

MAX_ATTEMPTS = 5
"""A step that has lost so many processes gives its run up as failed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that nobody executes, read for another one to go on from."""

    record: RunRecord
    state: Any
    """The state that it left."""
    ledger: Ledger
    """For the run that goes on: the lists are stored, nothing else is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """What a run is created with beside its node and state."""

    run_id: str
    named: bool = False
    """The caller chose the id, so a store that forgets must remember the run."""
    agent: str | None = None
    conversation: str | None = None
    parent: str | None = None
    after: Ended | None = None
    """The run that it goes on from: its lists are pointed at, not copied."""
    deadline: datetime | None = None
    """When the run has to be done. Not stored by itself: `options` is."""
    options: bytes = b"{}"
    """Opaque to the engine; a JSON object that whoever made the graph reads on resume."""
    dispatch: Dispatch | None = None
    """How it is to be executed, if it is only created here."""


async def create(
    store: Store, codec: Codec, info: RunInfo, opening: tuple[str, Node, Any], usage_of: UsageOf
) -> Recorder:
    """Write a new run, its first node and state, and hold it.

    Raises:
        RunExists, StoreError: see `Store.create`.
    """
    new, ledger = _new_run(codec, info, opening, usage_of)
    record = await to_its_end(store, store.create(new))
    ledger.stored()
    return Recorder(store, codec, {ROOT: ledger}, record, usage_of, usage=new.usage)


async def submit(
    store: Store, codec: Codec, info: RunInfo, opening: tuple[str, Node, Any], usage_of: UsageOf
) -> RunRecord:
    """Write a new run, its first node and state, and leave it to who claims it.

    Raises:
        RunExists, StoreError: see `Store.create`.
    """
    new, _ = _new_run(codec, info, opening, usage_of)
    return await to_its_end(store, store.create(new))


def _new_run(codec: Codec, info: RunInfo, opening: tuple[str, Node, Any], usage_of: UsageOf) -> tuple[NewRun, Ledger]:
    graph, node, state = opening
    ledger = codec.ledger() if info.after is None else info.after.ledger
    encoded = ledger.encode(OPENING, state, None, node)
    usage = to_json(usage_of(state))
    new = NewRun(
        run_id=info.run_id,
        graph=graph,
        agent=info.agent,
        opening=StepRecord(
            seq=OPENING, node="", outcome=encoded.outcome, body=encoded.body, state=encoded.changed, usage=usage
        ),
        pending=encoded.outcome,
        status=Status.RUNNING if info.dispatch is None else Status.PENDING,
        state=encoded.state,
        usage=usage,
        options=info.options,
        conversation=info.conversation,
        follows=None if info.after is None else info.after.record.run_id,
        origin=None if info.after is None else (info.after.record.run_id, info.after.record.seq),
        parent=info.parent,
        named=info.named,
        dispatch=info.dispatch,
    )
    return new, ledger


async def claim(
    store: Store, codec: Codec, seen: RunRecord, options: bytes | None, usage_of: UsageOf
) -> tuple[Recorder, Restored, Sequence[JournalRecord]]:
    """Take over a run and read it back, with the journal of its pending step; `seen` is the run as it was last seen.

    Raises:
        RunBusy, StoreError: see `Store.claim`.
        RunNotResumable: it does not fit this graph, or has lost its process too often.
        DecodeError: what is stored does not fit the code.
    """
    record = await to_its_end(store, store.claim(seen.run_id, options))
    recorder = Recorder(store, codec, {ROOT: codec.ledger()}, record, usage_of, usage=record.usage)
    recorder.held = record.status is Status.RUNNING
    try:
        calls = await store.calls(seen.run_id) if recorder.held else []
        if recorder.held and seen.status is Status.RUNNING:  # before it is read: that may be what a process dies of
            lost, calls = await recorder.count_loss(calls)
            if lost >= MAX_ATTEMPTS:
                await _give_up(recorder, lost)
        restored = await restore(store, codec, record)
    except BaseException:
        await recorder.give_back(seen)
        raise
    recorder.ledgers = ledgers_of(restored)
    return recorder, restored, calls


async def _give_up(recorder: Recorder, lost: int) -> NoReturn:
    record = recorder.record
    problem = f"step {record.seq} ({record.pending}) has lost its process {lost} times"
    await recorder.settle(Event.FAIL, problem)
    raise RunNotResumable(record.run_id, [f"{problem}; it counts as failed now, and resuming it once more tries again"])
