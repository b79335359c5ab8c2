"""What stops a run in the middle of a step: a signal of its store, or its deadline.

A step runs inside a cancel scope, one for all steps where they are taken in one go (`GraphRunContext.interruptible`).
A thread of the store rings, the ring arrives in the run's event loop and cancels the scope, and whoever opened that
raises the error which says why. `Execution` ends the run by it. What comes while no scope is open stops the next step.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import assert_never

from anyio import CancelScope, current_time
from pydantic_core import from_json, to_json

from agentgraph.clock import Clock, SystemClock
from agentgraph.exceptions import AgentRunError, DeadlineExceeded, RunCancelled, RunFenced, StoreError, UserError

from .store import Signal

__all__ = ["Deadline", "Interruption", "absolute_deadline", "dump_deadline", "load_deadline"]

Deadline = datetime | float
"""A point of time, aware of its time zone, or seconds from now."""


class Interruption:
    """Of one run as this process holds it. Only the run's event loop uses it."""

    __slots__ = (
        "_clock",
        "_deadline",
        "_error",
        "_needed",
        "_overdue",
        "_reason",
        "_run_id",
        "_scope",
        "_signal",
        "break_before",
    )

    def __init__(
        self,
        run_id: str = "",
        clock: Clock | None = None,
        deadline: datetime | None = None,
        *,
        owned: bool = False,
    ) -> None:
        self._run_id, self._clock, self._deadline = run_id, clock or SystemClock(), deadline
        self._needed = owned or deadline is not None
        self._scope: CancelScope | None = None
        self._signal: Signal | None = None
        self._reason = ""
        self._overdue = False
        self._error: AgentRunError | None = None
        self.break_before: Collection[type[object]] = ()
        """The classes of the nodes before which the run stops."""

    @property
    def covered(self) -> bool:
        """Whether a step needs no scope of its own."""
        return self._scope is not None or not self._needed

    @property
    def idle(self) -> bool:
        """Whether there is nothing to check and no scope to open before work goes on."""
        return self._signal is None and self._deadline is None and (self._scope is not None or not self._needed)

    @property
    def forbids_writing(self) -> bool:
        """Whether another owner has the run, or may have it."""
        return self._signal in (Signal.LOST, Signal.LAPSED)

    def ring(self, signal: Signal, reason: str = "") -> None:
        """Stop what runs, because of `signal`; a later one counts only if it is more than a cancel."""
        if self._signal is None or (self._signal is Signal.CANCEL and signal is not Signal.CANCEL):
            self._signal, self._reason, self._error = signal, reason, None
        if self._scope is not None:
            self._scope.cancel()

    def error(self, seq: int) -> AgentRunError | None:
        """Why the run has to stop at step `seq`; always the same object, None if it may go on."""
        if self._error is None:
            self._error = self._explain(seq)
        return self._error

    def check(self, seq: int) -> None:
        """Raise what `error` says."""
        if self._signal is None and self._deadline is None:
            return
        error = self.error(seq)
        if error is not None:
            raise error

    def covering(self, seq: int) -> Covering:
        """A scope for what happens inside, unless there is one; raises what `error` says if that stopped it."""
        return Covering(self, seq)

    def hold(self, scope: CancelScope) -> None:
        """Let `scope` be cancelled by a signal and at the deadline; there is none before."""
        self._scope = scope
        if self._deadline is not None:
            scope.deadline = current_time() + (self._deadline - self._clock.now()).total_seconds()
        if self._signal is not None:
            scope.cancel()

    def let_go(self) -> None:
        """The end of that, if it has not ended."""
        self._overdue = self._is_overdue()
        self._scope = None

    def _explain(self, seq: int) -> AgentRunError | None:
        match self._signal:
            case Signal.CANCEL:
                return RunCancelled(self._run_id)
            case Signal.LOST:
                return RunFenced(self._run_id, seq)
            case Signal.LAPSED:
                return self._lapsed(seq)
            case None:
                late = self._deadline is not None and (self._is_overdue() or self._clock.now() >= self._deadline)
                return DeadlineExceeded(self._run_id, self._deadline) if late and self._deadline is not None else None
            case _ as never:  # pyright: ignore[reportUnnecessaryComparison] - the closed union is held by assert_never
                assert_never(never)

    def _lapsed(self, seq: int) -> StoreError:
        error = StoreError(
            f"{self._reason}: the lease of run {self._run_id!r} ran out in step {seq}, for it could not be renewed. "
            "Another process may go on with the run, so it was stopped here, where it was last committed; see that the "
            f"store can be written, then go on with `resume={self._run_id!r}`"
        )
        error.run_id = self._run_id
        return error

    def _is_overdue(self) -> bool:
        """Whether the deadline has cancelled a scope; by its own clock, which need not be the run's."""
        if self._deadline is None or self._signal is not None:
            return False
        return self._overdue or (self._scope is not None and self._scope.cancel_called)


class Covering:
    """See `Interruption.covering`. No generator: every run that is under way holds one."""

    __slots__ = ("_scope", "_seq", "_stop")

    def __init__(self, stop: Interruption, seq: int) -> None:
        self._stop, self._seq = stop, seq
        self._scope: CancelScope | None = None

    def __enter__(self) -> None:
        self._stop.check(self._seq)
        if not self._stop.covered:
            self._scope = CancelScope()
            self._scope.__enter__()
            self._stop.hold(self._scope)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if self._scope is None:
            return None
        self._stop.let_go()
        swallowed = bool(self._scope.__exit__(kind, error, traceback))
        if self._scope.cancelled_caught:
            why = self._stop.error(self._seq)
            assert why is not None  # nobody else knows the scope
            raise why from None
        return swallowed


def absolute_deadline(given: Deadline | None, clock: Clock) -> datetime | None:
    """A deadline as it is stored: in UTC.

    Raises:
        UserError: it has no time zone, or is no number of seconds from now.
    """
    if given is None:
        return None
    if isinstance(given, datetime):
        if given.utcoffset() is None:
            raise UserError(f"deadline {given} has no time zone; give an aware datetime, or seconds from now")
        return given.astimezone(UTC)
    if not 0 < given < math.inf:
        raise UserError(f"a deadline {given} s from now makes no sense; give a positive number, or an aware datetime")
    try:
        return clock.now() + timedelta(seconds=given)
    except OverflowError:
        raise UserError(f"a deadline {given} s from now is beyond all calendars; leave it out") from None


def dump_deadline(deadline: datetime | None) -> bytes:
    """The options of a run that was given nothing else to be kept."""
    return b"{}" if deadline is None else to_json({"deadline": deadline})


def load_deadline(options: bytes) -> datetime | None:
    """The deadline in such options."""
    stored = from_json(options).get("deadline")
    return None if stored is None else datetime.fromisoformat(stored)
