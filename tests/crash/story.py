"""A run and the processes it takes: what each leaves is looked at before the next one goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from .autopsy import Autopsy, Step, open_up
from .jobs import Job, Moment, Said
from .marks import read_marks
from .processes import Worker

__all__ = ["Ending", "Story"]

MOST = 12
"""Processes that no story may need."""


@dataclass(frozen=True)
class Ending:
    """What must not depend on how often a run was killed."""

    said: dict[str, Any]  # Any: JSON
    """History, usage and result, without times."""
    stored: tuple[Step, ...]
    """The steps."""


@dataclass
class Story:
    """One run; two workers take turns, so that no process goes on with what another one has in memory."""

    workers: Sequence[Worker]
    job: Job
    found: Autopsy = field(default_factory=Autopsy)
    """What the last process left."""
    processes: list[Said] = field(default_factory=list[Said])
    """The last word of each process before its end; the end itself if it had none."""
    seconds: list[float] = field(default_factory=list[float])
    """How long each of them took."""
    _settled: dict[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def at(cls, workers: Sequence[Worker], folder: Path, job: Job) -> Story:
        """A story in a folder of its own."""
        folder.mkdir(parents=True)
        return cls(workers, replace(job, folder=folder))

    def tell(self, crash: Moment | None = None, kill_after: float | None = None) -> Said:
        """One more process."""
        worker = self.workers[len(self.processes) % len(self.workers)]
        started = perf_counter()
        said = worker.do(self.next_job(crash, kill_after))
        self.seconds.append(perf_counter() - started)
        self.processes.append(said[-2] if len(said) > 1 else said[-1])
        self.look()
        return self.processes[-1]

    def next_job(self, crash: Moment | None = None, kill_after: float | None = None) -> Job:
        """For a process that begins the run, or goes on where the last one stopped."""
        return replace(self.job, resume=self.found.status is not None, crash=crash, kill_after=kill_after)

    def finish(self) -> Ending:
        """Go on until the run has ended."""
        while (last := self.tell()).ended is None:
            assert len(self.processes) < MOST, f"the run does not end: {self.processes}"
        return Ending(last.ended, self.found.steps)

    def look(self) -> None:
        """Check what the last process left: whole rows, nothing lost, and no call made again whose end was stored."""
        self.found = open_up(self.job.store, self.job.folder / "autopsy")
        self.found.check()
        lost = [told for told in read_marks(self.job.told) if self.found.misses(told)]
        assert not lost, f"the store has lost what it said it had: {lost}"
        marks = read_marks(self.job.marks)
        again = {call: marks[call] for call, times in self._settled.items() if marks[call] != times}
        assert not again, f"calls that were made again, with their number of times: {again}"
        self._settled = {call: times for call, times in marks.items() if self.found.holds(call)}
