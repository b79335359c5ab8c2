"""What is measured: each piece of work, how big it is and what must come out of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WORKLOADS", "Workload"]


@dataclass(frozen=True)
class Workload:
    """Work that every adapter does in its library's own way.

    Attributes:
        name: What adapters know it by.
        section: The table it stands in.
        shown: The head of its column.
        size: How much of it is done at once.
        result: What a library that did all of it returns.
        each: Of one piece of it, or of the whole?
    """

    name: str
    section: str
    shown: str
    size: int
    result: int
    each: bool = False

    def figure(self, seconds: float) -> str:
        """What so many seconds for the whole are called in the table."""
        return f"{seconds / self.size * 1e6:,.3g} µs" if self.each else f"{seconds * 1e3:,.3g} ms"


STEPS, BRANCHES = 10_000, 1_000
SQUARES = sum(number * number for number in range(BRANCHES))

WORKLOADS = [
    Workload("transitions", "Graphs", "transition, nothing stored", STEPS, STEPS, each=True),
    Workload("transitions-stored", "Graphs", "transition, every step in memory", STEPS, STEPS, each=True),
    Workload("fork", "Graphs", "fork of 1,000, nothing stored", BRANCHES, SQUARES),
    Workload("fork-stored", "Graphs", "fork of 1,000, every step in memory", BRANCHES, SQUARES),
]
"""In the order of the table."""
