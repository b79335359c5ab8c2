"""What running steps tell, collected until it is worth a write: a quarter of a second, or 4 KB.

Whoever tells waits for nothing. A thread that lives while there is something to collect hands over what is due; the
commit or the settlement of a run takes the run's own along.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from agentgraph.exceptions import StoreError
from agentgraph.graph.store import EventKind, EventRecord

from .rows import Row

__all__ = ["Told", "event_records", "event_rows"]

_DELAY = 0.25
"""Seconds that something told waits for company."""

_SIZE = 4096
"""Bytes that are company enough."""

_LINGER = 1.0
"""Seconds that the thread waits for more."""

Submit = Callable[[str, int, Sequence[EventRecord]], None]
"""Queues the events of a run and epoch to be written."""


@dataclass(slots=True)
class _Group:
    epoch: int
    due: float
    events: list[EventRecord] = field(default_factory=list[EventRecord])
    size: int = 0


class Told:
    """Collects the events of all runs that a store executes."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit
        self._changed = threading.Condition()
        self._groups: dict[str, _Group] = {}
        self._working = False

    def tell(self, run_id: str, epoch: int, event: EventRecord) -> None:
        """Collect an event, from any thread."""
        with self._changed:
            group = self._groups.get(run_id)
            if group is not None and group.epoch != epoch:
                self._hand_over(run_id)
                group = None
            if group is None:
                group = self._groups[run_id] = _Group(epoch, time.monotonic() + _DELAY)
                self._begin()
            group.events.append(event)
            group.size += len(event.body)
            if group.size >= _SIZE:
                self._hand_over(run_id)

    def flush(self, run_id: str, *, committed: int | None = None) -> None:
        """Hand over the events of a run; not the text of a step that is `committed` now, which holds all of it."""
        if run_id not in self._groups:
            return
        with self._changed:
            group = self._groups.get(run_id)
            if group is not None and committed is not None:
                group.events = [each for each in group.events if each.kind is not EventKind.TEXT]
            self._hand_over(run_id)

    def flush_all(self) -> None:
        """Hand over everything."""
        with self._changed:
            for run_id in [*self._groups]:
                self._hand_over(run_id)

    def _begin(self) -> None:
        if self._working:
            self._changed.notify()
            return
        self._working = True
        threading.Thread(target=self._work, name="agentgraph events", daemon=True).start()

    def _work(self) -> None:
        with self._changed:
            while self._groups or self._changed.wait(_LINGER):
                now = time.monotonic()
                due = min((group.due for group in self._groups.values()), default=now)
                if due > now:
                    self._changed.wait(due - now)
                    continue
                for run_id in [run_id for run_id, group in self._groups.items() if group.due <= now]:
                    self._hand_over(run_id)
            self._working = False

    def _hand_over(self, run_id: str) -> None:
        # Under the lock, so that what a commit takes along is queued before it, whoever hands it over.
        group = self._groups.pop(run_id, None)
        if group is not None and group.events:
            with suppress(StoreError):  # the store was closed
                self._submit(run_id, group.epoch, group.events)


def event_rows(events: Iterable[EventRecord]) -> list[Row]:
    """Events as rows `branch, seq, attempt, n, kind, body`: those of one kind in a row share one, named by the last."""
    rows: list[list[EventRecord]] = []
    for event in events:
        if rows and _goes_on(rows[-1][-1], event):
            rows[-1].append(event)
        else:
            rows.append([event])
    return [_row(group) for group in rows]


def event_records(row: Row) -> list[EventRecord]:
    """The events of a row."""
    branch, seq, attempt, last, kind, body = row
    bodies: list[bytes] = []
    at = 0
    while at < len(body):
        (size,) = struct.unpack_from(">I", body, at)
        bodies.append(bytes(body[at + 4 : at + 4 + size]))
        at += 4 + size
    whole = EventRecord(seq=seq, branch=branch, attempt=attempt, n=last, kind=EventKind(kind), body=b"")
    return [replace(whole, n=last - len(bodies) + 1 + i, body=each) for i, each in enumerate(bodies)]


def _goes_on(last: EventRecord, event: EventRecord) -> bool:
    return replace(last, n=last.n + 1, body=event.body) == event


def _row(group: Sequence[EventRecord]) -> Row:
    last = group[-1]
    body = b"".join([struct.pack(">I", len(event.body)) + event.body for event in group])
    return last.branch, last.seq, last.attempt, last.n, last.kind.value, body
