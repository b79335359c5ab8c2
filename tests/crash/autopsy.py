"""What a process has left in the store, read by SQL, so that the next process finds the store untouched.

A SQLite file is looked at as the next process will see it: a copy, the log of SQLite included.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, LiteralString

from .jobs import RUN_ID, Job
from .schemas import Schema
from .times import timeless

__all__ = ["Autopsy", "Found", "Step", "everything", "open_up"]

Step = tuple[str, int, str, str, bytes, bytes, bytes]
"""Run, seq, node, outcome, body, state and usage, without times."""

Ask = Callable[[LiteralString], list[tuple[Any, ...]]]
"""Asks the store for rows. Any: the drivers do not know the types of columns."""

LOSSES = "agentgraph: processes lost"

MADE = frozenset({"done", "lost"})
"""Journal rows of calls that are not made again."""


@dataclass(frozen=True)
class Found:
    """A run as it is stored."""

    status: str | None = None
    """None: the run was not created."""
    seq: int = 0
    first: int = -1
    """The step it begins with: the opening, or where it was forked."""
    steps: tuple[Step, ...] = ()
    journal: tuple[tuple[int, str, str], ...] = ()
    """Seq, key and kind of each row."""
    losses: tuple[tuple[int, str, str], ...] = field(default=(), compare=False)
    """The rows that say how many processes were lost."""
    rest: tuple[object, ...] = ()
    """What else the rows say of it, without times, and but for who executes it and how often it was begun."""

    def check(self) -> None:
        """Every step is there once, without gaps; only the pending step has a journal, a finished run has none."""
        assert [step[1] for step in self.steps] == list(range(self.first, self.seq))
        outcomes = [step[3] for step in self.steps]
        nodes = [step[2] for step in self.steps]
        assert nodes[1:] == outcomes[:-1], "a step ran another node than the one before it led to"
        assert {seq for seq, *_ in self.journal} <= ({self.seq} if self.status != "succeeded" else set())


@dataclass(frozen=True)
class Autopsy:
    """All runs of the store."""

    runs: Mapping[str, Found] = field(default_factory=dict[str, Found])

    @property
    def run(self) -> Found:
        """The one that every story begins with."""
        return self.runs.get(RUN_ID, Found())

    @property
    def steps(self) -> tuple[Step, ...]:
        """Of all runs."""
        return tuple(step for run in self.runs.values() for step in run.steps)

    @property
    def made(self) -> list[str]:
        """The calls that the journal says were made, `run/seq/key`."""
        return [
            f"{run_id}/{seq}/{key}"
            for run_id, run in self.runs.items()
            for seq, key, kind in run.journal
            if kind in MADE
        ]

    def check(self) -> None:
        """Every run is whole."""
        for run in self.runs.values():
            run.check()

    def misses(self, told: str) -> bool:
        """Whether something is not there that the process was told to be written: `call run/seq/key` for example."""
        what, _, where = told.partition(" ")
        run_id, seq, key = where.rsplit("/", 2)
        run = self.runs.get(run_id, Found())
        if what == "answer":
            return int(seq) >= run.seq and (int(seq), key, "asked") in run.journal
        if what == "row":
            return int(seq) >= run.seq and (int(seq), key) not in {row[:2] for row in (*run.journal, *run.losses)}
        return int(seq) >= run.seq if what == "step" else not self.holds(where)

    def holds(self, call: str) -> bool:
        """Whether the call with this mark (`run/seq/key`) was committed, by its step or its journal row."""
        run_id, seq, key = call.rsplit("/", 2)
        run = self.runs.get(run_id, Found())
        return int(seq) < run.seq or any((int(seq), key, kind) in run.journal for kind in MADE)


def open_up(job: Job, schema: Schema | None) -> Autopsy:
    """Read the runs of a job's store."""
    if schema is not None:
        return _read(schema.ask)
    with closing(_copy(job)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
            return Autopsy()
        return _read(lambda query: connection.execute(query).fetchall())


def everything(job: Job) -> list[str]:
    """All rows of all tables of a file, but for the lease's end, which its owner moves."""
    with closing(_copy(job)) as connection:
        connection.execute("UPDATE runs SET lease_until = 0")
        return list(connection.iterdump())


def _read(ask: Ask) -> Autopsy:
    steps = ask("SELECT run_id, seq, node, outcome, body, state, usage FROM steps ORDER BY run_id, seq")
    journal = ask("SELECT run_id, seq, key, kind, digest, value, usage FROM journal ORDER BY run_id, seq, key")
    by_run = {run_id: tuple(map(_timeless, rows)) for run_id, rows in groupby(steps, lambda row: row[0])}
    calls = {run_id: tuple(rows) for run_id, rows in groupby(journal, lambda row: row[0])}
    runs = ask("SELECT run_id, status, seq, origin_seq, origin_run, parent, pending, state, usage, error FROM runs")
    found = dict[str, Found]()
    for run_id, status, seq, first, *rest in sorted(runs):
        rows = [row for row in calls.get(run_id, ()) if row[2] != LOSSES]
        losses = tuple(row[1:4] for row in calls.get(run_id, ()) if row[2] == LOSSES)
        values = (*rest, *((digest, timeless(value), usage) for *_, digest, value, usage in rows))
        kinds = tuple((at, key, kind) for _, at, key, kind, *_ in rows)
        begins = -1 if first is None else first
        found[run_id] = Found(status, seq, begins, by_run.get(run_id, ()), kinds, losses, values)
    assert set(by_run) | set(calls) <= set(found), "rows of a run that is not there"
    return Autopsy(found)


def _timeless(step: Step) -> Step:
    run_id, seq, node, outcome, body, state, usage = step
    return run_id, seq, node, outcome, timeless(body), state, usage


def _copy(job: Job) -> sqlite3.Connection:
    folder = job.folder / "autopsy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    copy_file(job.store, folder)
    connection = sqlite3.connect(folder / job.store.name, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def copy_file(store: Path, folder: Path) -> None:
    """Copy what a killed process has left, as it would be found after a restart of the machine."""
    for path in store.parent.glob(f"{store.name}*"):
        if not path.name.endswith("-shm"):  # an index of the log, made anew by whoever opens the file first
            shutil.copy(path, folder)
