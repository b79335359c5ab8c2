"""A run and the processes it takes: what each leaves is looked at before the next one goes on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from .autopsy import Autopsy, Step, open_up
from .jobs import Job, Moment, Said
from .marks import read_marks
from .processes import Worker
from .schemas import Rows, Schema

__all__ = ["EXPECTED", "MOST", "Ending", "Scene", "Story"]

MOST = 30
"""Processes that no story may need."""

EXPECTED = (None, "OSError", "RunBusy", "RunWaiting")
"""What a process may raise: nothing, what the script provides for, and what tells it that others are to act."""


@dataclass(frozen=True)
class Ending:
    """What must not depend on how often a run was killed."""

    said: dict[str, Any]  # Any: JSON
    """History, usage and result, without times."""
    stored: tuple[Step, ...]
    """The steps."""


@dataclass(frozen=True)
class Scene:
    """A story between two of its processes."""

    folder: Path
    """Holds the files."""
    rows: Rows | None
    """What the database holds, if one does."""
    found: Autopsy
    settled: Mapping[str, int]


@dataclass
class Story:
    """One run; two workers take turns, so that no process goes on with what another one has in memory."""

    workers: Sequence[Worker]
    job: Job
    schema: Schema | None = None
    """Keeps the runs; None: a SQLite file does."""
    found: Autopsy = field(default_factory=Autopsy)
    """What the last process left."""
    processes: list[Said] = field(default_factory=list[Said])
    """The last word of each process before its end; the end itself if it had none."""
    seconds: list[float] = field(default_factory=list[float])
    """How long each of them took."""
    expected: Sequence[str | None] = EXPECTED
    """What its processes may raise."""
    settled: dict[str, int] = field(default_factory=dict[str, int])
    """How often the calls were made that will not be made again."""

    @classmethod
    def at(cls, workers: Sequence[Worker], folder: Path, job: Job, schema: Schema | None = None) -> Story:
        """A story in a folder of its own."""
        folder.mkdir(parents=True)
        if schema is None:
            return cls(workers, replace(job, folder=folder))
        schema.clear()
        return cls(workers, replace(job, folder=folder, server=schema.server, schema=schema.name), schema)

    def tell(self, crash: Moment | None = None, kill_after: float | None = None) -> Said:
        """One more process."""
        worker = self.workers[len(self.processes) % len(self.workers)]
        started = perf_counter()
        said = worker.do(self.next_job(crash, kill_after))
        self.seconds.append(perf_counter() - started)
        self.processes.append(said[-2] if len(said) > 1 else said[-1])
        assert self.processes[-1].raised in self.expected, f"a run must not fail with {self.processes[-1].raised}"
        self.look()
        return self.processes[-1]

    def scene(self, folder: Path) -> Scene:
        """The story as it stands, to be gone on with from here, more than once; kept in a new folder."""
        shutil.copytree(self.job.folder, folder)
        return Scene(folder, None if self.schema is None else self.schema.read(), self.found, dict(self.settled))

    @classmethod
    def going_on(
        cls, scene: Scene, workers: Sequence[Worker], folder: Path, job: Job, schema: Schema | None = None
    ) -> Story:
        """A story that begins with a scene of another one."""
        story = cls.at(workers, folder, job, schema)
        shutil.copytree(scene.folder, folder, dirs_exist_ok=True)
        if schema is not None and scene.rows is not None:
            schema.write(scene.rows)
        story.found, story.settled = scene.found, dict(scene.settled)
        return story

    def next_job(self, crash: Moment | None = None, kill_after: float | None = None) -> Job:
        """For a process that begins the run, or goes on where the last one stopped."""
        return replace(self.job, resume=self.found.run.status is not None, crash=crash, kill_after=kill_after)

    def finish(self) -> Ending:
        """Go on until the run has ended."""
        while (last := self.tell()).ended is None:
            assert len(self.processes) < MOST, f"the run does not end: {self.processes}"
        return Ending(last.ended, self.found.steps)

    def look(self) -> None:
        """Check what the last process left: whole rows, nothing lost, and no call made again whose end was stored."""
        self.found = open_up(self.job, self.schema)
        self.found.check()
        lost = [told for told in read_marks(self.job.told) if self.found.misses(told)]
        assert not lost, f"the store has lost what it said it had: {lost}"
        marks = read_marks(self.job.marks)
        again = {call: marks[call] for call, times in self.settled.items() if marks[call] != times}
        assert not again, f"calls that were made again, with their number of times: {again}"
        self.settled = {call: marks[call] for call in [*marks, *self.found.made] if self.found.holds(call)}
