"""What a dispatcher tells of a run: to the observers that it was given, where the run has no outlet of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentgraph.clock import SystemClock
from agentgraph.graph import Dispatch, Dispatched, DispatchEvent, Emitted, Observer, RunRecord, Status

__all__ = ["Tell", "dispatch_of", "dispatched", "tell_all"]

Tell = Callable[[str, int, DispatchEvent], None]
"""Called with a run's id, its step and what has become of it."""


def tell_all(observers: Sequence[Observer], run_id: str, seq: int, event: DispatchEvent) -> None:
    """Tell observers what has become of a run at a step."""
    for observer in observers:
        observer(Emitted(run_id, seq, event))


def dispatch_of(record: RunRecord) -> Dispatch:
    """How a run is to be executed that was submitted."""
    assert record.dispatch is not None  # nobody is told to go on with another one
    return record.dispatch


def dispatched(record: RunRecord) -> Dispatched:
    """That a run begins or goes on, which stood as `record` says."""
    how = dispatch_of(record)
    now = SystemClock().now().timestamp()
    match record.status:
        case Status.PENDING:
            ready = max(record.updated_at, how.after or 0.0)
        case Status.WAITING if record.wake_at is not None and record.wake_at <= now:
            ready = record.wake_at
        case _:
            return Dispatched(how.queue, how.tenant)
    return Dispatched(how.queue, how.tenant, max(0.0, now - ready))
