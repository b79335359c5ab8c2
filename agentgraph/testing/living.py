"""One process of a scenario, from opening the store to its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from anyio import CancelScope

from agentgraph.agent.observers import observed_by
from agentgraph.exceptions import UserError
from agentgraph.graph import Status, Store

from .attempt import Attempt, Scenario
from .calls import CallLog
from .ending import find_run, read_ending
from .mortal import Death, mortal
from .places import OpenStore
from .plan import Died, Lived, Note, Process

__all__ = ["live"]

_STOPPED = (Status.FAILED, Status.WAITING, Status.CANCELLED)
"""A run that a scenario may well leave with an error."""


async def live(
    scenario: Scenario, store: OpenStore, process: Process, note: Callable[[Note], None], die: Callable[[], object]
) -> None:
    """Live through a process. What happens is told by `note`; `die` ends the process where it has to, if it can.

    Raises:
        UserError: the scenario does not run an agent where it is told to, or the place was not empty.
        Exception: what the scenario raises although nobody has killed it and its run has not failed.
    """
    dead = list[str]()

    def ends(write: str) -> None:
        dead.append(write)
        note(Died(write))
        die()

    async with _opened(store, process.place) as opened:
        resumes = await find_run(opened) is not None
        if process.first and resumes:
            raise UserError(f"place {process.place} of the stores holds a run already: `store` has to open empty ones")
        attempt = Attempt(mortal(opened, process.dies_at, ends), process.first, resumes)
        with observed_by(CallLog(note)):
            raised = await _outcome(scenario, attempt)
    if dead:
        return
    async with _opened(store, process.place) as opened:
        if raised is not None and process.first:
            await _check(opened, raised)
        ending = await read_ending(opened)
    note(Lived(ending, None if raised is None else f"{type(raised).__name__}: {raised}"))


async def _outcome(scenario: Scenario, attempt: Attempt) -> Exception | None:
    """What the scenario raises; a death is none of it, whatever comes with it."""
    try:
        await scenario(attempt)
    except Death:
        return None
    except BaseExceptionGroup as group:
        deaths, others = group.split(Death)
        if others is not None and not isinstance(others, Exception):
            raise others from None
        return others if deaths is None else None
    except Exception as error:  # noqa: BLE001 - whatever it is, the report says it
        return error
    return None


async def _check(store: Store, raised: Exception) -> None:
    record = await find_run(store)
    if record is None or record.status not in _STOPPED:
        raise raised


@asynccontextmanager
async def _opened(store: OpenStore, place: int) -> AsyncGenerator[Store]:
    """A store that is closed afterwards, which gives up what it holds, as the end of its process does."""
    opened = store(place)
    try:
        yield opened
    finally:
        with CancelScope(shield=True):
            await opened.aclose()
