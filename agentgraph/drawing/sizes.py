"""How large shapes, their notes and the labels of links are: fixed by their text alone."""

from __future__ import annotations

from typing import assert_never

from .chart import Direction, Kind, Shape
from .geometry import lying
from .text import LABEL, NAME, NOTE, ROW, Size, folded

__all__ = ["MARGIN", "RULE", "label_lines", "label_size", "note_lines", "note_size", "shape_size"]

MARGIN = Size(13, 8)
"""Between a shape's border and its text."""
COLUMN_GAP = 18.0
"""Between the two columns of a table."""
RULE = 6.0
"""The height of the line below a table's name, with the room around it."""
LEAST = 56.0
"""The width of the smallest box."""
DOT, RING = 14.0, 20.0
BAR = Size(76, 6)
LANES = 26.0
"""The width of a bar for each way that leads to it or from it."""
TOUCH = 20.0
"""The least side of any other shape for each way that touches it."""

LABEL_LETTERS, NOTE_LETTERS = 30, 38


def shape_size(shape: Shape, direction: Direction, ways: int) -> Size:
    """Of a shape with so many links on its busier side, as it lies when links lead down."""
    match shape.kind:
        case Kind.START:
            return Size(DOT, DOT)
        case Kind.END:
            return Size(RING, RING)
        case Kind.BAR:
            return Size(max(BAR.width, LANES * ways), BAR.height)
        case Kind.BOX | Kind.TABLE:
            size = lying(direction, _box(shape))
            return Size(max(size.width, TOUCH * ways), size.height)
        case _ as unreachable:
            assert_never(unreachable)


def label_lines(label: str) -> list[str]:
    """A label in lines."""
    return folded(label, LABEL_LETTERS)


def label_size(label: str) -> Size:
    """Of a label with the little room around it."""
    if not label:
        return Size(0, 0)
    text = LABEL.block(label_lines(label))
    return Size(text.width + 8, text.height + 4)


def note_lines(note: str) -> list[str]:
    """A note in lines."""
    return folded(note, NOTE_LETTERS)


def note_size(note: str) -> Size:
    """Of a note with its border."""
    text = NOTE.block(note_lines(note))
    return Size(text.width + 16, text.height + 10)


def _box(shape: Shape) -> Size:
    name = NAME.block([shape.text])
    rows = ROW.block(["".join(row) for row in shape.rows])
    if shape.kind is Kind.TABLE:
        left, right = (ROW.block([row[side] for row in shape.rows]).width for side in (0, 1))
        rows = Size(left + (COLUMN_GAP + right if right else 0), rows.height + RULE)
    width = max(name.width, rows.width) + 2 * MARGIN.width
    return Size(max(LEAST, width), name.height + rows.height + 2 * MARGIN.height)
