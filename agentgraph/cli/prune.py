"""`agentgraph prune`: deletes old runs, and says which stay because others need them."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import Annotated

import anyio
import typer

from agentgraph.graph import Status
from agentgraph.stores import Keep, Pruned, prune as prune_store

from .errors import RefusedError
from .printing import console, text
from .runs import status_named
from .stores import DEFAULT_STORE, StoreOption, existing_store

__all__ = ["prune"]

_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def prune(
    older_than: Annotated[str, typer.Option(metavar="AGE", help="For example 30d, 12h or 90min.")],
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="S", help="Runs with this status stay, by default all that could still go on; none: any may go."
        ),
    ] = None,
    keep_agent: Annotated[list[str] | None, typer.Option(metavar="A", help="Runs of this agent stay.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing.")] = False,  # noqa: FBT002 - a flag
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Delete the runs that were last written so long ago."""
    agents = keep_agent or ()
    kept = Keep(statuses=_statuses(keep), agents=agents) if keep else Keep(agents=agents)
    done = anyio.run(partial(_prune, store, _age(older_than), kept, dry_run=dry_run))
    out = console()
    for stays in done.kept:
        out.print(text(f"{stays.run_id} stays: {stays.why}"))
    what = "would be deleted" if dry_run else "deleted"
    out.print(text(f"{len(done.deleted)} run(s) {what}"))


async def _prune(where: str, age: timedelta, keep: Keep, *, dry_run: bool) -> Pruned:
    async with existing_store(where) as store:
        return await prune_store(store, age, keep=keep, dry_run=dry_run)


def _statuses(names: list[str]) -> frozenset[Status]:
    return frozenset() if names == ["none"] else frozenset(map(status_named, names))


def _age(written: str) -> timedelta:
    found = re.fullmatch(r"(\d+) ?(s|min|h|d|w)", written)
    if found is None:
        raise RefusedError(f"{written!r} is no age; write a number and {', '.join(_UNITS)}, such as 30d")
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        raise RefusedError(f"{written!r} is longer than there were runs") from None
