"""The life of a run: a table, and the one function that applies it.

Every status a run can have is a key of `LIFECYCLE`, every event it takes there is a key of the inner table, and what
is not in the table cannot happen. The stores apply it inside their transactions (`claim`, `settle`, `cancel`), the
scheduler through the status that a commit carries; nobody else changes a status. `make diagrams` draws it.

A run is *claimed* to be executed: by `START` from a status in which nobody executes it, by `CLAIM` from `RUNNING`
when its owner is dead or its lease has run out. A failed or cancelled run keeps its pending node, so it can always
be started again; only success is final.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agentgraph.exceptions import IllegalTransition

__all__ = ["LIFECYCLE", "Event", "Status", "advance"]


class Status(StrEnum):
    """Where a run is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What can happen to a run."""

    START = "start"
    CLAIM = "claim"
    WAIT = "wait"
    FINISH = "finish"
    FAIL = "fail"
    CANCEL = "cancel"
    RELEASE = "release"


LIFECYCLE: Mapping[Status, Mapping[Event, Status]] = {
    Status.PENDING: {Event.START: Status.RUNNING, Event.CANCEL: Status.CANCELLED},
    Status.RUNNING: {
        Event.CLAIM: Status.RUNNING,
        Event.WAIT: Status.WAITING,
        Event.FINISH: Status.SUCCEEDED,
        Event.FAIL: Status.FAILED,
        Event.CANCEL: Status.CANCELLED,
        Event.RELEASE: Status.PENDING,
    },
    Status.WAITING: {Event.START: Status.RUNNING, Event.CANCEL: Status.CANCELLED},
    Status.SUCCEEDED: {},
    Status.FAILED: {Event.START: Status.RUNNING},
    Status.CANCELLED: {Event.START: Status.RUNNING},
}


def advance(status: Status, event: Event) -> Status:
    """The status that follows.

    Raises:
        IllegalTransition: a run with this status does not take this event.
    """
    moves = LIFECYCLE[status]
    if event not in moves:
        raise IllegalTransition(status, event, tuple(moves))
    return moves[event]
