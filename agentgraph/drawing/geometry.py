"""Points, rectangles and curves, and the turn that makes a picture which leads down lead elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never

from .chart import Direction
from .text import Size

__all__ = ["Curve", "Point", "Rect", "Turn", "bend", "lying", "union"]


@dataclass(frozen=True)
class Point:
    """In pixels, right and down from the upper left corner."""

    x: float
    y: float


@dataclass(frozen=True)
class Rect:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> Point:
        return Point(self.x + self.width / 2, self.y + self.height / 2)

    def moved(self, x: float, y: float) -> Rect:
        """The same, elsewhere."""
        return Rect(self.x + x, self.y + y, self.width, self.height)


Curve = tuple[Point, ...]
"""A point, then three for each cubic Bézier curve that follows: two controls and its end."""


def union(rects: Sequence[Rect]) -> Rect:
    """The smallest rectangle around all of them."""
    if not rects:
        return Rect(0, 0, 0, 0)
    left, top = min(rect.x for rect in rects), min(rect.y for rect in rects)
    return Rect(left, top, max(rect.right for rect in rects) - left, max(rect.bottom for rect in rects) - top)


def bend(knots: Sequence[Point]) -> Curve:
    """A curve through points that enters and leaves each of them downwards or upwards."""
    curve: list[Point] = [knots[0]]
    for one, other in pairwise(knots):
        half = (one.y + other.y) / 2
        curve += [Point(one.x, half), Point(other.x, half), other]
    return tuple(curve)


@dataclass(frozen=True)
class Turn:
    """From a picture that leads down to one that leads elsewhere; its upper left corner stays at 0, 0."""

    direction: Direction
    size: Size
    """Of the picture that leads down."""

    @property
    def turned(self) -> Size:
        """Of the picture that leads elsewhere."""
        return lying(self.direction, self.size)

    def point(self, point: Point) -> Point:
        """Where a point comes to be."""
        match self.direction:
            case "TB":
                return point
            case "BT":
                return Point(point.x, self.size.height - point.y)
            case "LR":
                return Point(point.y, point.x)
            case "RL":
                return Point(self.size.height - point.y, point.x)
            case _ as unreachable:
                assert_never(unreachable)

    def rect(self, rect: Rect) -> Rect:
        """Where a rectangle comes to be."""
        one, other = self.point(Point(rect.x, rect.y)), self.point(Point(rect.right, rect.bottom))
        left, top = min(one.x, other.x), min(one.y, other.y)
        return Rect(left, top, abs(one.x - other.x), abs(one.y - other.y))

    def curve(self, curve: Curve) -> Curve:
        """Where a curve comes to be."""
        return tuple(self.point(point) for point in curve)


def lying(direction: Direction, size: Size) -> Size:
    """A size in a picture that leads down, of something whose size is that in one that leads elsewhere; and back."""
    return size if direction in ("TB", "BT") else Size(size.height, size.width)
