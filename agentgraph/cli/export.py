"""`agentgraph export`: a run as one JSON file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import anyio
import typer

from agentgraph.stores import export_run

from .errors import RefusedError
from .printing import console, size, text
from .stores import DEFAULT_STORE, StoreOption, existing_store

__all__ = ["export"]


def export(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `agentgraph runs` lists it.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; must not exist. - for the standard output.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write a run into a file, with all that it needs. The file holds everything that was said."""
    data = anyio.run(_export, store, run_id)
    if str(file) == "-":
        sys.stdout.write(data.decode() + "\n")
        return
    try:
        _write(file, data)
    except OSError as error:
        raise RefusedError(f"{file} cannot be written: {error.strerror or error}") from error
    console().print(text(f"{run_id}: {size(len(data))} in {file}"))


def _write(file: Path, data: bytes) -> None:
    """Write the whole file, or leave none behind."""
    with open(file, "xb", buffering=0, opener=_for_its_owner_alone) as written:
        try:
            while data:
                data = data[written.write(data) :]
        except BaseException:
            file.unlink()
            raise


def _for_its_owner_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def _export(where: str, run_id: str) -> bytes:
    async with existing_store(where) as store:
        return await export_run(store, run_id)
