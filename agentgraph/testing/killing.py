"""Crashes a scenario at each of its commit points by SIGKILL: every process is a fork of this one."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from os import PathLike
from pathlib import Path
from traceback import format_exception
from typing import Any, NoReturn

import anyio
from pydantic import TypeAdapter
from pydantic_core import to_json

from agentgraph.exceptions import UserError

from .attempt import Scenario
from .calls import MadeCall
from .living import live
from .places import sqlite_in
from .plan import Died, Life, Lived, Note, Process, plan
from .report import CrashReport

__all__ = ["kill_points"]

_KINDS: Mapping[str, type] = {kind.__name__: kind for kind in (MadeCall, Died, Lived, str)}
"""What stands in the notes of a process; a text is what broke it."""


def kill_points(scenario: Scenario, folder: str | PathLike[str], *, backend: str = "asyncio") -> CrashReport:
    """As `crash_points`, on SQLite files in an empty folder, each death being a SIGKILL. Linux only.

    Nothing of one process reaches the next but the file and what the scenario itself leaves outside. Call it from sync
    code while no other thread works, for a fork has none of its parent's threads.

    Args:
        scenario: runs the agent to its end with `attempt.options`, the same way each time it is called.
        folder: for the stores and the notes of the processes.
        backend: the event loop of the processes: `'asyncio'` or `'trio'`.

    Raises:
        UserError: this is not Linux, or a process ended with an error; it has printed which.
    """
    if sys.platform != "linux":
        raise UserError("only Linux tells at once that a process has died; take `crash_points` here")
    steps = plan()
    process = next(steps)
    while True:
        notes = _Notes(Path(folder) / f"process-{process.place}-{'first' if process.first else 'second'}")
        _fork(partial(_main, scenario, Path(folder), process, notes, backend))
        try:
            process = steps.send(notes.read())
        except StopIteration as ended:
            report: CrashReport = ended.value
            return report


@dataclass(frozen=True)
class _Notes:
    """What a process has to tell: lines of a file, written at once, so that they outlive it."""

    path: Path

    def write(self, note: Note | str) -> None:
        with self.path.open("ab", buffering=0) as file:
            file.write(b"%b %b\n" % (type(note).__name__.encode(), to_json(note)))

    def read(self) -> Life:
        """All that was told.

        Raises:
            UserError: the process has broken down.
        """
        lines = [line.partition(b" ") for line in self.path.read_bytes().splitlines()] if self.path.exists() else []
        told = [_adapter(_KINDS[kind.decode()]).validate_json(value) for kind, _, value in lines]
        if not told or isinstance(told[-1], MadeCall | str):
            how = told[-1] if told and isinstance(told[-1], str) else "it has not said how"
            raise UserError(f"a process of the scenario has broken down:\n{how}")
        return Life.told(told)


def _main(scenario: Scenario, folder: Path, process: Process, notes: _Notes, backend: str) -> None:
    """The whole life of a process."""
    die = partial(os.kill, os.getpid(), signal.SIGKILL)
    try:
        anyio.run(live, scenario, sqlite_in(folder), process, notes.write, die, backend=backend)
    except BaseException as error:  # noqa: BLE001 - whatever it is, nobody else is there to tell it
        notes.write("".join(format_exception(error)))


def _fork(main: Callable[[], None]) -> None:
    """Run `main` in a fork, in a thread of its own, where no event loop of the parent is known; wait for its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which the caller answers for
        child = os.fork() or _end_with(main)
    os.waitpid(child, 0)


def _end_with(main: Callable[[], None]) -> NoReturn:
    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
    os._exit(0)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # Any: of the types above
    return TypeAdapter(kind)
