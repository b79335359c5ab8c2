"""Runs every cell in a process of its own, round after round, and takes medians."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypedDict, final

from .libraries import Library
from .workloads import Workload

__all__ = ["Cell", "Failed", "measure"]

LONGEST = 600
"""Seconds that one process may take."""


class Failed(Exception):
    """A library did not do the work, or did other work."""


@dataclass(frozen=True)
class Cell:
    """What one library needed for one workload.

    Attributes:
        rounds: Seconds for the whole, the median of each process.
        none: Why there is nothing to measure; empty if there is.
    """

    workload: Workload
    library: Library
    rounds: tuple[float, ...] = ()
    none: str = ""

    @property
    def seconds(self) -> float | None:
        """The median of the rounds."""
        return statistics.median(self.rounds) if self.rounds else None


def measure(libraries: Sequence[Library], workloads: Sequence[Workload], rounds: int) -> list[Cell]:
    """Every library at every workload, by workload.

    Within a round the libraries take turns, every second round backwards, so that a slow minute of the machine meets
    all of them.

    Raises:
        Failed: One could not do its work, or returned another result than the workload's.
    """
    took: dict[tuple[Workload, Library], list[float]] = {}
    none: dict[tuple[Workload, Library], str] = {}
    for number in range(rounds):
        for pair in product(workloads, libraries if number % 2 == 0 else libraries[::-1]):
            if pair in none:
                continue
            said = _run(*pair)
            if isinstance(said, str):
                none[pair] = said
            else:
                took.setdefault(pair, []).append(said)
    pairs = product(workloads, libraries)
    return [Cell(*pair, rounds=tuple(took.get(pair, ())), none=none.get(pair, "")) for pair in pairs]


@final
class _Measured(TypedDict):
    """What an adapter says of work that it did."""

    seconds: list[float]
    result: int


@final
class _Absent(TypedDict):
    """What an adapter says of work that its library has no way to do."""

    none: str


def _run(workload: Workload, library: Library) -> float | str:
    """The median of what one process measured, or why it measured nothing."""
    command = [str(library.python), str(library.adapter), workload.name, str(workload.size)]
    # An environment finds its own packages, and nothing that this process was told of.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST, env=environment)
    if ran.returncode:
        raise Failed(f"{library.shown} failed at {workload.name!r}:\n{ran.stderr}")
    said: _Measured | _Absent = json.loads(ran.stdout.splitlines()[-1])
    if "none" in said:
        return said["none"]
    if said["result"] != workload.result:
        raise Failed(f"{library.shown} returned {said['result']} for {workload.name!r}, not {workload.result}")
    return statistics.median(said["seconds"])
