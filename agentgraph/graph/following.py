"""What a stored run has told, and tells while it goes on, to whoever follows it, from any process.

Only what a step tells while it has not ended is stored for followers (`live.py`). All else is read from the steps, the
journal and the run's row, in an order in which nothing is missed without a snapshot: first the row, which says what is
committed; then the steps below it, which are all there; then the events, of which those of a committed step are whole.
What belongs to a step that was committed meanwhile is left for the next round.

A step is told as its start, what it told itself, what its commit says, and its end. Every attempt has a start of its
own: who follows drops what an earlier attempt of the step has told. What happens inside the branches of a fork is not
told: after the step that forks comes the one that joins, which begins when all branches have ended. An offset stands
for a `Position`; the events after it are the same for everybody who asks, whenever he does, but that text comes in
other pieces.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, Protocol, TypeAlias

from pydantic_core import from_json, to_json
from typing_extensions import TypeVar

from agentgraph.exceptions import DecodeError, UserError

from .adapters import adapter_for
from .body import Fold
from .checks import END, FAILED, FORK, JOIN
from .events import Emitted, RunEnded, StepEnded, StepStarted
from .lifecycle import Status
from .lineage import lineage
from .live import Piece, read_emitted
from .position import Position
from .store import OPENING, ROOT, EventKind, EventRecord, JournalRecord, RunRecord, StepRecord, Store

__all__ = ["Followed", "Follower", "ListChange", "Stepped", "Tells", "TextAdded", "ToldEvent", "Until", "follow"]

EventT = TypeVar("EventT", covariant=True, default=object)

Until: TypeAlias = Literal["now", "ended", "succeeded"]
"""When following ends: with what is stored by now; when the run has succeeded, failed, was cancelled or waits; or not
before it has succeeded."""

_GOES_ON = (Status.RUNNING, Status.PENDING)


@dataclass(frozen=True, slots=True)
class TextAdded:
    """More of the text that the step will store."""

    run_id: str
    seq: int
    part: int
    """The index of the part of the reply that it is added to."""
    text: str


ToldEvent: TypeAlias = StepStarted | StepEnded | RunEnded | Emitted | TextAdded
"""What is told of any run. Of `Emitted`, the event is what JSON holds of it."""


@dataclass(frozen=True, slots=True)
class Followed(Generic[EventT]):
    """An event of a stored run."""

    offset: str
    """To go on after it: `after=` takes it. Nothing can be read from it."""
    event: EventT

    def to_json(self) -> bytes:
        """One line: `{"offset": …, "kind": …, "event": {…}}`, where the kind is the name of the event's class."""
        kind = type(self.event)
        event = adapter_for(kind).dump_json(self.event)
        return b'{"offset":%b,"kind":%b,"event":%b}' % (to_json(self.offset), to_json(kind.__name__), event)


@dataclass(frozen=True, slots=True)
class ListChange:
    """What a step did to a list of the state that is stored by items; items are JSON."""

    before: int
    """How long the list was."""
    keep: int
    replaced: Mapping[int, bytes]
    added: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Stepped:
    """A committed step, or the opening of a run, as far as it says more than that it ended."""

    run_id: str
    step: StepRecord
    lists: Mapping[str, ListChange]
    fields: Mapping[str, bytes]
    """Those of the node that comes next, as JSON."""
    text: int
    """So many characters of the step's text were told."""
    calls: Collection[str]
    """The keys of the calls whose ends were told."""


class Tells(Protocol[EventT]):
    """What the rows of a graph's runs say, for who knows the graph. The same rows always say the same."""

    @property
    def calls_of(self) -> Collection[str]:
        """The ids of the nodes whose journal is told."""
        ...

    def call(self, run_id: str, row: JournalRecord) -> EventT | None:
        """What a row of the journal says, if its key, of letters and digits, is one that is told."""
        ...

    def step(self, stepped: Stepped) -> Sequence[EventT | TextAdded]:
        """What a commit says, with what is left of the step's text."""
        ...


class _Silent:
    """Tells nothing beyond what holds for every graph."""

    calls_of: Collection[str] = ()

    def call(self, run_id: str, row: JournalRecord) -> None:
        """Nothing."""

    def step(self, stepped: Stepped) -> Sequence[TextAdded]:
        return ()


def follow(
    store: Store, run_id: str, *, after: str | None = None, until: Until = "ended"
) -> AsyncGenerator[Followed[ToldEvent]]:
    """What a stored run of any graph has told so far, and then what it tells, live.

    Args:
        store: where the run is kept; this or another process executes it.
        run_id: the run.
        after: the offset of the last event that the caller has had.
        until: when to end.

    Raises:
        RunNotFound: there is no such run, or it was deleted meanwhile.
        UserError: `after` is no offset of this run.
        StoreError: the store cannot be read.
    """
    return Follower[ToldEvent](store, run_id, _Silent()).events(after, until)


class Follower(Generic[EventT]):
    """One who follows one run, once."""

    def __init__(self, store: Store, run_id: str, tells: Tells[EventT]) -> None:
        self._store, self._run_id, self._tells = store, run_id, tells
        self._at = Position()
        self._fold = Fold()
        self._found: list[Followed[Any]] = []  # Any: of either union

    async def events(self, after: str | None, until: Until) -> AsyncGenerator[Followed[ToldEvent | EventT]]:
        """See `follow`."""
        self._at, idle = Position.read(after), 0
        async with self._store.changes(self._run_id) as changes:
            await self._catch_up()
            while True:
                run = await self._read()
                found, self._found = self._found, []
                for followed in found:
                    yield followed
                if until == "now" or run.status is Status.SUCCEEDED:
                    return
                if until == "ended" and run.status not in _GOES_ON:
                    return
                idle = 0 if found else idle + 1
                await changes.wait(idle)

    async def _catch_up(self) -> None:
        """Read what the lists of the state hold at the position."""
        run = await self._store.load(self._run_id)
        if self._at.seq > run.seq:
            raise UserError(f"the offset given as `after` is none of run {self._run_id!r}: it is not that far")
        rows: list[StepRecord] = []
        if run.origin is not None:
            rows += await lineage(self._store, await self._store.load(run.origin[0]), {ROOT: run.origin[1]})
        if self._at.seq > OPENING:
            rows += [row for row in await self._store.steps(self._run_id) if row.seq < self._at.seq]
        for row in rows:
            if row.branch == ROOT:
                self._add(row)

    async def _read(self) -> RunRecord:
        """Tell what is new; returns the run as it was read."""
        store, run_id = self._store, self._run_id
        run = await store.load(run_id)
        steps = await store.steps(run_id, self._at.seq - 1) if self._at.seq < run.seq else []
        told = await store.events(run_id, (self._at.seq, self._at.attempt, self._at.n))
        told = [each for each in told if each.branch == ROOT]
        for step in steps:
            if step.branch == ROOT and step.seq < run.seq:
                self._tell_step(step, [each for each in told if each.seq == step.seq])
        if self._at.seq < run.seq:
            self._at = Position(run.seq)
        node = await self._joining(run) if run.pending == FORK else run.pending
        if node is not None and node != END:
            self._tell_pending(run, node, await self._begun(run, [each for each in told if each.seq == run.seq]))
            await self._tell_calls(run)
        if run.status not in _GOES_ON and run.status is not self._at.ended:
            self._tell(RunEnded(run_id, run.status, run.error), replace(self._at, ended=run.status))
        return run

    def _tell_step(self, step: StepRecord, told: Sequence[EventRecord]) -> None:
        if self._at.seq < step.seq:  # the first of a fork, which has no opening
            self._at = Position(step.seq)
        self._tell_attempts(step.node, step.attempt, [each for each in told if each.kind is not EventKind.TEXT])
        at = self._at
        events: list[Any] = [*self._tells.step(self._add(step))]  # Any: of either union
        if step.seq != OPENING:
            events.append(StepEnded(self._run_id, step.seq, step.node, step.outcome))
        after = Position(step.seq + 1)
        for number, event in enumerate(events, start=1):
            if number > at.closing:
                self._tell(event, replace(at, closing=number) if number < len(events) else after)
        self._at = after

    async def _joining(self, run: RunRecord) -> str | None:
        """The node that joins the branches of the fork at which a run stands, if all of them have ended."""
        fork: dict[str, Any] = from_json(self._fold.fields["fork"])  # Any: of every kind
        inside = f"{run.seq - 1}:"
        branches = [each for each in await self._store.branches(self._run_id) if each.branch.startswith(inside)]
        ended = [each for each in branches if each.node in (JOIN, FAILED) and "/" not in each.branch]
        return str(fork["join"]) if len(ended) == len(fork["nodes"]) else None

    def _tell_pending(self, run: RunRecord, node: str, told: Sequence[EventRecord]) -> None:
        begun = run.attempt if run.status is not Status.PENDING else 0
        self._tell_attempts(node, begun, told)

    async def _begun(self, run: RunRecord, told: Sequence[EventRecord]) -> Sequence[EventRecord]:
        """What was told of the pending step up to the claim that the run shows: a node may try again within one."""
        if all(each.attempt <= run.attempt for each in told):
            return told
        now = await self._store.load(self._run_id)
        return told if now.epoch == run.epoch else [each for each in told if each.attempt <= run.attempt]

    def _tell_attempts(self, node: str, last: int, told: Sequence[EventRecord]) -> None:
        """The attempts of a step from the position on: those that told something, and the `last`, if it has begun."""
        attempts = {each.attempt for each in told} | {last} - {0}
        for attempt in sorted(each for each in attempts if each >= self._at.attempt):
            self._begin(attempt, node)
            for event in told:
                if event.attempt == attempt:
                    self._tell_event(event, final=attempt == max(attempts))

    def _begin(self, attempt: int, node: str) -> None:
        seq = self._at.seq
        if seq != OPENING and (self._at.attempt, self._at.started) != (attempt, True):
            at = Position(seq, attempt, started=True)
            self._tell(StepStarted(self._run_id, seq, attempt, node), at)

    def _tell_event(self, event: EventRecord, *, final: bool) -> None:
        at = replace(self._at, n=event.n + 1)
        if event.kind is EventKind.EMITTED:
            self._tell(Emitted(self._run_id, event.seq, read_emitted(event)), at)
            return
        piece: Piece = from_json(event.body)
        part, begins, text = piece
        if final and begins == at.text:  # else there is a gap, which the commit will fill
            self._tell(TextAdded(self._run_id, event.seq, part, text), replace(at, text=at.text + len(text)))

    async def _tell_calls(self, run: RunRecord) -> None:
        if run.pending not in self._tells.calls_of or self._at.attempt != run.attempt or not self._at.started:
            return
        for row in await self._store.calls(self._run_id):
            if row.seq == run.seq and row.branch == ROOT and row.key not in self._at.calls:
                event = self._tells.call(self._run_id, row)
                if event is not None:
                    self._tell(event, replace(self._at, calls=(*self._at.calls, row.key)))

    def _tell(self, event: object, at: Position) -> None:
        self._at = at
        self._found.append(Followed(str(at), event))

    def _add(self, step: StepRecord) -> Stepped:
        """Take a step's row in.

        Raises:
            DecodeError: it is none that this release can read.
        """
        before = {name: len(items) for name, items in self._fold.lists.items()}
        try:
            self._fold.add(step.body)
            changes = from_json(step.body.split(b"\n", 1)[0])["lists"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise DecodeError(self._run_id, step.seq, "the body", str(error)) from error
        lists: dict[str, ListChange] = {}
        for name, (keep, replaced, _) in changes.items():
            items = self._fold.lists[name]
            others = {int(index): items[int(index)] for index in replaced}
            lists[name] = ListChange(before.get(name, 0), keep, others, items[keep:])
        return Stepped(self._run_id, step, lists, self._fold.fields, self._at.text, self._at.calls)
