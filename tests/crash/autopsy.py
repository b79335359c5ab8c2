"""What a process has left in the file, read by SQL from a copy, so that the next process finds the file untouched.

The copy is looked at as the next process will see it: the log of SQLite is part of it.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from .times import timeless

__all__ = ["Autopsy", "Step", "everything", "open_up"]

Step = tuple[int, str, str, bytes, bytes, bytes]
"""Seq, node, outcome, body, state and usage, without times."""


@dataclass(frozen=True)
class Autopsy:
    """A run as it is stored."""

    status: str | None = None
    """None: the run was not created."""
    seq: int = 0
    steps: tuple[Step, ...] = ()
    journal: tuple[tuple[int, str], ...] = ()
    """Seq and key of each row."""

    def check(self) -> None:
        """Every step is there once, without gaps; only the pending step has a journal, a finished run has none."""
        numbers = [step[0] for step in self.steps]
        assert numbers == ([] if self.status is None else list(range(-1, self.seq)))
        outcomes = [step[2] for step in self.steps]
        nodes = [step[1] for step in self.steps]
        assert nodes[1:] == outcomes[:-1], "a step ran another node than the one before it led to"
        assert {seq for seq, _ in self.journal} <= ({self.seq} if self.status != "succeeded" else set())

    def misses(self, told: str) -> bool:
        """Whether something is not there that the process was told to be written: `step 3` or `call 3/key`."""
        what, _, where = told.partition(" ")
        return int(where) >= self.seq if what == "step" else not self.holds(f"run/{where}")

    def holds(self, call: str) -> bool:
        """Whether the call with this mark (`run/seq/key`) was committed, by its step or its journal row."""
        _, seq, key = call.split("/", 2)
        return int(seq) < self.seq or (int(seq), key) in self.journal


def open_up(store: Path, folder: Path) -> Autopsy:
    """Read the run in `store`, working in `folder`."""
    with closing(_copy(store, folder)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
            return Autopsy()
        status, seq = connection.execute("SELECT status, seq FROM runs").fetchone() or (None, 0)
        steps = connection.execute("SELECT seq, node, outcome, body, state, usage FROM steps ORDER BY branch, seq")
        journal = connection.execute("SELECT seq, key FROM journal ORDER BY seq, key")
        return Autopsy(status, seq, tuple(_timeless(step) for step in steps), tuple(journal))


def everything(store: Path, folder: Path) -> list[str]:
    """All rows of all tables, but for the lease's end, which its owner moves."""
    with closing(_copy(store, folder)) as connection:
        connection.execute("UPDATE runs SET lease_until = 0")
        return list(connection.iterdump())


def _timeless(step: Step) -> Step:
    seq, node, outcome, body, state, usage = step
    return seq, node, outcome, timeless(body), state, usage


def _copy(store: Path, folder: Path) -> sqlite3.Connection:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in store.parent.glob(f"{store.name}*"):
        if not path.name.endswith("-shm"):  # an index of the log, made anew by whoever opens the file first
            shutil.copy(path, folder)
    connection = sqlite3.connect(folder / store.name, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    return connection
