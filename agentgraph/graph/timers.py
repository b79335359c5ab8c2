"""Times that a step waits for: written down when it first asks, so that they outlive the process.

A sleep that is shorter than a lease happens in the process: a run that gave itself up for it would hardly be asleep
before it had to be claimed again. A longer one ends the attempt. The run then waits, with the time in its row, until
somebody resumes it: a loop over `RunFilter(due_before=…)`, a dispatcher.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic_core import from_json, to_json

from agentgraph.exceptions import GraphRuntimeError, UserError

from .journal import Journal
from .questions import TIMER
from .store import JournalKind

__all__ = ["wake_time"]


async def wake_time(journal: Journal, key: str, seconds: float, now: datetime) -> datetime:
    """When the pending step goes on that sleeps under `key`: what it said first holds for all of its attempts.

    Raises:
        UserError: `seconds` is no number, or beyond all calendars.
        GraphRuntimeError: this attempt has slept under the key already.
        RunFenced, StoreError: it is not written.
    """
    if key in journal.slept:
        message = f"step {journal.seq} sleeps twice under the key {key!r}: give each sleep a key of its own"
        raise GraphRuntimeError(message)
    journal.slept += (key,)
    name = f"{TIMER}{key}"
    row = journal.row(name, "")
    if row is not None:
        return datetime.fromtimestamp(from_json(row.value), UTC)
    try:
        wake = max(now, now + timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        message = f"a sleep of {seconds} s makes no sense; give a number of seconds within the calendar"
        raise UserError(message) from None
    await journal.note(JournalKind.NOTED, name, "", to_json(wake.timestamp()))
    return wake
