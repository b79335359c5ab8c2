"""`agentgraph queues`: what stands in the queues of a database, and what they let happen at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Annotated

import typer
from pydantic_core import to_json
from rich import box
from rich.table import Table

from agentgraph.distributed import DBOSDispatcher, Limits, Load, LocalDispatcher, QueueState, Rate

from .dispatched import JsonOption, asked, of_database
from .errors import RefusedError
from .printing import age, console, text
from .stores import DEFAULT_STORE, StoreOption

__all__ = ["queues"]

_TENANTS = 10
"""So many of a queue are shown, those with most."""

queues = typer.Typer(
    name="queues", invoke_without_command=True, rich_markup_mode=None, help="Show the queues of submitted runs."
)

NumberOption = Annotated[str | None, typer.Option(metavar="N", help="At most so many at once; none: no limit.")]
RateOption = Annotated[
    str | None, typer.Option(metavar="N/S", help="At most N beginnings within any S seconds; none: no limit.")
]


@queues.callback()
def show(context: typer.Context, store: StoreOption = DEFAULT_STORE, *, json: JsonOption = False) -> None:
    """Show the queues of submitted runs: what waits, runs and is delayed, by tenant, and the limits."""
    if context.invoked_subcommand is not None:
        return
    found = asked(store, lambda dispatcher: dispatcher.state()).queues
    if json:
        told = [{**asdict(each), "load": asdict(each.load)} for each in found]
        console().print(to_json(told).decode(), soft_wrap=True)
    else:
        console().print(_table(found) if found else "no queues; nothing was ever submitted here")


@queues.command("set")
def set_limits(  # one parameter for each of the limits
    name: Annotated[str, typer.Argument(metavar="QUEUE")],
    *,
    store: StoreOption = DEFAULT_STORE,
    concurrency: NumberOption = None,
    per_worker: NumberOption = None,
    per_tenant: NumberOption = None,
    rate: RateOption = None,
    rate_per_tenant: RateOption = None,
) -> None:
    """Set limits of a queue; those that are not named stay as they are."""
    given = {"concurrency": concurrency, "per_worker": per_worker, "per_tenant": per_tenant}
    rates = {"rate": rate, "rate_per_tenant": rate_per_tenant}
    bounds = {key: _number(value) for key, value in given.items() if value is not None}
    paces = {key: _rate(value) for key, value in rates.items() if value is not None}
    if not (bounds or paces):
        raise RefusedError(f"no limit is named; name one, such as `agentgraph queues set {name} --concurrency 10`")
    limits = asked(store, partial(_set, name, {**bounds, **paces}))
    console().print(text(f"{name}: {_told(limits)}"))


@queues.command("remove")
def remove(store: StoreOption = DEFAULT_STORE) -> None:
    """Take all that dispatching needs out of a database that nobody serves; the runs stay."""
    asked(store, lambda dispatcher: of_database(dispatcher).remove())
    console().print("removed; runs that had not ended go on by `agentgraph resume`")


async def _set(
    name: str, changes: dict[str, int | Rate | None], dispatcher: DBOSDispatcher | LocalDispatcher
) -> Limits:
    found = {each.name: each.limits for each in (await of_database(dispatcher).state()).queues}
    limits = replace(found.get(name, Limits()), **changes)  # type: ignore[arg-type]  # by the names of its fields
    await dispatcher.limit(name, limits)
    return limits


def _number(written: str) -> int | None:
    if written == "none":
        return None
    if not written.isdecimal():
        raise RefusedError(f"{written!r} is no limit; write a number, or none")
    return int(written)


def _rate(written: str) -> Rate | None:
    if written == "none":
        return None
    found = re.fullmatch(r"(\d+)/(\d+(?:\.\d+)?)", written)
    if found is None:
        raise RefusedError(f"{written!r} is no rate; write beginnings/seconds, such as 10/2, or none")
    return Rate(int(found[1]), float(found[2]))


def _table(found: Sequence[QueueState]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("queue", no_wrap=True)
    for name in ("waiting", "oldest", "running", "delayed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("limits")
    for each in found:
        table.add_row(text(each.name), *_counts(each.load, each.oldest), _told(each.limits))
        if each.tenants.keys() - {"-"}:
            for tenant, load in list(each.tenants.items())[:_TENANTS]:
                table.add_row(text(f"  {tenant}"), *_counts(load), "")
        if len(each.tenants) > _TENANTS:
            table.add_row(f"  and {len(each.tenants) - _TENANTS} more tenants")
    return table


def _counts(load: Load, oldest: float | None = None) -> tuple[str, str, str, str]:
    return str(load.waiting), "" if oldest is None else age(oldest), str(load.running), str(load.delayed)


def _told(limits: Limits) -> str:
    """The limits in words."""
    rates = {"": limits.rate, " per tenant": limits.rate_per_tenant}
    bounds = limits.per_worker if limits.concurrency is None or (limits.per_worker or 0) < limits.concurrency else None
    told = [
        *(
            f"{value} {what}"
            for what, value in (
                ("at once", limits.concurrency),
                ("per worker", bounds),
                ("per tenant", limits.per_tenant),
            )
            if value is not None
        ),
        *(f"{rate.limit} in {rate.per:g} s{whose}" for whose, rate in rates.items() if rate is not None),
    ]
    return ", ".join(told) or "none"
