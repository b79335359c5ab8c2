"""The order in each layer, so that few links cross: weighted medians up and down, then exchanges of neighbours.

After Gansner, Koutsofios, North and Vo (1993), "A technique for drawing directed graphs", section 3.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from .mesh import Mesh

__all__ = ["crossings", "ordered"]

SWEEPS = 32
PATIENCE = 8
"""Sweeps without any gain before it is left at that."""
LARGE = 600
"""Cells above which neighbours are not exchanged one by one: it would take seconds."""


def ordered(mesh: Mesh) -> None:
    """Put the cells of each layer in order."""
    best, fewest = [[*layer] for layer in mesh.layers], crossings(mesh)
    sweep = idle = 0
    while fewest and sweep < SWEEPS and idle < PATIENCE:
        downwards = sweep % 2 == 0
        numbers = range(1, len(mesh.layers)) if downwards else range(len(mesh.layers) - 2, -1, -1)
        for number in numbers:
            linked = mesh.above if downwards else mesh.below
            mesh.settle(_by_median(mesh, number, linked, turned=sweep % 4 > 1), number)
        if len(mesh.cells) <= LARGE:
            _exchange(mesh, turned=sweep % 4 > 1)
        found, sweep, idle = crossings(mesh), sweep + 1, idle + 1
        if found < fewest:
            best, fewest, idle = [[*layer] for layer in mesh.layers], found, 0
    for number, order in enumerate(best):
        mesh.settle(order, number)


def crossings(mesh: Mesh) -> int:
    """How often links cross."""
    return sum(_between(mesh, layer) for layer in mesh.layers)


def _between(mesh: Mesh, upper: Sequence[int]) -> int:
    """The crossings below a layer: pairs of links whose ends stand in opposite orders."""
    passed: list[int] = []
    found = 0
    for cell in upper:
        ends = sorted(mesh.cells[each].position for each in mesh.below[cell])
        found += sum(len(passed) - bisect_right(passed, end) for end in ends)
        for end in ends:
            insort(passed, end)
    return found


def _by_median(mesh: Mesh, number: int, linked: Sequence[Sequence[int]], *, turned: bool) -> list[int]:
    """A layer sorted by the medians of what is linked to its cells; cells without links keep their places.

    Those with equal medians keep their order, or are turned around, which leads out of many a dead end.
    """
    layer = mesh.layers[number]
    medians = {
        cell: _median(sorted(mesh.cells[each].position for each in linked[cell])) for cell in layer if linked[cell]
    }
    sign = -1 if turned else 1
    movable = iter(sorted(medians, key=lambda cell: (medians[cell], sign * mesh.cells[cell].position)))
    return [next(movable) if cell in medians else cell for cell in layer]


def _median(positions: Sequence[int]) -> float:
    middle = len(positions) // 2
    if len(positions) % 2:
        return positions[middle]
    left, right = positions[middle - 1] - positions[0], positions[-1] - positions[middle]
    if left + right == 0:
        return (positions[middle - 1] + positions[middle]) / 2
    return (positions[middle - 1] * right + positions[middle] * left) / (left + right)


def _exchange(mesh: Mesh, *, turned: bool) -> None:
    """Exchange neighbours where that leaves fewer crossings; `turned`: or as many."""
    for number, layer in enumerate(mesh.layers):
        order = [*layer]
        for place in range(len(order) - 1):
            one, other = order[place], order[place + 1]
            gain = _if_ordered(mesh, one, other) - _if_ordered(mesh, other, one)
            if gain > 0 or (turned and gain == 0):
                order[place], order[place + 1] = other, one
        mesh.settle(order, number)


def _if_ordered(mesh: Mesh, left: int, right: int) -> int:
    """The crossings of the links of two neighbours that stand in this order."""
    found = 0
    for linked in (mesh.above, mesh.below):
        places = sorted(mesh.cells[each].position for each in linked[right])
        found += sum(bisect_left(places, mesh.cells[each].position) for each in linked[left])
    return found
