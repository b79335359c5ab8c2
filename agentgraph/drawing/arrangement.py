"""A chart with a place for everything: what `svg.py` writes down.

All is arranged as if links led down, with widths and heights exchanged where they are to lead sideways, and turned at
the end. A link is straight inside of a layer and bends between layers only, where nothing else stands: so it crosses
neither a shape nor a label that is not its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from .chart import Chart, Kind, Link, Shape
from .columns import placed
from .geometry import Curve, Point, Rect, Turn, bend, lying, union
from .layers import layered
from .mesh import LANE, Mesh, label_layer, woven
from .ordering import ordered
from .ports import ports
from .sizes import label_size, note_size, shape_size
from .text import Size

__all__ = ["Arrangement", "PlacedLink", "PlacedShape", "arranged"]

NOTE_GAP = 16.0
LOOP = 22.0
"""How far the link of a shape to itself reaches out."""
LEAD, TIP = 3.0, 11.0
"""How far a link runs straight from its shape, and to it: so much is under the arrow's head."""
BENDING = (12.0, 46.0)
"""The least and the most room for a bend between two layers."""
SLOPE = 0.22
"""The room for a bend by how far it reaches sideways."""


@dataclass(frozen=True)
class PlacedShape:
    """A shape and where it is."""

    shape: Shape
    rect: Rect
    note: Rect | None = None


@dataclass(frozen=True)
class PlacedLink:
    """A link and its way."""

    link: Link
    curve: Curve
    """From its tail's border to its head's."""
    label: Rect | None = None


@dataclass(frozen=True)
class Arrangement:
    """A chart whose upper left corner is at 0, 0."""

    shapes: Sequence[PlacedShape]
    links: Sequence[PlacedLink]
    size: Size


def arranged(chart: Chart) -> Arrangement:
    """Give everything a place.

    Raises:
        KeyError: a link names a shape that is not there.
    """
    plan = _Plan.of(chart)
    mesh = woven(plan.rooms, plan.layers, plan.down)
    ordered(mesh)
    return _Placing(plan, mesh, placed(mesh)).arrangement()


@dataclass(frozen=True)
class _Plan:
    """What is known before anything has a place."""

    chart: Chart
    sizes: Sequence[Size]
    """Of the shapes, lying as if links led down; so are all sizes and places until the end."""
    notes: Sequence[Size | None]
    labels: Sequence[Size]
    """Of the links that lead from one shape to another."""
    links: Sequence[Link]
    loops: Mapping[int, Link]
    """The links of shapes to themselves, one for each such shape."""
    rooms: Sequence[tuple[float, float]]
    layers: Sequence[int]
    down: Sequence[tuple[int, int, float]]
    turned: Sequence[bool]
    """Of each link whether it leads up."""

    @classmethod
    def of(cls, chart: Chart) -> _Plan:
        number = {shape.key: index for index, shape in enumerate(chart.shapes)}
        links = [link for link in chart.links if link.tail != link.head]
        edges = [(number[link.tail], number[link.head]) for link in links]
        sizes = [_size(chart, shape, edges, index) for index, shape in enumerate(chart.shapes)]
        notes = [lying(chart.direction, note_size(shape.note)) if shape.note else None for shape in chart.shapes]
        loops = {index: loop for index, shape in enumerate(chart.shapes) if (loop := _loop(chart, shape)) is not None}
        rooms = [
            _room(size, note, lying(chart.direction, label_size(loops[index].label)) if index in loops else None)
            for index, (size, note) in enumerate(zip(sizes, notes, strict=True))
        ]
        labels = [lying(chart.direction, label_size(link.label)) for link in links]
        layers, down = layered(len(chart.shapes), edges)
        lanes = [(*ends, label.width) for ends, label in zip(down, labels, strict=True)]
        turned = [one != other for one, other in zip(edges, down, strict=True)]
        return cls(chart, sizes, notes, labels, links, loops, rooms, layers, lanes, turned)


def _size(chart: Chart, shape: Shape, edges: Sequence[tuple[int, int]], index: int) -> Size:
    ways = max(sum(tail == index for tail, _ in edges), sum(head == index for _, head in edges))
    return shape_size(shape, chart.direction, ways)


def _loop(chart: Chart, shape: Shape) -> Link | None:
    """The one link that stands for all links of a shape to itself."""
    loops = [link for link in chart.links if link.tail == link.head == shape.key]
    return Link(shape.key, shape.key, "\n".join(link.label for link in loops), loops[0].tone) if loops else None


def _room(size: Size, note: Size | None, loop: Size | None) -> tuple[float, float]:
    """What a shape takes left and right of its middle: its note is right of it, a loop there too, else left."""
    half = size.width / 2
    note_room = NOTE_GAP + note.width if note else 0.0
    loop_room = LOOP + loop.width if loop else 0.0
    return (half + loop_room, half + note_room) if note else (half, half + loop_room)


@dataclass
class _Placing:
    plan: _Plan
    mesh: Mesh
    columns: Sequence[float]

    def __post_init__(self) -> None:
        self._bodies: Mapping[int, Rect] = {}

    def arrangement(self) -> Arrangement:
        rows = self._rows()
        bodies = [self._body(index, rows[2 * layer]) for index, layer in enumerate(self.plan.layers)]
        notes = [self._note(index, body) for index, body in enumerate(bodies)]
        routed = self._links(bodies, rows) + [self._loop(index, bodies[index]) for index in self.plan.loops]
        everything = [*bodies, *(note for note in notes if note), *(label for _, _, label in routed if label)]
        bounds = union([*everything, *(_around(curve) for _, curve, _ in routed)])
        turn = Turn(self.plan.chart.direction, Size(bounds.width, bounds.height))

        def settled(rect: Rect | None) -> Rect | None:
            return turn.rect(rect.moved(-bounds.x, -bounds.y)) if rect else None

        shapes = [
            PlacedShape(shape, turn.rect(body.moved(-bounds.x, -bounds.y)), settled(note))
            for shape, body, note in zip(self.plan.chart.shapes, bodies, notes, strict=True)
        ]
        links = [
            PlacedLink(link, turn.curve(_moved(curve, -bounds.x, -bounds.y)), settled(label))
            for link, curve, label in routed
        ]
        return Arrangement(shapes, links, turn.turned)

    def _rows(self) -> list[tuple[float, float]]:
        """The top and the bottom of each layer."""
        heights = [0.0] * len(self.mesh.layers)
        for index, layer in enumerate(self.plan.layers):
            note, loop = self.plan.notes[index], self.plan.loops.get(index)
            label = lying(self.plan.chart.direction, label_size(loop.label)).height if loop else 0.0
            heights[2 * layer] = max(
                heights[2 * layer], self.plan.sizes[index].height, note.height if note else 0.0, label
            )
        for (upper, lower, _), size in zip(self.plan.down, self.plan.labels, strict=True):
            layer = label_layer(2 * self.plan.layers[upper], 2 * self.plan.layers[lower])
            heights[layer] = max(heights[layer], size.height)
        rows: list[tuple[float, float]] = []
        top = 0.0
        for layer, height in enumerate(heights):
            rows.append((top, top + height))
            top += height + (self._bending(layer) + (TIP if self.plan.links else 0.0))
        return rows

    def _bending(self, layer: int) -> float:
        """The room below a layer."""
        reach = max(
            (
                abs(self.columns[cell] - self.columns[below])
                for cell in self.mesh.layers[layer]
                for below in self.mesh.below[cell]
            ),
            default=0.0,
        )
        return min(max(BENDING[0], SLOPE * reach), BENDING[1])

    def _body(self, index: int, row: tuple[float, float]) -> Rect:
        size = self.plan.sizes[index]
        return Rect(self.columns[index] - size.width / 2, sum(row) / 2 - size.height / 2, size.width, size.height)

    def _note(self, index: int, body: Rect) -> Rect | None:
        note = self.plan.notes[index]
        return Rect(body.right + NOTE_GAP, body.middle.y - note.height / 2, note.width, note.height) if note else None

    def _loop(self, index: int, body: Rect) -> tuple[Link, Curve, Rect | None]:
        loop = self.plan.loops[index]
        side, edge = (-1, body.x) if self.plan.notes[index] else (1, body.right)
        rise = min(9.0, body.height / 3)
        radius = body.width / 2
        tip = body.middle.x + side * sqrt(radius**2 - rise**2) if self._round(index) else edge
        reach = edge + side * LOOP * 1.25
        middle = body.middle.y
        curve = (
            Point(tip, middle - rise),
            Point(reach, middle - rise - 6),
            Point(reach, middle + rise + 6),
            Point(tip, middle + rise),
        )
        size = lying(self.plan.chart.direction, label_size(loop.label))
        left = edge + LOOP if side > 0 else edge - LOOP - size.width
        return loop, curve, Rect(left, middle - size.height / 2, size.width, size.height) if loop.label else None

    def _links(
        self, bodies: Sequence[Rect], rows: Sequence[tuple[float, float]]
    ) -> list[tuple[Link, Curve, Rect | None]]:
        leaving, entering = self._ports(bodies)
        routed: list[tuple[Link, Curve, Rect | None]] = []
        for number, link in enumerate(self.plan.links):
            chain = self.mesh.chains[number]
            upper, lower = bodies[chain[0]], bodies[chain[-1]]
            start = Point(leaving[number], _bottom(upper, leaving[number], self._round(chain[0])))
            end = Point(entering[number], 2 * lower.middle.y - _bottom(lower, entering[number], self._round(chain[-1])))
            turned = self.plan.turned[number]
            first, last = (TIP, LEAD) if turned else (LEAD, TIP)
            knots = [start, Point(start.x, rows[self.mesh.cells[chain[0]].layer][1] + first)]
            for cell in chain[1:-1]:
                top, bottom = rows[self.mesh.cells[cell].layer]
                knots += [Point(self.columns[cell], top), Point(self.columns[cell], bottom)]
            knots += [Point(end.x, rows[self.mesh.cells[chain[-1]].layer][0] - last), end]
            curve = bend(knots[::-1] if turned else knots)
            routed.append((link, curve, self._label(number, chain, rows)))
        return routed

    def _label(self, number: int, chain: Sequence[int], rows: Sequence[tuple[float, float]]) -> Rect | None:
        size = self.plan.labels[number]
        if not size.width:
            return None
        layer = label_layer(self.mesh.cells[chain[0]].layer, self.mesh.cells[chain[-1]].layer)
        cell = chain[layer - self.mesh.cells[chain[0]].layer]
        return Rect(
            self.columns[cell] - size.width / 2, sum(rows[layer]) / 2 - size.height / 2, size.width, size.height
        )

    def _ports(self, bodies: Sequence[Rect]) -> tuple[Mapping[int, float], Mapping[int, float]]:
        """Where links leave the lower side of a shape, and where they enter the upper side."""
        leaving: dict[int, float] = {}
        entering: dict[int, float] = {}
        sides = (leaving, 0, 1), (entering, -1, -2)
        for places, end, near in sides:
            touching: dict[int, list[int]] = defaultdict(list)
            for number, chain in enumerate(self.mesh.chains):
                touching[chain[end]].append(number)
            for shape, numbers in touching.items():
                cells = {number: self.mesh.chains[number][near] for number in numbers}
                numbers.sort(key=lambda number: self.mesh.cells[cells[number]].position)
                wanted = [self.columns[cells[number]] for number in numbers]
                places.update(zip(numbers, ports(bodies[shape], wanted), strict=True))
        return leaving, entering

    def _round(self, shape: int) -> bool:
        return self.plan.chart.shapes[shape].kind in (Kind.START, Kind.END)


def _bottom(body: Rect, x: float, is_round: bool) -> float:  # noqa: FBT001 - one of two forms of a border
    """The height of a shape's lower border at `x`."""
    if not is_round:
        return body.bottom
    radius = body.width / 2
    return body.middle.y + sqrt(max(0.0, radius**2 - (x - body.middle.x) ** 2))


def _moved(curve: Curve, x: float, y: float) -> Curve:
    return tuple(Point(point.x + x, point.y + y) for point in curve)


def _around(curve: Curve) -> Rect:
    """A rectangle that holds a curve: its controls do."""
    left, top = min(point.x for point in curve), min(point.y for point in curve)
    width, height = max(point.x for point in curve) - left, max(point.y for point in curve) - top
    return Rect(left - LANE / 2, top, width + LANE, height)
