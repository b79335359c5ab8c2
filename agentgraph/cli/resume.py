"""`agentgraph resume`: goes on with a run of one's own agent."""

from __future__ import annotations

import traceback
from typing import Annotated, Any

import anyio
import typer

from agentgraph.agent import Agent
from agentgraph.exceptions import UserError
from agentgraph.graph import Store

from .errors import FailedError, RefusedError
from .printing import console
from .screen import Screen, screen_for
from .stores import DEFAULT_STORE, StoreOption, existing_store
from .target import is_agent, load
from .walk import walk

__all__ = ["resume"]


def resume(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id, as `agentgraph runs` lists it.")],
    agent: Annotated[str, typer.Option(metavar="MODULE:ATTR", help="The agent that the run belongs to.")],
    deps: Annotated[
        str | None,
        typer.Option(metavar="MODULE:ATTR", help="Its deps, or a function without arguments that makes them."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Go on with a run where it was last committed."""
    found = load(agent)
    if not is_agent(found):
        raise RefusedError(f"{agent} is a {type(found).__name__}, not an Agent")
    anyio.run(_resume, found, _made(deps) if deps else None, store, run_id)


def _made(target: str) -> object:
    given = load(target)
    return given() if callable(given) else given


async def _resume(agent: Agent[Any, Any], deps: object, where: str, run_id: str) -> None:
    async with existing_store(where) as store:
        await store.load(run_id)  # a wrong id is the caller's mistake; what comes now can fail
        screen = screen_for(console())
        try:
            await _go_on(agent, deps, store, run_id, screen)
        except Exception as error:
            if isinstance(error, UserError) and not _notes(error):  # refused before the run was claimed
                raise
            raise FailedError(_told(error)) from error
        finally:
            screen.close()


async def _go_on(agent: Agent[Any, Any], deps: object, store: Store, run_id: str, screen: Screen) -> None:
    async with agent.iter(resume=run_id, store=store, deps=deps) as run:
        await walk(run, screen.tell, streamed=False)


def _told(error: Exception) -> str:
    """What failed and, for an error of the user's own code, where."""
    if not _notes(error):
        return str(error)
    *_, last = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno}; {_notes(error)})"


def _notes(error: Exception) -> str:
    """Which step of the run raised it; the engine leaves such a note on errors that are not its own."""
    return "; ".join(getattr(error, "__notes__", ()))
