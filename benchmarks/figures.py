"""The figures of a run of everything, in a file: what was measured, on what, and how any of them is found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .own import Row
from .peers.libraries import OURS
from .peers.measuring import Cell
from .peers.report import Figures, figures, read_cells
from .targets import Of

__all__ = ["PUBLISHED", "Measured", "read", "write"]

PUBLISHED = Path(__file__).with_name("figures.json")
"""What docs/performance.md shows."""


@dataclass(frozen=True)
class Measured:
    """All that a run found out.

    Attributes:
        cells: Libraries at workloads.
        rows: What is measured of ours alone.
        python: The version that ran.
        cores: Of the machine.
    """

    cells: Sequence[Cell]
    rows: Sequence[Row] = ()
    python: str = ""
    cores: int | None = None

    def value(self, of: Of) -> float | None:
        """A figure of a cell or of a row."""
        for cell in self.cells:
            if (cell.workload.name, cell.library.name) == (of.workload, of.library):
                return cell.value(of.figure)
        for row in self.rows if of.library == OURS else ():
            value = row.get(of.figure) if row["workload"] == of.workload else None
            if isinstance(value, float | int):
                return value
        return None


def write(path: Path, cells: Sequence[Cell], rows: Sequence[Row]) -> None:
    """Write a file of a line for each cell and row."""
    said = figures(cells)
    head = {name: value for name, value in said.items() if name != "cells"}
    lists = {"cells": said["cells"], "rows": rows}
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    for name, members in lists.items():
        each = ",\n".join(f"  {json.dumps(member, ensure_ascii=False)}" for member in members)
        parts.append(f"{json.dumps(name)}: [\n{each}\n]")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


class _Written(Figures):
    rows: Sequence[Row]


def read(path: Path = PUBLISHED) -> Measured:
    """Read such a file; of one that is not there, nothing."""
    if not path.exists():
        return Measured(())
    written: _Written = json.loads(path.read_text(encoding="utf-8"))
    return Measured(read_cells(written), written["rows"], written["python"], written["cores"])
