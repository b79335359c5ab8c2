"""What we ask of ourselves, as data, and whether it is met.

A target is a ratio between two figures of the same run, since one machine is twice as fast as another, and a figure by
itself says little. Few are absolute: what an installation brings, how soon a follower sees a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .peers.libraries import FLOOR, OURS

__all__ = ["TARGETS", "Of", "Target", "Value", "Verdict", "judge"]

BEFORE = "pydantic-ai-0"
"""The system whose programs run on ours, by its name in peers.toml."""


@dataclass(frozen=True)
class Of:
    """Where a figure is found: a workload, or a row that a module of ours measures, and what of it."""

    workload: str
    figure: str
    library: str = OURS


@dataclass(frozen=True)
class Target:
    """One of our figures is to be at most `times` another one plus `plus`, or at least that.

    Attributes:
        group: The row of the table of targets.
        name: What is asked there, in a few words.
        ours: The figure.
        times: Of `of`.
        of: The figure that it is measured by; None: by `plus` alone.
        plus: In the unit of the figure.
        at_least: Is more better?
        unit: What figures are told in: as a column's.
        quick: Is it measured by `make bench-quick`, too?
    """

    group: str
    name: str
    ours: Of
    times: float = 0
    of: Of | None = None
    plus: float = 0
    at_least: bool = False
    unit: str = "ms"
    quick: bool = True

    @property
    def asked(self) -> str:
        """The bound in words."""
        sign = "≥" if self.at_least else "≤"
        of = self.of
        if of is None:
            return f"{sign} {told(self.plus, self.unit)}"
        plus = f" + {told(self.plus, self.unit)}" if self.plus else ""
        return f"{sign} {self.times:g} × {_named(self.ours, of)}{plus}"


@dataclass(frozen=True)
class Verdict:
    """What became of a target.

    Attributes:
        value: Our figure; None if it was not measured.
        by: The figure that it is measured by, if there is one and it was measured.
    """

    target: Target
    value: float | None
    by: float | None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None if a figure is missing."""
        target = self.target
        if self.value is None or (target.of is not None and self.by is None):
            return None
        bound = target.times * (self.by or 0) + target.plus
        return self.value >= bound if target.at_least else self.value <= bound

    @property
    def ratio(self) -> float | None:
        """Our figure as so many of the other."""
        return None if self.value is None or not self.by else self.value / self.by

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        return {True: "met", False: "not met", None: "not measured"}[self.met]


OTHERWISE = {
    "loop-100": "a turn of 100",
    "durable-10": "a turn of 10",
    "structured-50": "50 KB",
    "by hand steps/s": "by hand",
    "s a flush": "a flush",
    "s by hand": "by hand",
    "s a step, first tenth": "the first tenth",
}
"""What workloads and figures of rows are called."""

Value = Callable[[Of], float | None]
"""Finds a figure: seconds, bytes or a number, of one piece of the work if the workload is told by piece."""


def judge(value: Value, targets: Sequence[Target]) -> list[Verdict]:
    """Compare what was measured with what is asked."""
    return [Verdict(each, value(each.ours), None if each.of is None else value(each.of)) for each in targets]


def told(value: float, unit: str) -> str:
    """A figure in its unit."""
    scaled = value * {"": 1.0, "s": 1.0, "ms": 1e3, "µs": 1e6, "KB": 1e-3, "MB": 1e-6}[unit]
    digits = f"{scaled:,.0f}" if scaled >= 1000 else f"{scaled:.3g}"
    return f"{digits} {unit}".rstrip()


def _named(ours: Of, of: Of) -> str:
    """What a figure is compared with, in a few words."""
    match of.library:
        case library if library == FLOOR:
            return "by hand"
        case library if library == BEFORE:
            return "pydantic-ai 0.0.40"
        case _:
            name = of.figure if of.workload == ours.workload else of.workload
            return OTHERWISE.get(name, name)


def _by_hand(group: str, name: str, of: Of, times: float, unit: str = "ms", *, quick: bool = True) -> Target:
    """Beside the same work by hand."""
    return Target(group, name, of, times, Of(of.workload, of.figure, FLOOR), unit=unit, quick=quick)


def _before(group: str, name: str, of: Of, times: float) -> Target:
    """Beside the system before."""
    return Target(group, name, of, times, Of(of.workload, of.figure, BEFORE), unit="µs")


def _itself(group: str, name: str, ours: tuple[Of, Of], times: float, unit: str) -> Target:
    """Two of our own."""
    return Target(group, name, ours[0], times, ours[1], unit=unit)


def _at_least(group: str, name: str, row: str, *, quick: bool = False) -> Target:
    """Steps a second, beside those by hand."""
    ours, by_hand = Of(row, "steps/s"), Of(row, "by hand steps/s")
    return Target(group, name, ours, 0.7, by_hand, at_least=True, unit="", quick=quick)


def _resumed(name: str, row: str) -> Target:
    """Beside the same by hand, where both have built what Python builds once."""
    return Target(RESUMED, name, Of(row, "s resumed"), 2.5, Of(row, "s by hand"))


def _endless(kept: str) -> list[Target]:
    """A loop of very many steps costs and holds at its end what it does at its beginning."""
    group, row = "a loop of 100,000 steps", f"a loop of 100000 steps, kept {kept}"
    first, last = Of(row, "s a step, first tenth"), Of(row, "s a step, last tenth")
    return [
        Target(group, f"{kept}: last tenth beside first", last, 1.1, first, unit="µs", quick=False),
        Target(group, f"{kept}: objects more at its end", Of(row, "objects more"), plus=100, unit="", quick=False),
    ]


COMMITS = "steps a second of runs at once"
LOOP, DURABLE, FULL = "tool loop in memory", "durable tool loop, NORMAL", "durable tool loop, FULL"
DISK, RESUMED, CROWD = "on disk, 400 turns", "resumed after 400 turns", "runs in flight"
TEXT, STRUCTURED = "streamed text, 10,000 deltas", "streamed structured result"
HTTP, WALK = "HTTP, CPU of the client", "10,000 transitions of a graph"

TARGETS = [
    _by_hand("import of the agent class", "beside what it needs", Of("import", "cpu"), 1.3),
    Target("installation", "distributions", Of("size", "distributions"), plus=16, unit="", quick=False),
    Target("installation", "MB", Of("size", "bytes"), plus=25e6, unit="MB", quick=False),
    _before("one prompt, one answer", "in memory", Of("answer", "cpu"), 0.25),
    _before(LOOP, "a turn of 10", Of("loop-10", "cpu"), 0.4),
    _before(LOOP, "a turn of 400", Of("loop-400", "cpu"), 0.4),
    _itself(LOOP, "of 400 beside one of 100", (Of("loop-400", "cpu"), Of("loop-100", "cpu")), 1.1, "µs"),
    _by_hand(DURABLE, "a turn of 10", Of("durable-10", "wall"), 2.5, "µs"),
    _by_hand(DURABLE, "a turn of 400", Of("durable-400", "wall"), 2.5, "µs"),
    _itself(
        DURABLE, "a turn of 400 beside one of 10", (Of("durable-400", "wall"), Of("durable-10", "wall")), 1.1, "µs"
    ),
    _by_hand(FULL, "a turn of 10", Of("durable-10-full", "wall"), 1.5, "µs"),
    _by_hand(FULL, "a turn of 400", Of("durable-400-full", "wall"), 1.5, "µs"),
    Target(
        "one durable run, FULL",
        "a step beside a flush",
        Of("a step, SQLite FULL", "s a step"),
        times=1,
        of=Of("a step, SQLite FULL", "s a flush"),
        plus=0.3e-3,
    ),
    _at_least(COMMITS, "64 on SQLite, FULL", "64 durable runs at once, SQLite FULL", quick=True),
    _at_least(COMMITS, "1 on PostgreSQL", "1 durable runs at once, PostgreSQL"),
    _at_least(COMMITS, "8 on PostgreSQL", "8 durable runs at once, PostgreSQL"),
    _at_least(COMMITS, "64 on PostgreSQL", "64 durable runs at once, PostgreSQL"),
    Target(
        "a follower on PostgreSQL",
        "sees a step after",
        Of("following a run on PostgreSQL", "s until seen"),
        plus=1e-3,
        quick=False,
    ),
    _by_hand(DISK, "of 1 KB", Of("durable-400", "bytes"), 1.2, "MB"),
    _by_hand(DISK, "of 20 KB", Of("durable-400-20", "bytes"), 1.2, "MB"),
    _by_hand(RESUMED, "of 1 KB", Of("resume", "wall"), 2.5),
    _by_hand(RESUMED, "of 20 KB", Of("resume-20", "wall"), 2.5),
    _resumed("of 1 KB, not the first of its process", "resumed, 400 turns of 1000 B"),
    _resumed("of 20 KB, not the first of its process", "resumed, 400 turns of 20000 B"),
    _by_hand(CROWD, "1,000", Of("crowd-1000", "wall"), 3, "s"),
    _by_hand(CROWD, "10,000", Of("crowd-10000", "wall"), 3, "s", quick=False),
    Target(CROWD, "memory of each", Of("crowd-1000", "memory"), plus=12e3, unit="KB"),
    _before(TEXT, "deltas", Of("text", "cpu"), 0.6),
    _before(TEXT, "text so far", Of("text-cumulative", "cpu"), 0.3),
    _itself(STRUCTURED, "200 KB beside 50 KB", (Of("structured-200", "cpu"), Of("structured-50", "cpu")), 5, "ms"),
    Target(STRUCTURED, "200 KB", Of("structured-200", "cpu"), plus=0.5),
    _by_hand(HTTP, "a call", Of("plain", "cpu"), 1.3),
    _by_hand(HTTP, "a chunk", Of("streamed", "cpu"), 1.6, "µs"),
    _before(WALK, "nothing stored", Of("transitions", "cpu"), 0.5),
    _before(WALK, "every step in memory", Of("transitions-stored", "cpu"), 0.2),
    _by_hand("a fork of 1,000 branches, joined", "nothing stored", Of("fork", "cpu"), 10),
    *(each for kept in ("nowhere", "in memory", "in SQLite") for each in _endless(kept)),
]
"""In the order of the table."""
