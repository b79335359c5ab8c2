"""Draws what the code says of itself: `make diagrams` writes the `.mmd` files beside this script, nobody else does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from agentgraph.agent.nodes import UserPromptNode
from agentgraph.agent.setup import agent_graph
from agentgraph.graph.diagram import lifecycle_code

FOLDER = Path(__file__).resolve().parent


def agent() -> str:
    """The graph of every agent."""
    return agent_graph().mermaid_code(start_node=UserPromptNode)


def layers() -> str:
    """The layers that import-linter holds; each imports only from those below it, and none from its own."""
    settings = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))
    first, *others = (contract.get("layers", []) for contract in settings["tool"]["importlinter"]["contracts"])
    boxes: list[str] = []
    for above, layer in zip(["", *first], first, strict=False):
        strangers = [layer, above] in others  # another contract forbids what the order of the two would allow
        boxes.append(f"{boxes.pop()} {layer}" if strangers else layer)
    names = [" · ".join(re.findall(r"\w+", box)) for box in boxes]
    lines = [f'  layer{number}["{name}"]' for number, name in enumerate(names)]
    return "\n".join(["flowchart TB", *lines, "  " + " --> ".join(f"layer{number}" for number in range(len(names)))])


DRAWINGS: Mapping[str, Callable[[], str]] = {"agent": agent, "layers": layers, "lifecycle": lifecycle_code}


def write(folder: Path) -> None:
    """Draw everything into a folder."""
    for name, draw in DRAWINGS.items():
        path = folder / f"{name}.mmd"
        path.write_text(draw() + "\n", encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    write(FOLDER)
