"""`agentgraph draw`: the path that a stored run has taken."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import anyio
import typer

from agentgraph.agent import agent_run_picture
from agentgraph.graph import Picture

from .diagram import Direction
from .errors import RefusedError
from .printing import console, text
from .stores import DEFAULT_STORE, StoreOption, existing_store

__all__ = ["draw"]


def draw(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `agentgraph runs` lists it.")],
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an SVG file, in place of Mermaid text.")
    ] = None,
    direction: Annotated[Direction, typer.Option(help="Where the picture runs to.")] = "TB",
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Draw the path that a run took, and where it waits, failed or ended: as Mermaid text, or as SVG."""
    picture = anyio.run(_drawn, store, run_id, direction)
    if svg is None:
        sys.stdout.write(picture.mermaid + "\n")
        return
    try:
        svg.write_text(picture.svg(), encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"{svg} cannot be written: {error.strerror}") from error
    console().print(text(f"{run_id}: {svg}"))


async def _drawn(where: str, run_id: str, direction: Direction) -> Picture:
    async with existing_store(where) as store:
        return await agent_run_picture(store, run_id, direction=direction)
