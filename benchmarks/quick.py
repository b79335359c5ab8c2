"""agentgraph against its floors alone, in one process and under a minute: `make bench-quick`.

The work is that of the adapters in peers/, done by ours and by hand in turns; what counts is the better of both turns.
Where a target names another library, its figure is that of the last full run (figures.json), scaled by how fast this
machine is now: by what the work by hand takes now, against then. Such a ratio is marked with ~.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .figures import Measured, read
from .own import QUICK, Row, measured as rows_of
from .peers.adapters import cell
from .peers.libraries import FLOOR, OURS, Library, read_libraries
from .peers.measuring import Cell, imported
from .peers.workloads import WORKLOADS, Workload
from .targets import TARGETS, Of, Value, Verdict, judge, told

__all__ = ["Known", "lines"]

ENOUGH = 0.15
"""Seconds that each turn measures."""


@dataclass(frozen=True)
class Known:
    """Figures of this machine now, and published ones."""

    now: Mapping[tuple[str, str], Cell]
    published: Mapping[tuple[str, str], Cell]
    rows: Sequence[Row] = ()

    def value(self, of: Of) -> float | None:
        """A figure, or what is to be expected of a library that is not here."""
        found = self.now.get((of.workload, of.library))
        if found is not None:
            return found.value(of.figure)
        here = Measured((), self.rows).value(of)
        if here is not None or of.library == OURS:
            return here
        then = self.published.get((of.workload, of.library))
        value = None if then is None else then.value(of.figure)
        return None if value is None else value * self.slower

    @property
    def slower(self) -> float:
        """How often as long this machine takes as the published one: the median of the work by hand."""
        pairs = [(each, self.published.get(key)) for key, each in self.now.items() if key[1] == FLOOR]
        times = [(each.value("cpu"), then.value("cpu")) for each, then in pairs if then is not None]
        ratios = [now / then for now, then in times if now is not None and then is not None]
        return statistics.median(ratios) if ratios else 1


def measured(workload: Workload, library: Library) -> Cell:
    """What this process needs for it."""
    if workload.name == "import":
        return Cell(workload, library, imported(library))
    options = {"enough": ENOUGH, **workload.options}
    gc.collect()
    said = cell.measured(f"{library.adapter}.{workload.module}", workload.cell, workload.size, options)
    if "none" in said:
        return Cell(workload, library, none=said["none"])
    assert said["result"] == workload.result, f"{library.shown} did other work than {workload.name}"
    return Cell(workload, library, said["figures"])


def both(one: Cell, other: Cell) -> Cell:
    """The better of both turns."""
    rounds = {name: [min(*each, *other.rounds[name])] for name, each in one.rounds.items()}
    return replace(one, rounds=rounds)


def lines(verdicts: Sequence[Verdict], value: Value, guessed: str = "") -> list[str]:
    """The table: what is asked, what it is beside (the work by hand, mostly), ours, the ratio, the target, whether met.

    A ratio to another library has `guessed` before it.
    """
    heads = ("", "beside", "ours", "ratio", "target", "")
    rows = [heads, *(_row(each, value, guessed) for each in verdicts)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(heads))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _row(verdict: Verdict, value: Value, guessed: str) -> tuple[str, ...]:
    target = verdict.target
    by_hand = value(Of(target.ours.workload, target.ours.figure, FLOOR))
    beside = by_hand if target.of is None or target.of.library != OURS else verdict.by
    figures = [None if each is None else told(each, target.unit) for each in (beside, verdict.value)]
    mark = guessed if target.of is not None and target.of.library not in {OURS, FLOOR} else ""
    ratio = "" if verdict.ratio is None else f"{mark}{verdict.ratio:.2f}"
    return (f"{target.group}: {target.name}", *(each or "" for each in figures), ratio, target.asked, verdict.word)


def main() -> None:
    """Measure and print."""
    began = time.monotonic()
    sys.path.append(str(Path(cell.__file__).parent))
    sys.modules["cell"] = cell
    here = Path(sys.executable)
    pair = [replace(each, python=here) for each in read_libraries() if each.name in {OURS, FLOOR}]
    targets = [each for each in TARGETS if each.quick]
    asked = {of.workload for each in targets for of in (each.ours, each.of) if of is not None}
    now: dict[tuple[str, str], Cell] = {}
    for workload in (each for each in WORKLOADS if each.name in asked):
        print(f"\r{workload.name:<24}", end="", file=sys.stderr, flush=True)
        turns = [{library.name: measured(workload, library) for library in order} for order in (pair, pair[::-1])]
        now |= {(workload.name, name): both(turns[0][name], turns[1][name]) for name in turns[0]}
    known = Known(now, {(each.workload.name, each.library.name): each for each in read().cells}, rows_of(QUICK))
    print("\r" + "\n".join(lines(judge(known.value, targets), known.value, "~")))
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
