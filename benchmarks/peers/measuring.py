"""Runs every cell in a process of its own, round after round, and takes medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from .adapters.cell import Absent, Done, Figures
from .libraries import OURS, REPOSITORY, Library
from .workloads import Workload

__all__ = ["Cell", "imported", "measure"]

CELL = REPOSITORY / "benchmarks" / "peers" / "adapters" / "cell.py"

BUDGET = 4
"""Seconds: a library that took more for a workload does not do it again in the next round."""

IMPORTS = 3
"""Imports of a round."""


class Failed(Exception):
    """A library did not do the work, or did other work."""


@dataclass(frozen=True)
class Cell:
    """What one library needed for one workload.

    Attributes:
        rounds: Of each figure, the median of each process.
        none: Why there is nothing to measure; empty if there is.
    """

    workload: Workload
    library: Library
    rounds: Mapping[str, Sequence[float]] = field(default_factory=dict[str, list[float]])
    none: str = ""

    def value(self, figure: str) -> float | None:
        """The median of the rounds, of one piece if the workload is told by piece."""
        rounds = self.rounds.get(figure)
        return self.workload.per(figure, statistics.median(rounds)) if rounds else None


def measure(libraries: Sequence[Library], workloads: Sequence[Workload], rounds: int) -> list[Cell]:
    """Every library at every workload, by workload.

    Within a round the libraries take turns, every second round backwards, so that a slow minute of the machine meets
    all of them. One that fails, or returns another result than the workload's, has a cell that says so.
    """
    cells = {pair: Cell(*pair) for pair in product(workloads, libraries)}
    spent = dict.fromkeys(cells, 0.0)
    for number in range(rounds):
        for pair in product(workloads, libraries if number % 2 == 0 else libraries[::-1]):
            if cells[pair].none or spent[pair] > BUDGET:
                continue
            began = time.monotonic()
            cells[pair] = _after(cells[pair], list(cells.values()))
            spent[pair] += time.monotonic() - began
            _say(number, cells[pair], spent[pair])
    return list(cells.values())


def _after(cell: Cell, others: Sequence[Cell]) -> Cell:
    """The cell after one more process."""
    try:
        figures = _why_not(cell, others) or _run(cell.workload, cell.library)
    except Failed as error:
        figures = str(error)
    if isinstance(figures, str):
        return Cell(cell.workload, cell.library, none=figures)
    rounds = {name: [*cell.rounds.get(name, ()), statistics.median(each)] for name, each in figures.items()}
    return Cell(cell.workload, cell.library, rounds)


def _why_not(cell: Cell, others: Sequence[Cell]) -> str:
    """Why the work is not even begun."""
    workload, library = cell.workload, cell.library
    if workload.only and library.name not in workload.only:
        return "not measured"
    if workload.module in library.none:
        return library.none[workload.module]
    if workload.after is not None:
        name, most, otherwise = workload.after
        smaller = next(each for each in others if each.library == library and each.workload.name == name)
        took = smaller.rounds.get("wall", ())
        if not took or statistics.median(took) > most:
            return smaller.none or otherwise
    return ""


def _run(workload: Workload, library: Library) -> Figures | str:
    """What one process measured, or why it measured nothing."""
    match workload.module, workload.cell:
        case "driver", "import":
            return imported(library)
        case "driver", _:
            return _installed(library)
        case module, cell:
            arguments = [f"{library.adapter}.{module}", cell, str(workload.size), json.dumps(dict(workload.options))]
    printed = _python(library, [str(CELL), *arguments], workload)
    said: Done | Absent = json.loads(printed.splitlines()[-1])
    if "none" in said:
        return said["none"]
    if said["result"] != workload.result:
        raise Failed(f"failed: returned {said['result']}, not {workload.result}")
    return said["figures"]


def _python(library: Library, arguments: Sequence[str], workload: Workload) -> str:
    """What the library's Python prints."""
    # An environment finds its own packages, and nothing that this process was told of; ours is what stands here. With
    # bytecode, as after any installation: some machines are told not to write it.
    hidden = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    if library.name == OURS:
        environment["PYTHONPATH"] = str(REPOSITORY)
    command = [str(library.python), *arguments]
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=workload.longest, env=environment
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"not in {workload.longest:g} s") from None
    if ran.returncode:
        sys.stderr.write(ran.stderr)
        raise Failed(f"failed: {(ran.stderr.strip().splitlines() or ['no word'])[-1]}")
    return ran.stdout


def imported(library: Library) -> Figures:
    """CPU of fresh interpreters that import the library, net of the bare one before."""
    took = [_cpu(library, library.imports) - _cpu(library, "pass") for _ in range(IMPORTS)]
    return {"cpu": took}


def _cpu(library: Library, code: str) -> float:
    timed = f"import time\n{code}\nprint(time.process_time())"
    return float(_python(library, ["-c", timed], Workload("import", "driver", "import", 1, 1)))


def _installed(library: Library) -> Figures | str:
    """What was counted when the environment was made."""
    if not library.minimal:
        return "nothing of its own"
    if not library.sizes.exists():
        return "not counted"
    sizes: dict[str, float] = json.loads(library.sizes.read_text(encoding="utf-8"))
    return {name: [value] for name, value in sizes.items()}


def _say(number: int, cell: Cell, spent: float) -> None:
    """Tell who waits how far it is."""
    words = (
        cell.none.splitlines()[0] if cell.none else " ".join(f"{name} {cell.value(name):.4g}" for name in cell.rounds)
    )
    print(
        f"round {number + 1}: {cell.workload.name:<18} {cell.library.shown:<26} {spent:5.1f} s  {words}",
        file=sys.stderr,
    )
