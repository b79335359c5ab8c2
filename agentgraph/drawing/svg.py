"""Writes an arranged chart as SVG (https://www.w3.org/TR/SVG11/): one element, with neither scripts nor references."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import assert_never

from .arrangement import Arrangement, PlacedLink, PlacedShape, arranged
from .chart import Chart, Kind, Tone
from .geometry import Curve, Point, Rect
from .sizes import MARGIN, RULE, label_lines, note_lines
from .style import CLASS, css_declarations, ink_on, sheet
from .text import LABEL, NAME, NOTE, ROW, TITLE, Font

__all__ = ["svg"]

BORDER = 16.0
HEAD = 9.0, 4.2
"""The length of an arrow's head, and half its width."""
CORNER = 5
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold in any form, escaped or not."""
BASELINE = 0.36
"""From the middle of a line of text down to where letters stand, by the font's size."""


def svg(chart: Chart) -> str:
    """A chart as the text of an SVG file.

    Raises:
        KeyError: a link names a shape that is not there.
    """
    return "\n".join(_document(chart, arranged(chart))) + "\n"


def _document(chart: Chart, arrangement: Arrangement) -> Iterator[str]:
    head = TITLE.leading + 8 if chart.title else 0.0
    inner = max(arrangement.size.width, TITLE.width(chart.title))
    width, height = inner + 2 * BORDER, arrangement.size.height + head + 2 * BORDER
    box = f"{_number(width)} {_number(height)}"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{CLASS}" role="img" viewBox="0 0 {box}" '
        f'width="{_number(width)}" height="{_number(height)}">'
    )
    if chart.title:
        yield f"<title>{_escaped(chart.title)}</title>"
    yield f"<desc>{_escaped(chart.summary or _told(chart))}</desc>"
    yield f"<style>{sheet()}</style>"
    yield f'<rect class="ground" width="{_number(width)}" height="{_number(height)}" rx="6"/>'
    if chart.title:
        yield _text("title", Point(width / 2, BORDER + TITLE.leading / 2), chart.title, TITLE)
    left = BORDER + (inner - arrangement.size.width) / 2
    yield f'<g transform="translate({_number(left)} {_number(BORDER + head)})">'
    for link in arrangement.links:
        yield from _grouped(link.link.tone, _link(link))
    for shape in arrangement.shapes:
        yield from _grouped(shape.shape.tone, _shape(shape))
    yield "</g>"
    yield "</svg>"


def _told(chart: Chart) -> str:
    """The picture in words."""
    names = {shape.key: shape.text or shape.kind.value for shape in chart.shapes}
    ways = [
        f"{names[link.tail]} to {names[link.head]}{f' ({link.label})' if link.label else ''}" for link in chart.links
    ]
    boxes = ", ".join(shape.text for shape in chart.shapes if shape.text)
    return f"{boxes}. Arrows: {'; '.join(ways)}." if ways else f"{boxes}."


def _grouped(tone: Tone, lines: Iterator[str]) -> Iterator[str]:
    if tone is Tone.PLAIN:
        yield from lines
    else:
        yield f'<g class="{tone.value}">'
        yield from lines
        yield "</g>"


def _link(placed: PlacedLink) -> Iterator[str]:
    curve, head = _headed(placed.curve)
    yield f'<path class="link" d="{_path(curve)}"/>'
    yield f'<path class="head" d="{head}"/>'
    if placed.label is not None:
        yield _plate("ground", placed.label)
        yield from _lines("label", placed.label.middle, label_lines(placed.link.label), LABEL)


def _headed(curve: Curve) -> tuple[Curve, str]:
    """A curve that ends inside of its arrow's head, and the head."""
    before, tip = curve[-2], curve[-1]
    length = ((tip.x - before.x) ** 2 + (tip.y - before.y) ** 2) ** 0.5 or 1.0
    x, y = (tip.x - before.x) / length, (tip.y - before.y) / length
    base = Point(tip.x - HEAD[0] * x, tip.y - HEAD[0] * y)
    corners = [
        tip,
        Point(base.x - HEAD[1] * y, base.y + HEAD[1] * x),
        Point(base.x + HEAD[1] * y, base.y - HEAD[1] * x),
    ]
    head = "M" + "L".join(_pair(corner) for corner in corners) + "Z"
    end = Point(tip.x - x * HEAD[0] * 0.8, tip.y - y * HEAD[0] * 0.8)
    return (*curve[:-1], end), head


def _path(curve: Curve) -> str:
    parts = [f"M{_pair(curve[0])}"]
    for index in range(1, len(curve), 3):
        start, (one, other, end) = curve[index - 1], curve[index : index + 3]
        straight = len({point.x for point in (start, one, other, end)}) == 1
        straight = straight or len({point.y for point in (start, one, other, end)}) == 1
        parts.append(f"L{_pair(end)}" if straight else f"C{_pair(one)} {_pair(other)} {_pair(end)}")
    return "".join(parts)


def _shape(placed: PlacedShape) -> Iterator[str]:
    shape, rect = placed.shape, placed.rect
    if placed.note is not None:
        yield _tie(rect, placed.note)
        yield _plate("note", placed.note)
        yield from _lines("remark", placed.note.middle, note_lines(shape.note), NOTE)
    given = css_declarations(shape.css)
    style = _style({name: value for name, value in given.items() if name != "color"})
    match shape.kind:
        case Kind.START:
            yield _circle("dot", rect, 0, style)
        case Kind.END:
            yield _circle("ring", rect, 0, style)
            yield _circle("dot", rect, 4.5, "")
        case Kind.BAR:
            yield f'<rect class="dot" {_place(rect)} rx="2"{style}/>'
        case Kind.BOX | Kind.TABLE:
            ink = given.get("color") or (ink_on(given["fill"]) if "fill" in given else None)
            yield f'<rect class="shape" {_place(rect)} rx="{CORNER}"{style}/>'
            yield from _inside(placed, _style({"fill": ink}) if ink else "")
        case _ as unreachable:
            assert_never(unreachable)


def _inside(placed: PlacedShape, style: str) -> Iterator[str]:
    if placed.shape.kind is Kind.TABLE:
        yield from _table(placed, style)
        return
    shape, middle = placed.shape, placed.rect.middle
    top = middle.y - (NAME.leading + ROW.leading * len(shape.rows)) / 2
    yield _text("name", Point(middle.x, top + NAME.leading / 2), shape.text, NAME, style)
    for number, row in enumerate(shape.rows):
        y = top + NAME.leading + (number + 0.5) * ROW.leading
        yield _text("row", Point(middle.x, y), "".join(row), ROW, style)


def _table(placed: PlacedShape, style: str) -> Iterator[str]:
    shape, rect = placed.shape, placed.rect
    top = rect.y + MARGIN.height
    yield _text("name", Point(rect.middle.x, top + NAME.leading / 2), shape.text, NAME, style)
    rule = top + NAME.leading + RULE / 2
    yield f'<path class="shape" d="M{_pair(Point(rect.x, rule))}L{_pair(Point(rect.right, rule))}"/>'
    for number, (left, right) in enumerate(shape.rows):
        y = top + NAME.leading + RULE + (number + 0.5) * ROW.leading
        yield _text("row", Point(rect.x + MARGIN.width, y), left, ROW, style, "start")
        if right:
            yield _text("row", Point(rect.right - MARGIN.width, y), right, ROW, style, "end")


def _tie(rect: Rect, note: Rect) -> str:
    """From a shape to its note, which is right of it or below."""
    beside = note.x >= rect.right
    one = Point(rect.right, rect.middle.y) if beside else Point(rect.middle.x, rect.bottom)
    other = Point(note.x, rect.middle.y) if beside else Point(rect.middle.x, note.y)
    return f'<path class="link tie" d="M{_pair(one)}L{_pair(other)}"/>'


def _lines(kind: str, middle: Point, lines: Sequence[str], font: Font) -> Iterator[str]:
    top = middle.y - font.leading * len(lines) / 2
    for number, line in enumerate(lines):
        if line:
            yield _text(kind, Point(middle.x, top + (number + 0.5) * font.leading), line, font)


def _text(kind: str, middle: Point, text: str, font: Font, style: str = "", anchor: str = "middle") -> str:
    at = f'x="{_number(middle.x)}" y="{_number(middle.y + BASELINE * font.size)}"'
    return f'<text class="{kind}" {at} text-anchor="{anchor}"{style}>{_escaped(text)}</text>'


def _plate(kind: str, rect: Rect) -> str:
    return f'<rect class="{kind}" {_place(rect)} rx="3"/>'


def _circle(kind: str, rect: Rect, inset: float, style: str) -> str:
    middle, radius = rect.middle, rect.width / 2 - inset
    return (
        f'<circle class="{kind}" cx="{_number(middle.x)}" cy="{_number(middle.y)}" '
        f'r="{_number(radius)}" stroke-width="1.4"{style}/>'
    )


def _place(rect: Rect) -> str:
    values = zip(("x", "y", "width", "height"), (rect.x, rect.y, rect.width, rect.height), strict=True)
    return " ".join(f'{name}="{_number(value)}"' for name, value in values)


def _style(declarations: dict[str, str]) -> str:
    written = ";".join(f"{name}:{value}" for name, value in declarations.items())
    return f' style="{_escaped(written)}"' if written else ""


def _escaped(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text))


def _pair(point: Point) -> str:
    return f"{_number(point.x)} {_number(point.y)}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
