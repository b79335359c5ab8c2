"""`agentgraph wake`: has a submitted run gone on with."""

from __future__ import annotations

from typing import Annotated

import typer

from agentgraph.graph import Status

from .dispatched import asked
from .printing import console, text
from .stores import DEFAULT_STORE, StoreOption

__all__ = ["wake"]


def wake(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `agentgraph runs` lists it.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Have a submitted run gone on with that has failed, was cancelled or stands still."""
    match asked(store, lambda dispatcher: dispatcher.wake(run_id)):
        case Status.SUCCEEDED:
            stands = "has succeeded: there is nothing to go on with"
        case Status.RUNNING:
            stands = "is being executed"
        case _:
            stands = "is ready to go on"
    console().print(text(f"{run_id} {stands}"))
