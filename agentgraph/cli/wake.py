"""`agentgraph wake`: has a submitted run gone on with."""

from __future__ import annotations

from typing import Annotated

import typer

from .dispatched import asked
from .printing import console, text
from .stores import DEFAULT_STORE, StoreOption

__all__ = ["wake"]


def wake(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `agentgraph runs` lists it.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Have a submitted run gone on with that has failed, was cancelled or stands still."""
    asked(store, lambda dispatcher: dispatcher.wake(run_id))
    console().print(text(f"{run_id} is ready to go on"))
