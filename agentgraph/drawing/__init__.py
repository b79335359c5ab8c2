"""Draws shapes and the links between them: a layered layout and SVG, in Python alone. It knows nothing of graphs."""

from __future__ import annotations

from .arrangement import Arrangement, PlacedLink, PlacedShape, arranged
from .chart import Chart, Direction, Kind, Link, Shape, Tone
from .mermaid import mermaid_text, state_code
from .svg import svg

__all__ = [
    "Arrangement",
    "Chart",
    "Direction",
    "Kind",
    "Link",
    "PlacedLink",
    "PlacedShape",
    "Shape",
    "Tone",
    "arranged",
    "mermaid_text",
    "state_code",
    "svg",
]
