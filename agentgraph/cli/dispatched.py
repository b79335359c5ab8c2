"""The dispatcher that a command asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import anyio
import typer

from agentgraph.distributed import DBOSDispatcher, LocalDispatcher, open_dispatcher
from agentgraph.exceptions import StoreError

from .errors import RefusedError
from .stores import check_there, given_cipher

__all__ = ["JsonOption", "asked", "of_database"]

T = TypeVar("T")

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def asked(where: str, ask: Callable[[DBOSDispatcher | LocalDispatcher], Awaitable[T]]) -> T:
    """What the dispatcher of a store says.

    Raises:
        RefusedError: there is no store, or it cannot be opened.
        StoreError: it cannot be read.
    """
    return anyio.run(_asked, where, ask)


async def _asked(where: str, ask: Callable[[DBOSDispatcher | LocalDispatcher], Awaitable[T]]) -> T:
    check_there(where)
    try:
        dispatcher = open_dispatcher(where, cipher=given_cipher())
    except StoreError as error:
        raise RefusedError(error.message) from error
    async with dispatcher:
        return await ask(dispatcher)


def of_database(dispatcher: DBOSDispatcher | LocalDispatcher) -> DBOSDispatcher:
    """The dispatcher, if others can know what it does.

    Raises:
        RefusedError: it is one of a file.
    """
    if isinstance(dispatcher, DBOSDispatcher):
        return dispatcher
    raise RefusedError(
        "the runs of a file are executed by the processes that serve it, each of which has its own limits; nobody "
        "keeps a list of them, as a database does: give postgresql://…"
    )
