"""The figures as a table in Markdown and as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from itertools import groupby

from .libraries import OURS
from .measuring import Cell

__all__ = ["figures", "tables"]


def tables(cells: Sequence[Cell]) -> str:
    """A table for each section: a row for each library, its figures and how often ours fits into them."""
    ours = _ours(cells)
    parts: list[str] = []
    for section, group in groupby(cells, key=lambda cell: cell.workload.section):
        members = list(group)
        heads = [*dict.fromkeys(cell.workload.shown for cell in members)]
        rows: dict[str, list[str]] = {}
        for cell in members:
            rows.setdefault(cell.library.shown, []).append(_text(cell, ours))
        lines = [["", *heads], ["---", *("---:" for _ in heads)], *([name, *row] for name, row in rows.items())]
        parts.append("\n".join([f"## {section}", "", *(f"| {' | '.join(line)} |" for line in lines)]))
    return "\n\n".join(parts)


def figures(cells: Sequence[Cell]) -> dict[str, object]:
    """What was measured, and on what."""
    ours = _ours(cells)
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "cells": [
            {
                "workload": cell.workload.name,
                "size": cell.workload.size,
                "library": cell.library.name,
                "requires": cell.library.requires,
                "seconds": cell.seconds,
                "rounds": cell.rounds,
                "ratio": _ratio(cell, ours),
                "none": cell.none,
            }
            for cell in cells
        ],
    }


def _ours(cells: Sequence[Cell]) -> dict[str, float]:
    """Seconds of our own library at each workload."""
    own = [cell for cell in cells if cell.library.name == OURS]
    return {cell.workload.name: cell.seconds for cell in own if cell.seconds is not None}


def _ratio(cell: Cell, ours: dict[str, float]) -> float | None:
    """How often ours fits into it."""
    own = ours.get(cell.workload.name)
    return None if own is None or cell.seconds is None else cell.seconds / own


def _text(cell: Cell, ours: dict[str, float]) -> str:
    if cell.seconds is None:
        return cell.none
    ratio = _ratio(cell, ours)
    figure = cell.workload.figure(cell.seconds)
    return figure if ratio is None or cell.library.name == OURS else f"{figure} ({ratio:.2g} ×)"
