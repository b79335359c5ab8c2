"""Where cells stand in their layers, so that most links run straight.

Brandes and Köpf (2001), "Fast and simple horizontal coordinate assignment": four times, cells are aligned with the
median of those they are linked to, upwards or downwards, leaning left or right; each column is put as close to its
neighbour as it may be, and the four places of a cell are balanced. Columns are placed by longest paths instead of the
paper's classes, whose shifts were found wrong (https://arxiv.org/abs/2008.01252).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .mesh import Mesh

__all__ = ["placed"]

GAP = 22.0
"""Between neighbours in a layer."""


def placed(mesh: Mesh) -> list[float]:
    """The middle of each cell, in the order of `mesh.cells`."""
    if not mesh.cells:
        return []
    conflicts = _conflicts(mesh)
    found = [
        _Pass(mesh, conflicts, upwards, leftwards).places() for upwards in (True, False) for leftwards in (True, False)
    ]
    widths = [_span(mesh, places) for places in found]
    low, high = min(widths, key=lambda span: span[1] - span[0])
    for number, places in enumerate(found):
        span = widths[number]
        shift = low - span[0] if number % 2 == 0 else high - span[1]  # those that lean left, by their left sides
        found[number] = [place + shift for place in places]
    return [sum(sorted(places)[1:3]) / 2 for places in zip(*found, strict=True)]


def _span(mesh: Mesh, places: Sequence[float]) -> tuple[float, float]:
    rooms = [*zip(mesh.cells, places, strict=True)]
    return min(place - cell.left for cell, place in rooms), max(place + cell.right for cell, place in rooms)


def _conflicts(mesh: Mesh) -> set[tuple[int, int]]:
    """Links of a shape that cross a long link on its way: the long one stays straight."""
    found = set[tuple[int, int]]()
    for lower in mesh.layers[1:]:
        links = [(above, cell) for cell in lower for above in mesh.above[cell]]
        inner = [link for link in links if _is_inner(mesh, link)]
        outer = [link for link in links if not _is_inner(mesh, link)]
        found.update(link for link in outer if any(_cross(mesh, link, each) for each in inner))
    return found


def _is_inner(mesh: Mesh, link: tuple[int, int]) -> bool:
    return all(mesh.cells[cell].link is not None for cell in link)


def _cross(mesh: Mesh, one: tuple[int, int], other: tuple[int, int]) -> bool:
    above, below = (mesh.cells[one[end]].position - mesh.cells[other[end]].position for end in (0, 1))
    return above * below < 0


@dataclass
class _Pass:
    """One of the four."""

    mesh: Mesh
    conflicts: set[tuple[int, int]]
    upwards: bool
    """Whether cells are aligned with those above them."""
    leftwards: bool

    def places(self) -> list[float]:
        layers = [layer if self.leftwards else layer[::-1] for layer in self.mesh.layers]
        roots = self._columns(layers if self.upwards else layers[::-1])
        places = self._compacted(layers, roots)
        return places if self.leftwards else [-place for place in places]

    def _columns(self, layers: Sequence[Sequence[int]]) -> list[int]:
        """For each cell the one at the head of its column."""
        linked = self.mesh.above if self.upwards else self.mesh.below
        roots = [*range(len(self.mesh.cells))]
        at = {cell: place for layer in layers for place, cell in enumerate(layer)}
        for layer in layers:
            last = -1
            for cell in layer:
                near = sorted(linked[cell], key=lambda each: at[each])
                medians = near[(len(near) - 1) // 2 : len(near) // 2 + 1]
                free = (each for each in medians if last < at[each] and self._may_align(each, cell))
                if (chosen := next(free, None)) is not None:
                    roots[cell], last = roots[chosen], at[chosen]
        return roots

    def _may_align(self, near: int, cell: int) -> bool:
        return ((near, cell) if self.upwards else (cell, near)) not in self.conflicts

    def _compacted(self, layers: Sequence[Sequence[int]], roots: Sequence[int]) -> list[float]:
        """Each column as far left as its neighbours let it, then as far right as they do without being moved."""
        before: dict[int, dict[int, float]] = {root: {} for root in dict.fromkeys(roots)}
        after: dict[int, dict[int, float]] = {root: {} for root in before}
        for layer in layers:
            for one, other in pairwise(layer):
                apart = max(self._apart(one, other), before[roots[other]].get(roots[one], 0.0))
                before[roots[other]][roots[one]] = after[roots[one]][roots[other]] = apart
        order = _sorted(before, after)
        place = dict[int, float]()
        for root in order:
            place[root] = max((place[each] + apart for each, apart in before[root].items()), default=0.0)
        for root in reversed(order):
            if after[root]:
                place[root] = min(place[each] - apart for each, apart in after[root].items())
        return [place[root] for root in roots]

    def _apart(self, one: int, other: int) -> float:
        left, right = self.mesh.cells[one], self.mesh.cells[other]
        return (left.right + right.left if self.leftwards else left.left + right.right) + GAP


def _sorted(before: dict[int, dict[int, float]], after: dict[int, dict[int, float]]) -> list[int]:
    waiting = {root: len(each) for root, each in before.items()}
    order = [root for root, number in waiting.items() if number == 0]
    for root in order:  # which grows
        for each in after[root]:
            waiting[each] -= 1
            if waiting[each] == 0:
                order.append(each)
    return order
