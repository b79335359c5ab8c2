"""Write what was measured into docs/performance.md, README.md and docs/plots: `python -m benchmarks.publish`.

Nothing there is typed: a page has a pair of comments for each table, and what is between them is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from .figures import Measured, read
from .peers.libraries import FLOOR, OURS, REPOSITORY
from .peers.measuring import Cell
from .peers.report import table, times
from .peers.workloads import COLUMNS, Column
from .plots import Bar, Line, bars, lines
from .targets import TARGETS, Verdict, judge, told

__all__ = ["PAGES", "filled", "pages", "plots"]

PAGES = (REPOSITORY / "README.md", REPOSITORY / "docs" / "performance.md")
PLOTS = REPOSITORY / "docs" / "plots"
BETWEEN = re.compile(r"(<!-- measured: ([\w -]+) -->\n).*?(<!-- end -->)", re.DOTALL)

SUMMARY = ("import", "answer", "durable-400", "resume", "crowd-1000")
"""What README shows: a column of each, and what they leave on disk."""

TURNS = (10, 100, 400)


def pages(measured: Measured) -> dict[Path, str]:
    """The pages with these figures."""
    return {path: filled(path.read_text(encoding="utf-8"), measured) for path in PAGES}


def filled(page: str, measured: Measured) -> str:
    """A page with these figures.

    Raises:
        KeyError: It asks for something that is not measured.
    """
    parts = _parts()
    return BETWEEN.sub(lambda found: f"{found[1]}\n{parts[found[2]](measured)}\n\n{found[3]}", page)


def plots(measured: Measured) -> dict[Path, str]:
    """The plots of these figures."""
    return {
        PLOTS / "turns.svg": _turns(measured.cells, "durable", "wall", "A turn of a durable run, by turns in the run"),
        PLOTS / "turns-in-memory.svg": _turns(measured.cells, "loop", "cpu", "A turn in memory, by turns in the run"),
        PLOTS / "answer.svg": _bars(measured.cells, "answer", "One prompt, one answer: what the library adds"),
        PLOTS / "crowd.svg": _bars(measured.cells, "crowd-1000", "1,000 runs at once, each of them waiting 0.2 s"),
    }


def _parts() -> dict[str, Callable[[Measured], str]]:
    """What a page may ask for, by name."""
    sections = {name: list(group) for name, group in groupby(COLUMNS, key=lambda column: column.section)}
    parts = {name: _table(columns) for name, columns in sections.items()}
    return parts | {"summary": _table(_summary()), "targets": _targets, "machine": _machine}


def _summary() -> list[Column]:
    return [column for column in COLUMNS if column.workload in SUMMARY and column.figure != "memory"]


def _table(columns: Sequence[Column]) -> Callable[[Measured], str]:
    return lambda measured: table(measured.cells, columns)


def _machine(measured: Measured) -> str:
    rounds = max((len(each) for cell in measured.cells for each in cell.rounds.values()), default=0)
    return f"CPython {measured.python}, asyncio, {measured.cores} cores, {rounds} round{'s' if rounds > 1 else ''}."


def _targets(measured: Measured) -> str:
    lines = [
        ["", "", "ours", "compared with", "ratio", "target", ""],
        ["---", "---", "---:", "---:", "---:", "---", "---"],
    ]
    for group, verdicts in groupby(judge(measured.value, TARGETS), key=lambda verdict: verdict.target.group):
        lines += [_verdict(verdict, group if at == 0 else "") for at, verdict in enumerate(verdicts)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _verdict(verdict: Verdict, group: str) -> list[str]:
    target = verdict.target
    value, by = (None if each is None else told(each, target.unit) for each in (verdict.value, verdict.by))
    ratio = "" if verdict.ratio is None else times(verdict.ratio)
    return [group, target.name, value or "", by or "", ratio, target.asked, verdict.word]


def _turns(cells: Sequence[Cell], work: str, figure: str, title: str) -> str:
    found = {(cell.workload.name, cell.library): cell.value(figure) for cell in cells}
    series: list[Line] = []
    for library in dict.fromkeys(cell.library for cell in cells):
        values = [(turns, found.get((f"{work}-{turns}", library))) for turns in TURNS]
        points = [(float(turns), value * 1e6) for turns, value in values if value is not None]
        if points:
            series.append(Line(f"{library.shown}: {points[-1][1]:,.0f} µs", points, _kind(library.name)))
    return lines(title, ("turns in the run", "µs a turn"), series)


def _bars(cells: Sequence[Cell], workload: str, title: str) -> str:
    column = next(column for column in COLUMNS if column.workload == workload)
    scale = {"s": 1.0, "µs": 1e6}[column.unit]
    found = [(cell, cell.value(column.figure)) for cell in cells if cell.workload.name == workload]
    rows = [
        Bar(cell.library.shown, value * scale, column.text(value), _kind(cell.library.name))
        for cell, value in found
        if value is not None
    ]
    return bars(title, column.unit, sorted(rows, key=lambda bar: bar.value))


def _kind(library: str) -> str:
    return {OURS: "ours", FLOOR: "floor"}.get(library, "other")


def main() -> None:
    """Write pages and plots."""
    measured = read()
    for path, text in (pages(measured) | plots(measured)).items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(REPOSITORY))


if __name__ == "__main__":
    main()
