"""Deleting old runs from any store, without breaking those that stay.

A run goes with all runs below it, and a conversation goes as a whole or not at all: without its last turns it would
go on from an earlier one. What a run that stays goes on from stays too. The newest go first, so that a chain of forks
that is old altogether goes in one go.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from agentgraph.clock import Clock, SystemClock
from agentgraph.exceptions import RunBusy, RunNotFound, UserError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import RunFilter, RunReader, RunRecord, Store

__all__ = ["Keep", "Kept", "Pruned", "prune"]

_CAN_GO_ON = frozenset(Status) - {Status.SUCCEEDED}


@dataclass(frozen=True, kw_only=True)
class Keep:
    """What `prune` leaves alone, however old it is."""

    statuses: Collection[Status] = _CAN_GO_ON
    """By default every run that could still go on: all but those that have succeeded."""
    agents: Collection[str] = ()
    conversations: Collection[str] = ()
    runs: Collection[str] = ()
    """Ids of runs; what is below them stays with them."""

    def holds(self, run: RunRecord) -> bool:
        """Whether the run stays."""
        return (
            run.status in self.statuses
            or run.agent in self.agents
            or run.conversation in self.conversations
            or run.run_id in self.runs
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A run that is old enough to go, and stays."""

    run_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of the old runs."""

    deleted: Sequence[str]
    """Ids, those of the runs below them among them."""
    kept: Sequence[Kept]


async def prune(
    store: Store,
    older_than: timedelta | datetime,
    *,
    keep: Keep | None = None,
    dry_run: bool = False,
    clock: Clock | None = None,
) -> Pruned:
    """Delete the runs that were last written before a moment.

    Args:
        store: where they are.
        older_than: the moment, with its time zone, or how long ago it was.
        keep: what stays however old it is; by default every run that could still go on.
        dry_run: say what would be deleted, and delete nothing.
        clock: what `older_than` is counted from.

    Raises:
        UserError: `older_than` has no time zone.
        StoreError: the store cannot be read or written; what was deleted until then is gone.
    """
    pruning = _Pruning(store, _moment(older_than, clock or SystemClock()), keep or Keep(), dry_run)
    units = [unit async for unit in pruning.units()]
    kept: list[Kept] = []
    while units:
        kept, before = [], len(pruning.gone)
        units = [unit for unit in units if not await pruning.remove(unit, kept)]
        if len(pruning.gone) == before:
            break
    return Pruned(list(pruning.gone), kept)


def _moment(older_than: timedelta | datetime, clock: Clock) -> float:
    if isinstance(older_than, timedelta):
        return (clock.now() - older_than).timestamp()
    if older_than.tzinfo is None:
        raise UserError(f"older_than={older_than} has no time zone; give it one, for example `tzinfo=UTC`")
    return older_than.timestamp()


@dataclass(frozen=True, slots=True)
class _Pruning:
    store: Store
    before: float
    keep: Keep
    dry_run: bool
    gone: dict[str, None] = field(default_factory=dict[str, None])
    """In the order in which they went."""

    async def units(self) -> AsyncGenerator[tuple[str, ...]]:
        """Roots, and whole conversations, that are old enough to go, the newest first."""
        seen: set[str] = set()
        async for run in _every(self.store, RunFilter()):
            talk = run.conversation
            if talk in seen or not self._goes(run) or await self._has_parent(run):
                if talk is not None:
                    seen.add(talk)
            elif talk is None:
                yield (run.run_id,)
            else:
                seen.add(talk)
                turns = [turn async for turn in _every(self.store, RunFilter(conversation=talk))]
                if all(map(self._goes, turns)):
                    yield tuple(turn.run_id for turn in turns)

    async def remove(self, unit: Sequence[str], kept: list[Kept]) -> bool:
        """Delete a unit, or note in `kept` why it stays; whether all of it is gone."""
        ids = [each for run_id in unit for each in await _tree(self.store, run_id)]
        why = await self._needed(ids)
        if why is not None:
            kept += [Kept(run_id, why) for run_id in unit]
            return False
        if self.dry_run:
            self.gone.update(dict.fromkeys(ids))
            return True
        for run_id in unit:
            try:
                self.gone.update(dict.fromkeys(await self.store.delete(run_id)))
            except RunNotFound:  # somebody else was faster
                continue
            except (RunBusy, UserError) as refusal:
                kept.append(Kept(run_id, refusal.message))
                return False
        return True

    async def _needed(self, ids: Collection[str]) -> str | None:
        """Who goes on from one of these runs, and stays."""
        followers = [run.run_id for run_id in ids async for run in _every(self.store, RunFilter(origin=run_id))]
        staying = [run_id for run_id in followers if run_id not in ids and run_id not in self.gone]
        return f"{', '.join(staying)} goes on from it" if staying else None

    def _goes(self, run: RunRecord) -> bool:
        return run.updated_at < self.before and not self.keep.holds(run)

    async def _has_parent(self, run: RunRecord) -> bool:
        if run.parent is None:
            return False
        try:
            await self.store.load(run.parent)
        except RunNotFound:
            return False
        return True


async def _tree(store: RunReader, run_id: str) -> list[str]:
    """A run and all runs below it."""
    found = [run_id]
    for each in found:  # grows while it is read
        found += [run.run_id async for run in _every(store, RunFilter(parent=each))]
    return found


async def _every(store: RunReader, which: RunFilter) -> AsyncGenerator[RunRecord]:
    """All runs that fit, the newest first, page by page."""
    while page := await store.list(which):
        for run in page:
            yield run
        which = replace(which, before=(page[-1].created_at, page[-1].run_id))
