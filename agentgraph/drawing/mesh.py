"""What layers consist of: cells, which hold a shape each, or a link on its way past.

Shapes stand in the layers with even numbers alone. In between, every link has a cell, and one of its cells holds its
label. So links never run through a shape, and labels have room of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Cell", "Mesh", "woven"]


@dataclass
class Cell:
    """One place in a layer."""

    layer: int
    left: float
    """The room it takes left of its middle."""
    right: float
    link: int | None = None
    """The link that passes; None for a shape."""
    position: int = 0
    """In its layer."""


@dataclass
class Mesh:
    """All cells; the first ones are the shapes."""

    cells: list[Cell]
    above: list[list[int]]
    """The cells that each is linked to, in the layer above."""
    below: list[list[int]]
    layers: list[list[int]] = field(default_factory=list[list[int]])
    """The cells of each layer, in their order."""
    chains: list[list[int]] = field(default_factory=list[list[int]])
    """The cells of each link, from the upper shape to the lower one, both included."""

    def add(self, cell: Cell) -> int:
        """Returns its number."""
        self.cells.append(cell)
        self.above.append([])
        self.below.append([])
        return len(self.cells) - 1

    def settle(self, order: Sequence[int], layer: int) -> None:
        """Give a layer an order."""
        self.layers[layer] = [*order]
        for position, cell in enumerate(order):
            self.cells[cell].position = position


LANE = 5.0
"""Half the room that a link takes where it has no label."""


def woven(rooms: Sequence[tuple[float, float]], layers: Sequence[int], down: Sequence[tuple[int, int, float]]) -> Mesh:
    """Of shapes, given their room left and right and their layers, and of links `(upper, lower, label width)`."""
    mesh = Mesh([], [], [])
    for (left, right), layer in zip(rooms, layers, strict=True):
        mesh.add(Cell(2 * layer, left, right))
    for number, (upper, lower, label) in enumerate(down):
        _chain(mesh, number, (upper, lower), label)
    mesh.layers = [[] for _ in range(max((cell.layer for cell in mesh.cells), default=-1) + 1)]
    for number in _walked(mesh):
        mesh.layers[mesh.cells[number].layer].append(number)
    for layer, order in enumerate(mesh.layers):
        mesh.settle(order, layer)
    return mesh


def label_layer(upper: int, lower: int) -> int:
    """Where the label of a link stands: in its middle."""
    return (upper + lower) // 4 * 2 + 1


def _chain(mesh: Mesh, link: int, ends: tuple[int, int], label: float) -> None:
    upper, lower = (mesh.cells[end].layer for end in ends)
    labelled = label_layer(upper, lower)
    chain = [ends[0]]
    for layer in range(upper + 1, lower):
        half = label / 2 + LANE if label and layer == labelled else LANE
        chain.append(mesh.add(Cell(layer, half, half, link)))
    chain.append(ends[1])
    for above, below in pairwise(chain):
        mesh.below[above].append(below)
        mesh.above[below].append(above)
    mesh.chains.append(chain)


def _walked(mesh: Mesh) -> list[int]:
    """All cells, depth first: an order that has few crossings to begin with."""
    seen = dict[int, None]()
    starts = [number for number, above in enumerate(mesh.above) if not above]
    for start in starts:
        todo = [start]
        while todo:
            cell = todo.pop()
            if cell not in seen:
                seen[cell] = None
                todo += reversed(mesh.below[cell])
    return [*seen]
