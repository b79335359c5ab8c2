"""All diagrams, and where each comes from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

from agentgraph.agent import UserPromptNode, agent_graph
from agentgraph.drawing import Chart, Link, Shape
from agentgraph.graph import Picture
from agentgraph.graph.diagram import lifecycle_picture
from examples import documents, letters, orders, research

from .demo_run import demo_run
from .schema import schema

__all__ = ["write", "write_examples"]

FOLDER = Path(__file__).resolve().parent


def agent() -> Picture:
    """The graph of every agent."""
    return agent_graph().picture(start_node=UserPromptNode)


def layers() -> Picture:
    """The layers that import-linter holds; each imports only from those below it, and none from its own."""
    settings = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))
    first, *others = (contract.get("layers", []) for contract in settings["tool"]["importlinter"]["contracts"])
    boxes: list[str] = []
    for above, layer in zip(["", *first], first, strict=False):
        strangers = [layer, above] in others  # another contract forbids what the order of the two would allow
        boxes.append(f"{boxes.pop()} {layer}" if strangers else layer)
    names = [" · ".join(re.findall(r"\w+", box)) for box in boxes]
    lines = [f'  layer{number}["{name}"]' for number, name in enumerate(names)]
    chain = "  " + " --> ".join(f"layer{number}" for number in range(len(names)))
    shapes = [Shape(key=name, text=name) for name in names]
    links = [Link(above, below) for above, below in pairwise(names)]
    chart = Chart(shapes=shapes, links=links, title="layers", summary=f"Layers, from above: {'; '.join(names)}.")
    return Picture("\n".join(["flowchart TB", *lines, chain]), chart)


DRAWINGS: Mapping[str, Callable[[], Picture]] = {
    "agent": agent,
    "demo": demo_run,
    "layers": layers,
    "lifecycle": lifecycle_picture,
    "schema": schema,
}
EXAMPLES: Mapping[str, Callable[[], Picture]] = {
    "documents": lambda: documents.pipeline.picture(start_node=documents.Collect, direction="LR"),
    "letters": lambda: letters.letters.picture(start_node=letters.Draft, direction="LR"),
    "orders": lambda: orders.ordering.picture(start_node=orders.Reserve, direction="LR"),
    "research": lambda: research.researching.picture(start_node=research.Plan, direction="LR"),
}
"""The graphs of the examples, for the manual."""


def write(folder: Path) -> None:
    """Draw everything into a folder."""
    for name, draw in DRAWINGS.items():
        picture = draw()
        for suffix in (".mmd", ".svg"):
            path = folder / f"{name}{suffix}"
            picture.save(path)
            print(f"wrote {path}")


def write_examples(folder: Path) -> None:
    """Draw the examples into a folder."""
    for name, draw in EXAMPLES.items():
        path = folder / f"{name}.svg"
        draw().save(path)
        print(f"wrote {path}")
