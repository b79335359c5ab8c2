"""`agentgraph delete`: one run, and all runs below it, for good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import anyio
import typer

from agentgraph.exceptions import RunBusy

from .errors import RefusedError
from .printing import console, text
from .stores import DEFAULT_STORE, StoreOption, existing_store

__all__ = ["delete"]


def delete(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `agentgraph runs` lists it.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Delete a run and all runs below it."""
    for gone in anyio.run(_delete, store, run_id):
        console().print(text(f"deleted {gone}"))


async def _delete(where: str, run_id: str) -> Sequence[str]:
    async with existing_store(where) as store:
        try:
            return await store.delete(run_id)
        except RunBusy as error:
            raise RefusedError(error.message) from error
