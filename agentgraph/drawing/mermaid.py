"""Writes a chart as a Mermaid state diagram (https://mermaid.js.org/syntax/stateDiagram.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from .chart import Chart, Kind, Link, Shape, Tone

__all__ = ["mermaid_text", "state_code"]

TONES: Mapping[Tone, str] = {
    Tone.QUIET: "fill:none,stroke-dasharray:5 4",
    Tone.GOOD: "fill:#e3f4e6,stroke:#3e8e50,color:#1c2630",
    Tone.BUSY: "fill:#e1eefb,stroke:#2f77b8,color:#1c2630",
    Tone.AGAIN: "fill:#efe6fb,stroke:#7d55b5,color:#1c2630",
    Tone.WAITING: "fill:#fff0cc,stroke:#b57d08,color:#1c2630",
    Tone.BAD: "fill:#fde4e1,stroke:#c0392b,color:#1c2630",
}
"""By what Mermaid colours the boxes: dark letters on light ground, in its dark themes too."""

ENTITIES = str.maketrans({"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "\n": " ", "\r": " "})


def mermaid_text(text: str) -> str:
    """Text as it stands in a line of a Mermaid diagram, where a semicolon would end it and `<b>` be bold."""
    return text.translate(ENTITIES)


def state_code(chart: Chart) -> str:
    """The text of the diagram: shapes are states with their rows as descriptions, named `s1`, `s2` and so on."""
    names = {shape.key: _name(shape, number) for number, shape in enumerate(chart.shapes, start=1)}
    lines = ["---", f"title: {_quoted(chart.title)}", "---"] if chart.title else []
    lines += ["stateDiagram-v2", f"  direction {chart.direction}"]
    for shape in chart.shapes:
        lines += _shape(shape, names[shape.key])
    lines += [f"  {_link(link, names)}" for link in chart.links]
    toned = {tone: [names[shape.key] for shape in chart.shapes if shape.tone is tone] for tone in TONES}
    for tone, found in toned.items():
        if found:
            lines += [f"  classDef {tone.value} {TONES[tone]}", f"  class {','.join(found)} {tone.value}"]
    return "\n".join(lines)


def _name(shape: Shape, number: int) -> str:
    return "[*]" if shape.kind in (Kind.START, Kind.END) else f"s{number}"


def _shape(shape: Shape, name: str) -> Iterator[str]:
    match shape.kind:
        case Kind.START | Kind.END:
            return
        case Kind.BAR:
            yield f"  state {name} <<fork>>"
        case Kind.BOX | Kind.TABLE:
            for line in (shape.text, *(" ".join(row).strip() for row in shape.rows)):
                yield f"  {name}: {mermaid_text(line)}"
        case _ as unreachable:
            assert_never(unreachable)
    if shape.note:
        yield from (f"  note right of {name}", f"    {mermaid_text(shape.note)}", "  end note")


def _link(link: Link, names: Mapping[str, str]) -> str:
    label = mermaid_text(link.label)
    return f"{names[link.tail]} --> {names[link.head]}{f': {label}' if label else ''}"


def _quoted(title: str) -> str:
    """A title as YAML: any text between double quotes."""
    flat = " ".join(title.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{flat}"'
