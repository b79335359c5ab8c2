"""Submits runs: the part that is the same for every dispatcher, which is nearly all of it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from agentgraph.clock import SystemClock
from agentgraph.exceptions import RunBusy, RunExists, RunFenced, UserError
from agentgraph.graph import (
    Dispatch,
    Observer,
    RunRecord,
    Settlement,
    Status,
    Store,
    Submission,
    Submittable,
    Submitted,
)
from agentgraph.graph.lifecycle import Event
from agentgraph.naming import variable_name

from .port import SubmitOptions
from .telling import tell_all

__all__ = ["queue_name", "submit", "wake"]

StartT = TypeVar("StartT")

_OURS = ("queue", "tenant", "priority", "delay")

_LONGEST = 100 * 365.25 * 86_400
"""Seconds by which a beginning may be delayed."""

_LAST = 2**31
"""Of priorities: all databases keep those below."""


def queue_name(name: str, version: str | None) -> str:
    """What a queue is called where runs of several versions of the code are about: each has queues of its own."""
    return name if version is None else f"{name}@{version}"


async def submit(
    store: Store,
    what: Submittable[StartT],
    start: StartT,
    options: SubmitOptions,
    version: str | None,
    observers: Sequence[Observer] = (),
) -> RunRecord:
    """Create a run that stands in its queue, or find the one that was created before under the same id.

    Observers are told of one that was created.

    Raises:
        UserError, RunExists, RunBusy, RunNotResumable, StoreError: see `Dispatcher.submit`.
    """
    given: Mapping[str, Any] = {name: value for name, value in options.items() if value is not None}
    unknown = given.keys() - SubmitOptions.__annotations__.keys()
    if unknown:
        there_are = ", ".join(SubmitOptions.__annotations__)
        raise UserError(f"`submit` has no option {', '.join(sorted(unknown))}; it has {there_are}")
    rest = {name: value for name, value in given.items() if name not in _OURS}
    what.name = what.name or variable_name(what, inspect.currentframe())
    how = _dispatch(what, options, version)
    try:
        record = await what.__submit__(start, Submission(store=store, dispatch=how), rest)
    except RunExists as error:
        found = await store.load(error.run_id or "")
        if found.dispatch is None or what.name not in (found.agent, found.graph):
            raise
        return found
    tell_all(observers, record.run_id, record.seq, Submitted(how.queue, how.tenant))
    return record


async def wake(store: Store, run_id: str) -> RunRecord:
    """Make a run ready to go on, whatever became of it: it is claimed and released. Nothing, if it is executed.

    Raises:
        RunNotFound: there is no such run.
        UserError: it was never submitted.
        StoreError: the store cannot be written.
    """
    record = await store.load(run_id)
    if record.dispatch is None:
        raise UserError(f"run {run_id!r} was not submitted: go on with it by `resume={run_id!r}`")
    with suppress(RunBusy, RunFenced):
        claimed = await store.claim(run_id)
        if claimed.status is Status.RUNNING:
            await store.settle(Settlement(run_id=run_id, epoch=claimed.epoch, event=Event.RELEASE))
    return await store.load(run_id)


def _dispatch(what: Submittable[Any], options: SubmitOptions, version: str | None) -> Dispatch:
    if what.name is None:
        raise UserError("what is submitted is found again by its name: give the agent or graph `name=`")
    delay, priority = options.get("delay") or 0.0, options.get("priority") or 0
    if not (0 <= delay < _LONGEST and 0 <= priority < _LAST):  # nor is it a number that is not one
        raise UserError(
            f"delay={delay}, priority={priority} make no sense; neither can be below 0, a delay is shorter than "
            f"a century, a priority below {_LAST}"
        )
    return Dispatch(
        queue=queue_name(options.get("queue") or what.name, version),
        tenant=options.get("tenant"),
        priority=priority,
        after=SystemClock().now().timestamp() + delay if delay else None,
    )
