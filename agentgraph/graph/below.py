"""Runs that a node starts: they belong to its run, are kept where it is kept, and go on with it.

The id of such a child is that of its parent, the branch and the step, and a key. A step that runs again finds the
children it had by their ids, and goes on with them where they stood. What a child was asked is kept with it as a
digest, so that no child is taken for one that was asked something else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol, TypeVar

import anyio

from agentgraph.clock import Clock
from agentgraph.exceptions import GraphRuntimeError, RunBusy, RunExists, RunNotFound, RunNotResumable

from .events import Observer
from .journal import Journal
from .lifecycle import Status
from .store import RunFilter, RunReader, RunRecord, Store

__all__ = ["Place", "RunsBelow", "cancel_tree", "check_asked", "child_key", "find_child", "once_free"]

StartT_contra = TypeVar("StartT_contra", contravariant=True)
OutcomeT_co = TypeVar("OutcomeT_co", covariant=True)
T = TypeVar("T")

_LOOKS = 0.1
"""Seconds after which a child that another owner has is asked for again, and by which a lease's end may be missed."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a child belongs."""

    run_id: str
    """Its id."""
    parent: str
    """The id of the run that starts it."""
    state: object
    """The state of that run's node; what the child has used may be counted there."""
    store: Store | None
    """Where both are kept; None: nowhere."""
    clock: Clock
    observers: Sequence[Observer]
    """Those of the run that starts it."""


class RunsBelow(Protocol[StartT_contra, OutcomeT_co]):
    """What `ctx.run` can run: a graph, an agent."""

    async def __run_below__(self, start: StartT_contra, place: Place, options: Mapping[str, Any], /) -> OutcomeT_co:
        """Run from `start` at this place to the end, or go on with the run that is there.

        Raises:
            RunNotResumable: the run that is there was asked something else.
            Exception: as `run` of it.
        """
        ...


def child_key(journal: Journal, key: str | None) -> str:
    """The key of the pending step's next child; by default the count of those that this attempt has started.

    Raises:
        GraphRuntimeError: this attempt has a child with the key.
    """
    chosen = str(len(journal.children)) if key is None else key
    if chosen in journal.children:
        message = f"step {journal.seq} starts two runs under the key {chosen!r}: give each a key of its own"
        raise GraphRuntimeError(message)
    journal.children += (chosen,)
    return chosen


async def find_child(store: RunReader, run_id: str) -> RunRecord | None:
    """The run that an earlier attempt of the step started under this id, if it did.

    Raises:
        StoreError: the store cannot be read.
    """
    try:
        return await store.load(run_id)
    except RunNotFound:
        return None


async def once_free(take: Callable[[], Awaitable[T]]) -> T:
    """Take a child over as soon as it can be had: by `take`, which is called again until then.

    Its owner has lost the run above it, for that was taken over. But the child was begun later, so its lease may be
    over later; or its owner lives, and is about to find out.

    Raises:
        RunBusy: its owner has it longer than its lease was at first.
        Exception: what `take` raises.
    """
    until = inf
    while True:
        try:
            return await take()
        except RunExists:
            continue  # the former owner has begun it since it was looked for: it is there now
        except RunBusy as busy:
            now = anyio.current_time()
            if now >= until:
                raise
            until = min(until, now + busy.seconds + _LOOKS)
            await anyio.sleep(min(_LOOKS, busy.seconds + _LOOKS / 10))


def check_asked(run_id: str, before: str | None, now: str) -> None:
    """Refuse to take a child for one that was asked something else; the digests of both are given.

    Raises:
        RunNotResumable: they differ.
    """
    if before != now:
        problem = "an earlier attempt of what starts it asked something else; give each child its own `key=`"
        raise RunNotResumable(run_id, [problem])


async def cancel_tree(store: Store, run_id: str) -> Status:
    """Ask for the cancellation of a run and of all its children; returns the status of the run.

    Raises:
        RunNotFound: there is no such run.
        StoreError: the store cannot be written.
    """
    status = await store.cancel(run_id)
    before: tuple[float, str] | None = None
    while page := await store.list(RunFilter(parent=run_id, before=before)):
        for child in page:
            await cancel_tree(store, child.run_id)
        before = page[-1].created_at, page[-1].run_id
    return status
