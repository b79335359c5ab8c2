"""Run every benchmark and print what it measured; `--json FILE` writes it too."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .branches import fork_and_join
from .crowds import durable_crowd, step_latency
from .durable import long_run
from .following import follow_latency
from .imports import import_cost
from .loops import long_loop
from .many import many_runs
from .plain import one_answer, tool_loop, transitions


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    rows = [
        import_cost(),
        one_answer(),
        tool_loop(10, 50),
        tool_loop(400, 3),
        transitions(),
        fork_and_join(),
        long_loop("nowhere"),
        long_loop("memory"),
        long_loop("SQLite"),
        many_runs(1_000),
        many_runs(10_000),
        long_run(400, 1_000, "FULL"),
        long_run(400, 1_000, "NORMAL"),
        long_run(400, 20_000, "NORMAL"),
        step_latency(),
        durable_crowd(1, "SQLite FULL"),
        durable_crowd(64, "SQLite FULL"),
        durable_crowd(64, "SQLite NORMAL"),
        durable_crowd(1, "PostgreSQL"),
        durable_crowd(8, "PostgreSQL"),
        durable_crowd(64, "PostgreSQL"),
        follow_latency("SQLite"),
        follow_latency("PostgreSQL"),
    ]
    for row in rows:
        figures = "  ".join(f"{name} {value:.3g}" for name, value in row.items() if isinstance(value, float | int))
        print(f"{row['workload']:<42} {figures}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
