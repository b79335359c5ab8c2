"""`agentgraph diagram`: a graph as the text of a Mermaid diagram, or as SVG."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from agentgraph.agent import UserPromptNode, agent_graph
from agentgraph.graph import Picture

from .errors import RefusedError
from .target import is_agent, is_graph, load

__all__ = ["Direction", "diagram"]

Direction = Literal["TB", "LR", "RL", "BT"]


def diagram(
    target: Annotated[str, typer.Argument(metavar="MODULE:ATTR", help="An Agent or a Graph.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file: SVG if it ends in .svg.")
    ] = None,
    direction: Annotated[Direction | None, typer.Option(help="Where the picture runs to.")] = None,
) -> None:
    """Draw an agent or a graph: as a Mermaid state diagram, or as SVG."""
    picture = _picture(target, direction)
    if output is None:
        sys.stdout.write(picture.mermaid + "\n")
        return
    drawn = picture.svg() if output.suffix == ".svg" else picture.mermaid + "\n"
    try:
        output.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{output} cannot be written: {error.strerror}") from error


def _picture(target: str, direction: Direction | None) -> Picture:
    found = load(target)
    variable = target.rpartition(":")[2]
    if is_agent(found):
        title = found.name or variable  # all agents share one graph; the title says whose picture it is
        return agent_graph().picture(start_node=UserPromptNode, title=title, direction=direction)
    if is_graph(found):
        return found.picture(title=found.name or variable, direction=direction)
    raise RefusedError(f"{target} is a {type(found).__name__}, neither an Agent nor a Graph")
