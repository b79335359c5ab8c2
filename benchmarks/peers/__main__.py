"""Measure all libraries side by side and print tables; `make bench-peers` makes their environments first."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.size import installed

from .libraries import OURS, Library, install, read_libraries
from .measuring import measure
from .report import figures, tables
from .workloads import WORKLOADS


def main() -> None:
    """Measure, print, and write if asked to; or install."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each cell (default: %(default)s)")
    parser.add_argument("--library", action="append", help="only these, by their names in peers.toml")
    parser.add_argument("--workload", action="append", help="only these, by their names in workloads.py")
    parser.add_argument("--install", action="store_true", help="make the environments and measure nothing")
    arguments = parser.parse_args()
    libraries = [each for each in read_libraries() if each.name in (arguments.library or [each.name])]
    workloads = [each for each in WORKLOADS if each.name in (arguments.workload or [each.name])]
    if arguments.install:
        for library in libraries:
            _install(library)
        return
    if missing := [each.shown for each in libraries if not each.python.exists()]:
        parser.error(f"no environment for {', '.join(missing)}; `make bench-peers` makes it")
    cells = measure(libraries, workloads, arguments.rounds)
    print(tables(cells))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures(cells), indent=2) + "\n", encoding="utf-8")


def _install(library: Library) -> None:
    """Make the environment, and count what a minimal one has if that is not known or may have changed."""
    print(f"installing {library.shown} into {library.python.parent.parent.name}", file=sys.stderr)
    install(library)
    if library.minimal and (library.name == OURS or not library.sizes.exists()):
        library.sizes.write_text(json.dumps(installed(library.minimal)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
