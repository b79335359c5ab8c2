"""The figures as tables in Markdown and as JSON, and read from JSON again."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TypedDict

from .libraries import OURS, Library, read_libraries
from .measuring import Cell
from .workloads import COLUMNS, WORKLOADS, Column

__all__ = ["Figures", "WrittenCell", "figures", "read_cells", "table", "tables", "times"]


class WrittenCell(TypedDict):
    """A cell in JSON: medians of whole pieces of work, in seconds and bytes, and what they are the medians of."""

    workload: str
    size: int
    library: str
    requires: Sequence[str]
    rounds: Mapping[str, Sequence[float]]
    none: str


class Figures(TypedDict):
    """What was measured, and on what."""

    python: str
    machine: str
    cores: int | None
    cells: list[WrittenCell]


def figures(cells: Sequence[Cell]) -> Figures:
    """What was measured, and on what."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "cells": [
            {
                "workload": cell.workload.name,
                "size": cell.workload.size,
                "library": cell.library.name,
                "requires": [*cell.library.minimal, *cell.library.requires],
                "rounds": cell.rounds,
                "none": cell.none,
            }
            for cell in cells
        ],
    }


def read_cells(written: Figures) -> list[Cell]:
    """The cells of libraries and workloads that there still are."""
    libraries = {library.name: library for library in read_libraries()}
    workloads = {workload.name: workload for workload in WORKLOADS}
    return [
        Cell(workloads[each["workload"]], libraries[each["library"]], each["rounds"], each["none"])
        for each in written["cells"]
        if each["workload"] in workloads and each["library"] in libraries
    ]


def tables(cells: Sequence[Cell], columns: Sequence[Column] = COLUMNS) -> str:
    """A table for each section of which something was measured."""
    measured = {cell.workload.name for cell in cells if cell.rounds}
    sections = groupby([each for each in columns if each.workload in measured], key=lambda column: column.section)
    return "\n\n".join(f"## {section}\n\n{table(cells, list(group))}" for section, group in sections)


def table(cells: Sequence[Cell], columns: Sequence[Column]) -> str:
    """A row for each library that has a figure, and how often ours fits into each."""
    found = {(cell.workload.name, cell.library): cell for cell in cells}
    libraries = list(dict.fromkeys(cell.library for cell in cells))
    ours = next((each for each in libraries if each.name == OURS), None)
    heads = [column for column in columns if any(workload == column.workload for workload, _ in found)]
    lines = [["", *(column.shown for column in heads)], ["---", *("---:" for _ in heads)]]
    for library in libraries:
        row = [found.get((column.workload, library)) for column in heads]
        if any(cell is not None and cell.rounds for cell in row):
            own = [None if ours is None else found.get((column.workload, ours)) for column in heads]
            lines.append([library.shown, *map(_text, heads, row, own)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(column: Column, cell: Cell | None, own: Cell | None) -> str:
    value = None if cell is None else cell.value(column.figure)
    if cell is None or value is None:
        return cell.none.split(":", maxsplit=1)[0] if cell is not None else ""
    ours = None if own is None or _is_ours(cell.library) else own.value(column.figure)
    figure = column.text(value)
    return figure if ours is None else f"{figure} ({times(value / ours)})"


def times(ratio: float) -> str:
    """A ratio in words."""
    return f"{ratio:.0f} ×" if ratio >= 100 else f"{ratio:.2g} ×"


def _is_ours(library: Library) -> bool:
    return library.name == OURS
