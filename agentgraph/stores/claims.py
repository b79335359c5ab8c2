"""What a store decides about the claim of a run: pure functions of what stands in the run's row, shared by all stores.

A run lives while it is `RUNNING`, has an owner, and either this store holds it or its lease runs and its owner is
not known to be dead. Only a run that does not live is claimed, and only such a run is cancelled at once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nextafter

from agentgraph.exceptions import IllegalTransition, RunBusy, RunNotResumable
from agentgraph.graph.lifecycle import LIFECYCLE, Event, Status, advance
from agentgraph.graph.store import NewRun, Owner, RunRecord

__all__ = ["IsDead", "cancelled", "check_turn", "claimed", "committed", "created", "lives", "settled"]

IsDead = Callable[[Owner], bool]

_GIVES_UP = (Event.RELEASE, Event.FAIL, Event.CANCEL, Event.WAIT)
_GOES_ON = frozenset({Status.RUNNING, Status.WAITING, Status.PENDING})


def lives(run: RunRecord, now: float, is_dead: IsDead, *, held: bool = False) -> bool:
    """Whether somebody executes the run; `held`: this store itself does, so its lease does not matter."""
    if run.status is not Status.RUNNING or run.owner is None:
        return False
    return held or (run.lease_until > now and not is_dead(run.owner))


def claimed(run: RunRecord, now: float, is_dead: IsDead, *, held: bool = False) -> Status:
    """The status with which a run is claimed.

    Raises:
        RunBusy: it lives.
        IllegalTransition: it has succeeded.
    """
    if run.owner is not None and lives(run, now, is_dead, held=held):
        raise RunBusy(run.run_id, str(run.owner), max(0.0, run.lease_until - now))
    return advance(run.status, Event.CLAIM if run.status is Status.RUNNING else Event.START)


def created(now: float, newest: RunRecord | None) -> float:
    """When a run is created in a conversation whose newest run is `newest`: after that one, though clocks go back."""
    return now if newest is None else max(now, nextafter(newest.created_at, inf))


def check_turn(newest: RunRecord, new: NewRun, now: float, is_dead: IsDead, *, held: bool = False) -> None:
    """Refuse a run that would not be the next turn of its conversation, whose newest run is `newest`.

    `held`: this store itself executes that one, so its lease does not matter.

    Raises:
        RunBusy: another turn is being taken, or was taken meanwhile.
        RunNotResumable: the turn before has not ended, and nobody executes it.
    """
    if newest.run_id != new.follows or (newest.owner is not None and lives(newest, now, is_dead, held=held)):
        who = None if newest.owner is None else str(newest.owner)
        raise RunBusy(newest.run_id, who, max(0.0, newest.lease_until - now))
    if newest.status not in (Status.SUCCEEDED, Status.CANCELLED):
        problem = (
            f"it is the newest of conversation {new.conversation!r} and {newest.status}: finish or cancel it first"
        )
        raise RunNotResumable(newest.run_id, [problem])
    if new.origin is not None and new.origin[1] != newest.seq:  # it has gone on since its messages were read
        raise RunBusy(newest.run_id, None, 0.0)


def cancelled(run: RunRecord, now: float, is_dead: IsDead, *, held: bool = False) -> Status:
    """The status after somebody asked to cancel: `RUNNING` leaves it to the run's living owner."""
    if lives(run, now, is_dead, held=held) or Event.CANCEL not in LIFECYCLE[run.status]:
        return run.status
    return advance(run.status, Event.CANCEL)


def committed(status: Status, *, asked: bool) -> Status:
    """What a commit that carries `status` makes of its run, if somebody `asked` to cancel it or not."""
    return advance(Status.RUNNING, Event.CANCEL) if asked and status in _GOES_ON else status


def settled(event: Event, *, asked: bool) -> Status:
    """What a settlement makes of its run; a cancel that somebody `asked` for is not lost by a release or a wait.

    Raises:
        IllegalTransition: the event does not end a claim.
    """
    if event not in _GIVES_UP:
        raise IllegalTransition(Status.RUNNING, event, _GIVES_UP)
    return committed(advance(Status.RUNNING, event), asked=asked)
