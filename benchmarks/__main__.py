"""Measure everything: ours, the work by hand, and each library that `make bench-peers` has installed.

Without --json it prints; with it, it writes the figures too, and with --publish the pages and plots that show them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from . import figures, own, publish
from .peers.libraries import FLOOR, OURS, Library, read_libraries
from .peers.measuring import measure
from .peers.report import tables
from .peers.workloads import WORKLOADS
from .quick import lines
from .targets import TARGETS, judge

__all__ = ["there"]


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="processes for each cell (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--publish", action="store_true", help=f"write {figures.PUBLISHED.name}, pages and plots")
    arguments = parser.parse_args()
    cells = measure(there(read_libraries()), WORKLOADS, arguments.rounds)
    rows = own.measured(own.ROWS)
    print(tables(cells), *map(own.text, rows), sep="\n")
    measured = figures.Measured(cells, rows)
    print("\n".join(lines(judge(measured.value, TARGETS), measured.value)))
    path = figures.PUBLISHED if arguments.publish else arguments.json
    if path is not None:
        figures.write(path, cells, rows)
    if arguments.publish:
        publish.main()


def there(libraries: Sequence[Library]) -> list[Library]:
    """Those that have an environment; ours and the work by hand run in this one if they have none."""
    here = Path(sys.executable)
    found = [
        replace(each, python=here) if each.name in {OURS, FLOOR} and not each.python.exists() else each
        for each in libraries
    ]
    return [each for each in found if each.python.exists()]


if __name__ == "__main__":
    main()
