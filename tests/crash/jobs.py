"""What a worker is asked to do, and what it says: a line of JSON each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

__all__ = ["ONE_RUN", "PATIENCE", "RUN_ID", "Door", "Job", "Moment", "Said", "say"]

RUN_ID = "r"

PATIENCE = 30.0
"""Seconds after which a process that neither ends nor says anything is taken to hang."""

NO_LEASE_HELPS = 3600.0
"""A lease that no test lives to see end: a run that is taken over was taken from a dead owner."""


class Door(StrEnum):
    """How the run is run."""

    RUN = "run"
    RUN_SYNC = "run_sync"
    RUN_STREAM = "run_stream"
    GRAPH = "graph"
    GRAPH_SYNC = "graph_sync"
    OFFICE = "office"
    """Runs that wait, children and forks: each process does what is to be done next."""
    OFFICE_STREAM = "office_stream"


ONE_RUN = [door for door in Door if door not in (Door.OFFICE, Door.OFFICE_STREAM)]
"""Those by which every process runs the same run."""


@dataclass(frozen=True)
class Moment:
    """When a process kills itself: before or after its n-th write to the store."""

    when: str
    write: int

    def __str__(self) -> str:
        return f"{self.when}:{self.write}"

    @classmethod
    def read(cls, text: str) -> Moment:
        when, _, write = text.partition(":")
        return cls(when, int(write))


@dataclass(frozen=True, kw_only=True)
class Job:
    """One process's share of a run."""

    folder: Path
    """Holds the store's file, the marks and the gates."""
    door: Door = Door.RUN
    backend: str = "asyncio"
    server: str = field(default="", repr=False)
    """The PostgreSQL server that keeps the run; empty: a SQLite file in the folder does."""
    schema: str = ""
    """Where on that server."""
    resume: bool = False
    crash: Moment | None = None
    kill_after: float | None = None
    """Seconds after which the process is killed from outside."""
    gates: Sequence[str] = ()
    """Where the process stops until the test opens the gate."""
    lease: float = NO_LEASE_HELPS
    exits: bool = False
    """End the interpreter in good order, at six times the cost, instead of vanishing when all is said."""
    room: int | None = None
    """Bytes by which the files of the store may grow."""
    crowd: bool = False
    """Have many processes resume many runs at once, whatever the door."""
    program: list[dict[str, Any]] | None = None  # Any: JSON
    """Have a tree of forks walked, whatever the door."""
    sigterm_exits: bool = False
    """Turn SIGTERM into SystemExit, as servers do."""

    @property
    def store(self) -> Path:
        return self.folder / "runs.db"

    @property
    def marks(self) -> Path:
        return self.folder / "marks"

    @property
    def told(self) -> Path:
        return self.folder / "told"

    @property
    def failed(self) -> Path:
        return self.folder / "failed"

    def gate(self, name: str) -> Path:
        return self.folder / f"gate {name}"

    def line(self) -> bytes:
        return to_json(self) + b"\n"

    @classmethod
    def read(cls, line: bytes) -> Job:
        return _JOB.validate_json(line)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a process, or the worker that started it, says."""

    pid: int
    at: str | None = None
    """It stands at this gate."""
    left: str | None = None
    """It was cancelled at this gate."""
    ended: dict[str, Any] | None = None  # Any: JSON of the run's end
    """The run ended, with this history, usage and result."""
    raised: str | None = None
    """The run raised an exception of this type."""
    why: str = ""
    """What that exception says."""
    writes: int = 0
    """How many writes the store took from it."""
    exit: int | None = None
    """The process is gone: its exit code, or less than 0 the signal that killed it."""

    @classmethod
    def read(cls, line: bytes) -> Said:
        return _SAID.validate_json(line)


_JOB, _SAID = TypeAdapter(Job), TypeAdapter(Said)


def say(what: Said) -> None:
    """Write a line at once; no buffer of it dies with the process, or is inherited by another one."""
    os.write(1, to_json(what) + b"\n")
