"""Two kinds of plots as SVG, on logarithmic scales: bars of one figure each, lines of figures over sizes.

Colours are those of pictures (agentgraph/drawing): light in plain rules, dark in a media query, each on its own ground.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Bar", "Line", "bars", "lines"]

WIDTH, MARGIN, ROW = 720, 16, 24
NAMES = 176
"""Width of the column of names."""

ENDS = 236
"""Width that is kept free for the names at the ends of lines."""

VALUES = 76
"""Width that is kept free for the text behind a bar."""

SHEET = (
    ".plot text{font:12px 'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif}"
    ".plot .title{font-size:15px;font-weight:bold}.plot .tick{font-size:11px}.plot .ours{font-weight:bold}"
    ".plot path{fill:none;stroke-width:2}.plot .end{text-anchor:end}.plot .middle{text-anchor:middle}"
    ".plot .ground{fill:#fff}.plot text{fill:#1c2630}.plot .tick{fill:#45515e}.plot .grid{stroke:#e1e6ec}"
    ".plot rect.other,.plot circle.other{fill:#a9b4c0}.plot path.other{stroke:#a9b4c0}"
    ".plot rect.ours,.plot circle.ours{fill:#2f77b8}.plot path.ours{stroke:#2f77b8;stroke-width:3}"
    ".plot rect.floor,.plot circle.floor{fill:#3e8e50}.plot path.floor{stroke:#3e8e50;stroke-dasharray:5 4}"
    "@media (prefers-color-scheme:dark){.plot .ground{fill:#14191f}.plot text{fill:#e8edf2}.plot .tick{fill:#b4bfca}"
    ".plot .grid{stroke:#242d37}.plot rect.other,.plot circle.other{fill:#6d7b8a}.plot path.other{stroke:#6d7b8a}"
    ".plot rect.ours,.plot circle.ours{fill:#5aa2e0}.plot path.ours{stroke:#5aa2e0}"
    ".plot rect.floor,.plot circle.floor{fill:#58ad6d}.plot path.floor{stroke:#58ad6d}}"
)


@dataclass(frozen=True)
class Bar:
    """A bar: `kind` is ours, floor or other."""

    name: str
    value: float
    text: str
    kind: str = "other"


@dataclass(frozen=True)
class Line:
    """A line through points of size and figure; `name` stands at its end."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = "other"


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale, from a decade's start to a decade's end."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> Scale:
        """One that has room for all values."""
        return cls(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9), start, end)

    def at(self, value: float) -> float:
        """Where a value stands."""
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.start + part * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[float]:
        """The powers of ten."""
        return [10.0**power for power in range(int(self.low), int(self.high) + 1)]


def bars(title: str, unit: str, rows: Sequence[Bar]) -> str:
    """A horizontal bar for each, the values on a logarithmic scale."""
    top, height = 64, 64 + ROW * len(rows) + MARGIN
    scale = Scale.over([bar.value for bar in rows], NAMES, WIDTH - VALUES)
    parts: list[str] = []
    for tick in scale.ticks:
        x = scale.at(tick)
        parts += [_grid(x, top - 6, x, height - MARGIN), _text(x, top - 12, _number(tick, unit), "tick middle")]
    for place, bar in enumerate(rows):
        y, end = top + ROW * place, scale.at(bar.value)
        length = round(max(end - NAMES, 2), 1)
        parts += [
            _text(NAMES - 8, y + 15, bar.name, f"end {bar.kind}"),
            f'<rect class="{bar.kind}" x="{NAMES}" y="{y + 3}" width="{length}" height="{ROW - 8}" rx="2"/>',
            _text(NAMES + length + 6, y + 15, bar.text, bar.kind),
        ]
    described = "; ".join(f"{bar.name}: {bar.text}" for bar in rows)
    return _svg(title, described, height, parts)


def lines(title: str, axes: tuple[str, str], series: Sequence[Line], height: int = 380) -> str:
    """A line for each, named at its end; both scales are logarithmic. `axes` says what sizes and figures are."""
    top, bottom, left, right = 64, height - 48, 72, WIDTH - ENDS
    sizes = sorted({size for line in series for size, _ in line.points})
    across = Scale(math.log10(sizes[0]), math.log10(sizes[-1]), left, right)
    up = Scale.over([figure for line in series for _, figure in line.points], bottom, top)
    parts = [_text(MARGIN, top - 20, axes[1], "tick"), _text(right, bottom + 36, axes[0], "tick end")]
    for tick in up.ticks:
        y = up.at(tick)
        parts += [_grid(left, y, right, y), _text(left - 8, y + 4, _number(tick, ""), "tick end")]
    parts += [_text(across.at(size), bottom + 18, f"{size:,.0f}", "tick middle") for size in sizes]
    ends = _apart({line.name: up.at(line.points[-1][1]) for line in series})
    for line in series:
        points = [(across.at(size), up.at(figure)) for size, figure in line.points]
        route = " ".join(f"{'ML'[at > 0]}{x} {y}" for at, (x, y) in enumerate(points))
        parts.append(f'<path class="{line.kind}" d="{route}"/>')
        parts += [f'<circle class="{line.kind}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in points]
        parts.append(_text(right + 10, ends[line.name] + 4, line.name, line.kind))
    described = "; ".join(
        f"{line.name}: {', '.join(f'{figure:,.3g} at {size:,.0f}' for size, figure in line.points)}" for line in series
    )
    return _svg(title, described, height, parts)


def _apart(places: Mapping[str, float], least: float = 15) -> dict[str, float]:
    """Places of names, from above, moved down where two would lie upon each other."""
    moved: dict[str, float] = {}
    last = -math.inf
    for name, place in sorted(places.items(), key=lambda each: each[1]):
        last = max(place, last + least)
        moved[name] = round(last, 1)
    return moved


def _number(value: float, unit: str) -> str:
    return f"{value:,.10g} {unit}".rstrip()


def _text(x: float, y: float, text: str, kinds: str) -> str:
    return f'<text class="{kinds}" x="{round(x, 1)}" y="{round(y, 1)}">{escape(text)}</text>'


def _grid(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line class="grid" x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}"/>'


def _svg(title: str, described: str, height: int, parts: Sequence[str]) -> str:
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" viewBox="0 0 {WIDTH} {height}">'
    head = [opening, f"<desc>{escape(described)}</desc>", f"<style>{SHEET}</style>"]
    ground = f'<rect class="ground" width="{WIDTH}" height="{height}"/>'
    return "\n".join([*head, ground, _text(MARGIN, 26, title, "title"), *parts, "</svg>", ""])
