"""`agentgraph import`: a run out of a file that `agentgraph export` has written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
import typer

from agentgraph.exceptions import RunExists
from agentgraph.stores import MemoryStore, import_run as into_store

from .errors import RefusedError
from .printing import console, text
from .stores import DEFAULT_STORE, StoreOption, opened_store

__all__ = ["import_run"]


def import_run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `agentgraph export` has written.")],
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Put before the ids of its runs and conversations.")] = "",
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Read a run from a file into a store, which is created if need be."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise RefusedError(f"{file} cannot be read: {error.strerror or error}") from error
    console().print(text(anyio.run(_import, store, data, prefix)))


async def _import(where: str, data: bytes, prefix: str) -> str:
    await into_store(MemoryStore(), data, prefix=prefix)  # what is no exported run leaves no empty store behind
    async with opened_store(where) as store:
        try:
            return await into_store(store, data, prefix=prefix)
        except RunExists as error:
            raise RefusedError(f"there is a run {error.run_id!r} in this store already; give --prefix") from error
