"""`agentgraph runs --watch`: how runs stand, shown anew each second; in a pipe, a line for each that has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import anyio
from rich.console import Console, RenderableType
from rich.live import Live

from agentgraph.graph import RunFilter, RunRecord

from .printing import console, text
from .stores import existing_store

__all__ = ["watch_runs"]

_EVERY = 1.0
"""Seconds between two looks."""


def watch_runs(
    where: str, which: Callable[[], RunFilter], show: Callable[[Sequence[RunRecord]], RenderableType]
) -> None:
    """Show the runs of a store as they change, until Ctrl-C.

    Raises:
        RefusedError: there is no store.
        StoreError: it can no longer be read.
    """
    with suppress(KeyboardInterrupt):
        anyio.run(_watch, where, which, show)


async def _watch(
    where: str, which: Callable[[], RunFilter], show: Callable[[Sequence[RunRecord]], RenderableType]
) -> None:
    screen = _Live(console(), show) if console().is_terminal else _Lines(console())
    async with existing_store(where) as store:
        with screen:
            while True:
                screen.tell(await store.list(which()))
                await anyio.sleep(_EVERY)


class _Live:
    """A table that is drawn anew."""

    def __init__(self, out: Console, show: Callable[[Sequence[RunRecord]], RenderableType]) -> None:
        self._live, self._show = Live(console=out, auto_refresh=False), show

    def tell(self, found: Sequence[RunRecord]) -> None:
        self._live.update(self._show(found), refresh=True)

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *_: object) -> None:
        self._live.stop()


class _Lines:
    """A line for each run that stands elsewhere than before, the oldest first."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._known: dict[str, tuple[str, int]] = {}

    def tell(self, found: Sequence[RunRecord]) -> None:
        stand = {run.run_id: (run.status, run.seq) for run in found}
        for run in reversed(found):
            if self._known.get(run.run_id) != stand[run.run_id]:
                self._out.print(text(_line(run)))
        self._known = {**stand}

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def _line(run: RunRecord) -> str:
    at = datetime.fromtimestamp(run.updated_at, UTC).astimezone().strftime("%H:%M:%S")
    return f"{at} {run.run_id} {run.status} {run.agent or run.graph} {run.seq} step(s)"
