"""What is measured: each piece of work, how big it is and what must come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .adapters import work
from .adapters.cell import CROWD
from .libraries import FLOOR, OURS

__all__ = ["COLUMNS", "WORKLOADS", "Column", "Workload"]


@dataclass(frozen=True)
class Workload:
    """Work that every adapter does in its library's own way.

    Attributes:
        name: What it is known by.
        module: The module of the adapter that does it; `driver` for what needs no adapter.
        cell: What that module calls it.
        size: How much of it is done at once.
        result: What a library that did all of it returns.
        each: Is a figure of time that of one piece of it, or of the whole?
        options: What else the adapter is told.
        only: The libraries that do it; all if empty.
        longest: Seconds that a process may take for it.
        after: A workload, the seconds within which a library must do that to be given this one, and what is said
            of one that does not.
    """

    name: str
    module: str
    cell: str
    size: int
    result: int
    each: bool = False
    options: Mapping[str, str | int | float] = field(default_factory=dict[str, str | int | float], hash=False)
    only: tuple[str, ...] = ()
    longest: float = 120
    after: tuple[str, float, str] | None = None

    def per(self, figure: str, value: float) -> float:
        """A figure of the whole as one of what is spoken of."""
        if figure == "memory":
            return value / (self.size // CROWD)
        return value / self.size if self.each and figure in {"wall", "cpu"} else value


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        section: The table.
        shown: Its head.
        workload: What it is about.
        figure: Which of its figures: `cpu` where nothing is waited for, since it is the steadier.
        unit: What it is given in: s, ms, µs, MB, KB, or empty for a number.
    """

    section: str
    shown: str
    workload: str
    figure: str
    unit: str

    def text(self, value: float) -> str:
        """A value as it stands in the table."""
        scale = {"": 1.0, "s": 1.0, "ms": 1e3, "µs": 1e6, "KB": 1e-3, "MB": 1e-6}[self.unit]
        digits = f"{value * scale:,.3g}" if value * scale < 1000 else f"{value * scale:,.0f}"
        return f"{digits} {self.unit}".rstrip()


STEPS, BRANCHES = 10_000, 1_000
SQUARES = sum(number * number for number in range(BRANCHES))
BOTH = (OURS, FLOOR)


def _messages(turns: int) -> int:
    """How many messages a run of so many turns ends with."""
    return 2 * turns + 2


def _turns(cell: str, turns: int, name: str = "", **more: str | int) -> Workload:
    """A run of so many turns; with more options, of ours and by hand alone."""
    only = BOTH if more else ()
    return Workload(
        name or f"{cell}-{turns}", "runs", cell, turns, _messages(turns), each=True, options=more, only=only, longest=60
    )


WORKLOADS = [
    Workload("size", "driver", "size", 1, 1),
    Workload("import", "driver", "import", 1, 1),
    Workload("answer", "runs", "answer", 1, len(work.ANSWER)),
    _turns("loop", 10),
    _turns("loop", 100),
    _turns("loop", 400),
    _turns("durable", 10),
    _turns("durable", 100),
    _turns("durable", 400),
    _turns("durable", 10, "durable-10-full", synchronous="FULL"),
    _turns("durable", 400, "durable-400-full", synchronous="FULL"),
    _turns("durable", 400, "durable-400-20", text=20_000),
    Workload("resume", "runs", "resume", 400, 1, longest=60),
    Workload("resume-20", "runs", "resume", 400, 1, options={"text": 20_000}, only=BOTH),
    Workload("crowd-1000", "runs", "crowd", 1_000, 1_000 * len(work.ANSWER)),
    Workload(
        "crowd-10000",
        "runs",
        "crowd",
        10_000,
        10_000 * len(work.ANSWER),
        options={"memory": 0},
        longest=60,
        after=("crowd-1000", 6, "not in 60 s"),
    ),
    Workload("text", "streams", "text", 10_000, 10_000, each=True),
    Workload("text-cumulative", "streams", "text-cumulative", 10_000, 10_000, each=True),
    Workload("structured-50", "streams", "structured", 50_000, work.items(50_000)),
    Workload(
        "structured-200",
        "streams",
        "structured",
        200_000,
        work.items(200_000),
        longest=60,
        after=("structured-50", 2, "not tried"),
    ),
    Workload("plain", "chat", "plain", 50, 50, each=True),
    Workload("streamed", "chat", "streamed", 1_000, 1_000, each=True),
    Workload("transitions", "graphs", "transitions", STEPS, STEPS, each=True),
    Workload("transitions-stored", "graphs", "transitions-stored", STEPS, STEPS, each=True),
    Workload("fork", "graphs", "fork", BRANCHES, SQUARES),
    Workload("fork-stored", "graphs", "fork-stored", BRANCHES, SQUARES),
]
"""In the order in which they are done."""

COLUMNS = [
    Column("Installing and importing", "import", "import", "cpu", "ms"),
    Column("Installing and importing", "distributions", "size", "distributions", ""),
    Column("Installing and importing", "installed", "size", "bytes", "MB"),
    Column("A run in memory", "one answer", "answer", "cpu", "µs"),
    Column("A run in memory", "a turn, of 10", "loop-10", "cpu", "µs"),
    Column("A run in memory", "a turn, of 100", "loop-100", "cpu", "µs"),
    Column("A run in memory", "a turn, of 400", "loop-400", "cpu", "µs"),
    Column("A durable run", "a turn, of 10", "durable-10", "wall", "µs"),
    Column("A durable run", "a turn, of 100", "durable-100", "wall", "µs"),
    Column("A durable run", "a turn, of 400", "durable-400", "wall", "µs"),
    Column("A durable run", "on disk, 400 turns", "durable-400", "bytes", "MB"),
    Column("A durable run", "resumed, 400 turns", "resume", "wall", "ms"),
    Column("Many runs at once", "1,000 runs", "crowd-1000", "wall", "s"),
    Column("Many runs at once", "memory of each", "crowd-1000", "memory", "KB"),
    Column("Many runs at once", "10,000 runs", "crowd-10000", "wall", "s"),
    Column("Streams", "a delta", "text", "cpu", "µs"),
    Column("Streams", "a delta, text so far", "text-cumulative", "cpu", "µs"),
    Column("Streams", "structured, 50 KB", "structured-50", "cpu", "ms"),
    Column("Streams", "structured, 200 KB", "structured-200", "cpu", "ms"),
    Column("HTTP", "a call", "plain", "cpu", "ms"),
    Column("HTTP", "a chunk", "streamed", "cpu", "µs"),
    Column("Graphs", "transition, nothing stored", "transitions", "cpu", "µs"),
    Column("Graphs", "transition, every step in memory", "transitions-stored", "cpu", "µs"),
    Column("Graphs", "fork of 1,000, nothing stored", "fork", "cpu", "ms"),
    Column("Graphs", "fork of 1,000, every step in memory", "fork-stored", "cpu", "ms"),
]
"""In the order of the tables."""
