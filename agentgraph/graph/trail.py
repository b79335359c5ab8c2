"""The path that a run has taken, drawn: its steps in order, branches of a fork side by side, and where it stands.

Each committed step is a box, with when it began, how long it took, and what is unusual about it: a further attempt,
another process than before. Where the run stands is a box of its own, which says what it waits for or why it failed.
Of a run with many steps the first and the last are drawn, of a fork with many branches those that have not ended and
the first of the others, and in the place of the rest stands how many they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic_core import from_json

from agentgraph.drawing import Chart, Direction, Kind, Link, Shape, Tone

from .checks import END, FAILED, FORK, JOIN
from .codec import EDIT
from .lifecycle import Status
from .questions import TIMER, Question, open_questions
from .store import OPENING, ROOT, JournalKind, JournalRecord, StepRecord, StoredRun

__all__ = ["TrailOptions", "trail"]

ROW_LETTERS = 46
PAUSE = 1.0
"""Seconds between two steps from which on the picture says so."""

_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))


@dataclass(frozen=True)
class TrailOptions:
    """How a run is drawn; see `run_picture`."""

    direction: Direction
    steps: int
    branches: int
    notes: Mapping[int, str]
    asked: Callable[[Question], str]


def trail(stored: StoredRun, inherited: int, options: TrailOptions) -> Chart:
    """What is to be drawn of a run, whose first `inherited` steps are those of runs that it goes on from."""
    return _Trail(stored, inherited, options).chart()


@dataclass
class _Trail:
    """Collects shapes and links on its way from step to step."""

    stored: StoredRun
    inherited: int
    options: TrailOptions
    shapes: list[Shape] = field(default_factory=list[Shape])
    links: list[Link] = field(default_factory=list[Link])

    def __post_init__(self) -> None:
        rows = self.stored.steps
        self._inherited = {id(row) for row in rows[: self.inherited]}
        self._steps: dict[str, list[StepRecord]] = {}
        for row in rows:
            is_known = row.branch != ROOT or row.seq < self.stored.run.seq  # else it came while the run was read
            if row.seq != OPENING and is_known:
                self._steps.setdefault(row.branch, []).append(row)
        self._pending = {branch.branch: branch for branch in self.stored.branches}
        self._inside: dict[str, dict[str, None]] = {}  # the branches of a fork, by the key of its step
        for branch in (*self._steps, *self._pending):
            if branch != ROOT:
                fork = branch.rpartition(":")[0]
                self._inside.setdefault(fork, {})[branch] = None
        self._open = set[str]()  # the keys of what has not ended
        begun = (row.started_at for row in rows if row.seq != OPENING)
        self._begun = min(begun, default=self.stored.run.created_at)

    def chart(self) -> Chart:
        run = self.stored.run
        self._add(Shape(key="start", kind=Kind.START))
        last = self._walk(ROOT, "start")
        if run.pending == END:
            self._add(Shape(key="end", kind=Kind.END), last)
        elif run.status is Status.FAILED and run.pending == FORK:
            self._add(self._failed(), last)
        of = f" of {run.agent or run.graph}"
        return Chart(
            shapes=self.shapes,
            links=self.links,
            title=f"run {_cut(run.run_id)}{of}: {run.status}",
            direction=self.options.direction,
        )

    def _walk(self, branch: str, before: str) -> str:
        """Draw a branch; returns the key of its last shape."""
        rows = self._steps.get(branch, [])
        kept, last, earlier = _ends(len(rows), max(2, self.options.steps)), before, None
        for number, row in enumerate(rows):
            if number in kept:
                last = self._step(row, last, earlier)
            elif number - 1 in kept:
                left_out = len(rows) - len(kept)
                last = self._add(Shape(key=f"{_key(row)}…", text=f"… {left_out} more steps", tone=Tone.QUIET), last)
            earlier = row
        return self._stand(branch, last)

    def _step(self, row: StepRecord, before: str, earlier: StepRecord | None) -> str:
        key = _key(row)
        pause = row.started_at - earlier.ended_at if earlier is not None and earlier.outcome != FORK else 0.0
        label = f"after {_length(pause)}" if pause >= PAUSE else ""
        self._add(self._shape(row, earlier), before, label)
        return self._fork(row) if row.outcome == FORK else key

    def _fork(self, row: StepRecord) -> str:
        """Draw the branches that a step has opened; returns what comes before the node that joins them."""
        key = _key(row)
        parted, joined = f"{key} fork", f"{key} join"
        self._add(Shape(key=parted, kind=Kind.BAR), key)
        inside = [*self._inside.get(key, ())]
        shown = self._shown(inside)
        ends = [self._walk(branch, parted) for branch in shown]
        if len(shown) < len(inside):
            text = f"… {len(inside) - len(shown)} more branches"
            ends.append(self._add(Shape(key=f"{key} …", text=text, tone=Tone.QUIET), parted))
        self._add(Shape(key=joined, kind=Kind.BAR))
        for end in ends or [parted]:
            self._link(end, joined)
        if self._open.intersection(ends):
            self._open.add(joined)
        return joined

    def _shown(self, inside: Sequence[str]) -> list[str]:
        """The branches to be drawn, in their order: first of all those that have not ended."""
        inside = sorted(inside, key=_position)
        most = max(1, self.options.branches)
        if len(inside) <= most:
            return inside
        going = [branch for branch in inside if branch in self._pending and not self._has_ended(branch)]
        chosen = [*dict.fromkeys([*going, *inside])][:most]
        return sorted(chosen, key=_position)

    def _has_ended(self, branch: str) -> bool:
        return self._pending[branch].node in (JOIN, FAILED)

    def _shape(self, row: StepRecord, earlier: StepRecord | None) -> Shape:
        if row.node == EDIT:
            return Shape(
                key=_key(row), text="changed by hand", rows=_rows([_place(row.branch, row.seq)]), tone=Tone.QUIET
            )
        at, took = row.started_at - self._begun, row.ended_at - row.started_at
        rows = [f"{_place(row.branch, row.seq)}, at {_length(at)}, took {_length(took)}"]
        if row.attempt > 1:
            rows.append(f"attempt {row.attempt}")
        if earlier is not None and earlier.owner != row.owner:
            rows.append(f"by {row.owner}")
        tone = Tone.AGAIN if row.attempt > 1 else Tone.PLAIN
        if row.outcome == FAILED:
            rows, tone = [*rows, "failed"], Tone.BAD
        if id(row) in self._inherited:
            rows, tone = [*rows, "before this run"], Tone.QUIET
        note = self.options.notes.get(row.seq, "") if row.branch == ROOT else ""
        return Shape(key=_key(row), text=row.node, rows=_rows(rows), tone=tone, note=note)

    def _stand(self, branch: str, before: str) -> str:
        """Draw where a branch stands, if it has not ended and is not inside of a fork."""
        run = self.stored.run
        if branch == ROOT:
            node, seq, attempt = run.pending, run.seq, run.attempt
        elif branch in self._pending:
            node, seq, attempt = self._pending[branch].node, self._pending[branch].seq, 1
        else:
            return before
        if node in (END, FORK, JOIN, FAILED):
            return before
        asked = [call for call in self.stored.calls if call.branch == branch and call.seq == seq]
        questions = open_questions(asked)
        waits = [f"waits: {_cut(self.options.asked(question))}" for question in questions]
        waits += [f"sleeps until {wake:%Y-%m-%d %H:%M:%S} UTC" for wake in self._wakes(asked)]
        tone, rows = self._now(branch, attempt, is_asleep=bool(waits))
        rows += waits
        done = sum(call.kind is JournalKind.DONE for call in asked)
        if done:
            rows.append(f"{done} call{'s' * (done > 1)} done")
        shape = Shape(key=f"{branch} now", text=node, rows=_rows([_place(branch, seq), *rows]), tone=tone)
        self._add(shape, before)
        self._open.add(shape.key)
        return shape.key

    def _wakes(self, calls: Iterable[JournalRecord]) -> list[datetime]:
        """When a pending step goes on, if it has asked for times to come."""
        notes = [call for call in calls if call.kind is JournalKind.NOTED and call.key.startswith(TIMER)]
        times: list[float] = [from_json(note.value) for note in notes]
        return [datetime.fromtimestamp(wake, UTC) for wake in times if wake > self.stored.run.updated_at]

    def _now(self, branch: str, attempt: int, *, is_asleep: bool) -> tuple[Tone, list[str]]:
        """How a pending step stands: its colour, and what is said of it beside what it waits for."""
        run = self.stored.run
        tried = [f"attempt {attempt}"] if attempt > 1 else []
        if is_asleep:
            return Tone.WAITING, tried
        match run.status:
            case Status.RUNNING:
                return Tone.BUSY, [*tried, f"run by {run.owner}" if run.owner else "running"]
            case Status.FAILED if branch == ROOT:
                return Tone.BAD, [*tried, *_lines(run.error or "failed")]
            case Status.CANCELLED:
                return Tone.QUIET, [*tried, "cancelled"]
            case Status.FAILED:
                return Tone.QUIET, [*tried, "not done"]
            case _:
                return Tone.QUIET, [*tried, "comes next"]

    def _failed(self) -> Shape:
        """Why a run failed inside of a fork."""
        return Shape(key="failed", text="failed", rows=_rows(_lines(self.stored.run.error or "")), tone=Tone.BAD)

    def _add(self, shape: Shape, before: str | None = None, label: str = "") -> str:
        self.shapes.append(shape)
        if before is not None:
            self._link(before, shape.key, label)
        return shape.key

    def _link(self, before: str, key: str, label: str = "") -> None:
        self.links.append(Link(before, key, label, Tone.QUIET if before in self._open else Tone.PLAIN))


def _key(row: StepRecord) -> str:
    """Of a step; the paths of the branches that it opens begin with it."""
    return f"{row.branch}/{row.seq}" if row.branch else str(row.seq)


def _place(branch: str, seq: int) -> str:
    return f"step {seq} of {branch}" if branch else f"step {seq}"


def _position(branch: str) -> int:
    return int(branch.rpartition(":")[2])


def _ends(count: int, most: int) -> set[int]:
    """The first and the last of so many, at most as many as are to be kept."""
    if count <= most:
        return {*range(count)}
    return {*range(most // 2), *range(count - (most - most // 2), count)}


def _rows(lines: Iterable[str]) -> list[tuple[str, str]]:
    return [(line, "") for line in lines]


def _lines(text: str) -> list[str]:
    """A text in a few short lines."""
    flat = " ".join(text.split())
    return [_cut(flat[start : start + ROW_LETTERS]) for start in range(0, len(flat), ROW_LETTERS)][:3]


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= ROW_LETTERS else f"{flat[: ROW_LETTERS - 1]}…"


def _length(seconds: float) -> str:
    """A length of time in a unit in which it is a small number."""
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{max(0.0, seconds) * 1000:.0f} ms"
