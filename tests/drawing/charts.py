"""Charts at random, and what must be true of each when everything has its place."""

from __future__ import annotations

from itertools import combinations
from math import dist

from hypothesis import strategies as st

from agentgraph.drawing import Arrangement, Chart, Direction, Kind, Link, PlacedLink, PlacedShape, Shape
from agentgraph.drawing.geometry import Point, Rect

DIRECTIONS: list[Direction] = ["TB", "LR", "RL", "BT"]
WORDS = st.text("abc deX", max_size=14)
CLOSE = 0.01


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """Any shapes, linked in any way: cycles, several links between two, links to oneself, parts of their own."""
    count = draw(st.integers(0, 9))
    shapes = [
        Shape(
            key=str(number),
            text=draw(WORDS),
            rows=draw(st.lists(st.tuples(WORDS, WORDS), max_size=2)),
            kind=draw(st.sampled_from([Kind.BOX, Kind.BOX, Kind.BOX, *Kind])),
            note=draw(st.sampled_from(["", "", "a note\nof two lines"])),
        )
        for number in range(count)
    ]
    ends = st.sampled_from([shape.key for shape in shapes]) if shapes else st.nothing()
    links = draw(st.lists(st.builds(Link, ends, ends, WORDS), max_size=16)) if shapes else []
    return Chart(shapes=shapes, links=links, title=draw(WORDS), direction=draw(st.sampled_from(DIRECTIONS)))


def overlap(one: Rect, other: Rect) -> bool:
    return (
        one.x < other.right - CLOSE
        and other.x < one.right - CLOSE
        and one.y < other.bottom - CLOSE
        and other.y < one.bottom - CLOSE
    )


def rects(arrangement: Arrangement) -> list[Rect]:
    """Everything that has an area."""
    shapes, links = arrangement.shapes, arrangement.links
    found = [*(shape.rect for shape in shapes), *(shape.note for shape in shapes), *(link.label for link in links)]
    return [rect for rect in found if rect is not None]


def overlaps(arrangement: Arrangement) -> list[tuple[Rect, Rect]]:
    return [pair for pair in combinations(rects(arrangement), 2) if overlap(*pair)]


def points(link: PlacedLink) -> list[Point]:
    """Points on the way of a link."""
    found: list[Point] = []
    for index in range(0, len(link.curve) - 1, 3):
        a, b, c, d = link.curve[index : index + 4]
        for step in range(9):
            t = step / 8
            weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
            found.append(
                Point(
                    sum(weight * point.x for weight, point in zip(weights, (a, b, c, d), strict=True)),
                    sum(weight * point.y for weight, point in zip(weights, (a, b, c, d), strict=True)),
                )
            )
    return found


def is_inside(point: Point, rect: Rect, by: float) -> bool:
    return rect.x + by < point.x < rect.right - by and rect.y + by < point.y < rect.bottom - by


def covers(shape: PlacedShape, point: Point) -> bool:
    """Whether a point is inside of a shape."""
    if shape.shape.kind in (Kind.START, Kind.END):
        return away(shape, point) < shape.rect.width / 2 - 0.1
    return is_inside(point, shape.rect, 0.1)


def away(shape: PlacedShape, point: Point) -> float:
    return dist((point.x, point.y), (shape.rect.middle.x, shape.rect.middle.y))


def touches(point: Point, shape: PlacedShape) -> bool:
    """Whether a point is on a shape's border."""
    rect = shape.rect
    if shape.shape.kind in (Kind.START, Kind.END):
        return abs(away(shape, point) - rect.width / 2) < CLOSE
    within = rect.x - CLOSE <= point.x <= rect.right + CLOSE and rect.y - CLOSE <= point.y <= rect.bottom + CLOSE
    return within and not is_inside(point, rect, CLOSE)
