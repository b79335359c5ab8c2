"""Which processes it takes to crash a scenario everywhere, and what is made of how they end: no store, no process here.

The plan is a generator: it yields a `Process` to be run, is sent the `Life` that it had, and returns the report.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from .calls import MadeCall, repeated
from .report import CommitPoint, Crash, CrashReport, Ending

__all__ = ["Died", "Life", "Lived", "Note", "Plan", "Process", "plan"]


@dataclass(frozen=True)
class Process:
    """A process to be run."""

    place: int
    """Where it keeps its run."""
    dies_at: CommitPoint | None = None
    """None: it lives."""
    first: bool = True
    """Whether nobody was there before."""


@dataclass(frozen=True)
class Died:
    """The process has come to its death."""

    write: str
    """What it was about to write, or had just written."""


@dataclass(frozen=True)
class Lived:
    """The scenario has come to its end."""

    ending: Ending
    raised: str | None = None
    """What it raised."""


Note: TypeAlias = MadeCall | Died | Lived
"""What a process tells."""


@dataclass(frozen=True)
class Life:
    """All that a process has told."""

    calls: Sequence[MadeCall]
    end: Died | Lived

    @classmethod
    def told(cls, notes: Sequence[Note]) -> Life:
        """Out of its notes: the calls, then the end."""
        (end,) = [note for note in notes if not isinstance(note, MadeCall)]
        return cls([note for note in notes if isinstance(note, MadeCall)], end)


Plan = Generator[Process, Life, CrashReport]


def plan() -> Plan:
    """Run unkilled, then die at each commit point in turn, until a process ends before it dies."""
    unkilled = yield Process(0)
    crashes: list[Crash] = []
    while True:
        place = len(crashes) + 1
        point = _point(place)
        killed = yield Process(place, point)
        if isinstance(killed.end, Lived):
            expected = _lived(unkilled).ending
            repeatable = killed.end.ending == expected
            return CrashReport(unkilled=expected, crashes=tuple(crashes), repeatable=repeatable)
        resumed = yield Process(place, first=False)
        crashes.append(_crash(replace(point, write=killed.end.write), killed, resumed, unkilled))


def _point(place: int) -> CommitPoint:
    """Before the first write, after it, before the second, and so on."""
    write, after = divmod(place - 1, 2)
    return CommitPoint(write + 1, "after" if after else "before")


def _crash(point: CommitPoint, killed: Life, resumed: Life, unkilled: Life) -> Crash:
    expected, found = _lived(unkilled).ending, _lived(resumed)
    ending = found.ending
    return Crash(
        point=point,
        ending=ending,
        raised=found.raised,
        same_history=ending.history == expected.history,
        same_usage=ending.usage == expected.usage,
        same_result=(ending.status, ending.result, ending.error) == (expected.status, expected.result, expected.error),
        repeated=repeated([*killed.calls, *resumed.calls], unkilled.calls),
    )


def _lived(life: Life) -> Lived:
    assert isinstance(life.end, Lived)  # it was not to die
    return life.end
