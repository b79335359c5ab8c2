"""What a store decides about the deletion of a run, and about runs that come from another store: pure functions.

A run goes with all runs below it. None of these is deleted while one of them is executed, or while a run that stays
goes on from one of them, for its history is theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from agentgraph.exceptions import RunBusy, UserError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import RunRecord

from .claims import IsDead, lives

__all__ = ["Relatives", "as_inserted", "check_rest", "doomed"]


@dataclass(frozen=True, slots=True)
class Relatives:
    """What a store knows of the runs around a run, by its id."""

    has: Callable[[str], bool]
    """Whether there is such a run."""
    children: Callable[[str], Iterable[RunRecord]]
    followers: Callable[[str], Iterable[str]]
    """The runs that go on from it."""


def doomed(run: RunRecord, relatives: Relatives, check: Callable[[RunRecord], None]) -> list[RunRecord]:
    """The runs that go if `run` is deleted, it first; `check` is called with each.

    Raises:
        UserError: the run belongs to another one, or runs that stay go on from these.
    """
    if run.parent is not None and relatives.has(run.parent):
        raise UserError(f"run {run.run_id!r} belongs to run {run.parent!r} and goes with it: delete that one")
    found = [run]
    for one in found:  # grows while it is read
        check(one)
        found += relatives.children(one.run_id)
    ids = {one.run_id for one in found}
    staying = [each for one in found for each in relatives.followers(one.run_id) if each not in ids]
    if staying:
        raise UserError(
            f"run {run.run_id!r} cannot be deleted: {len(staying)} run(s) go on from it or from a run below it: "
            f"{', '.join(sorted(staying))}; delete them first"
        )
    return found


def check_rest(run: RunRecord, now: float, is_dead: IsDead, *, held: bool = False) -> None:
    """Refuse to delete a run that is executed.

    Raises:
        RunBusy: it lives.
    """
    if run.owner is not None and lives(run, now, is_dead, held=held):
        raise RunBusy(run.run_id, str(run.owner), max(0.0, run.lease_until - now))


def as_inserted(run: RunRecord) -> RunRecord:
    """A run of another store as it is written into this one: nobody executes it, and it stands in no queue."""
    status = Status.PENDING if run.status is Status.RUNNING else run.status
    return replace(run, status=status, owner=None, lease_until=0.0, dispatch=None)
