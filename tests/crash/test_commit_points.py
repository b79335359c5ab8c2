"""Killed before and after every write to the store in turn, a run ends as if it had not been."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from shutil import rmtree

import pytest

from .conftest import Unkilled
from .jobs import ONE_RUN, Door, Job, Moment
from .marks import read_marks
from .processes import Workers
from .schemas import Schema
from .story import MOST, Ending, Scene, Story

PLACES = [
    ("sqlite", Door.RUN, "asyncio"),
    ("sqlite", Door.RUN_STREAM, "trio"),
    ("sqlite", Door.GRAPH, "asyncio"),
    ("sqlite", Door.OFFICE_STREAM, "asyncio"),
    ("postgres", Door.RUN, "trio"),
    ("postgres", Door.RUN_STREAM, "asyncio"),
    ("postgres", Door.GRAPH, "trio"),
    ("postgres", Door.OFFICE, "trio"),
]
everywhere = pytest.mark.parametrize(("where", "door", "backend"), PLACES)


@dataclass(frozen=True)
class Unhurt:
    """A story that nobody kills: what there was before and after each of its processes."""

    scenes: list[Scene]
    writes: list[int]

    @classmethod
    def told(cls, story: Story, ending: Ending) -> Unhurt:
        unhurt = cls([], [])
        while True:
            unhurt.scenes.append(story.scene(story.job.folder.with_name(f"scene {len(unhurt.scenes)}")))
            if unhurt.scenes[-1].found.steps == ending.stored:
                return unhurt
            unhurt.writes.append(story.tell().writes)
            assert story.processes[-1].ended in (None, ending.said)

    def points(self) -> Iterator[tuple[int, Moment]]:
        """Before and after each write of each process."""
        for process, count in enumerate(self.writes):
            for write in range(1, count + 1):
                yield process, Moment("before", write)
                yield process, Moment("after", write)


@pytest.mark.parametrize("door", ONE_RUN)
def test_what_is_compared_is_the_whole_run(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door))
    assert story.finish() == unkilled[door].ending
    assert [said.raised for said in story.processes] == ["OSError", None]
    assert set(read_marks(story.job.marks).values()) == {1}


@pytest.mark.parametrize("door", [Door.OFFICE, Door.OFFICE_STREAM])
def test_what_is_compared_are_all_runs_of_the_office(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door))
    assert story.finish() == unkilled[door].ending
    assert [said.raised for said in story.processes] == ["RunWaiting", None, None, "RunWaiting", None, None, None]
    assert set(story.found.runs) == {"r", "r/:2/1.0", "f", "f/:2/1.0", "g"}
    assert {run.status for run in story.found.runs.values()} == {"succeeded"}
    assert read_marks(story.job.marks) == dict.fromkeys(
        ["r/2/0", "r/2/1", "r/2/2", "r/:2/1.0/2/0", "r/:2/1.0/2/1", "f/2/1", "f/2/3", "f/:2/1.0/2/0"], 1
    )


@everywhere
def test_a_run_killed_at_any_write_ends_as_if_it_had_not_been(
    pairs: tuple[Workers, ...],
    keeps: tuple[Schema | None, ...],
    folder_job: Job,
    unkilled: Mapping[Door, Unkilled],
) -> None:
    """Whoever comes after the kill leads the store to where it stands without: from there on, all is the same."""
    free = SimpleQueue[tuple[Workers, Schema | None]]()
    for each in zip(pairs, keeps, strict=True):
        free.put(each)
    ending = unkilled[folder_job.door].ending
    unhurt = Unhurt.told(Story.at(pairs[0], folder_job.folder / "unhurt", folder_job, keeps[0]), ending)

    def kill_at(point: tuple[int, Moment]) -> None:
        process, moment = point
        folder = folder_job.folder / f"{process} {moment}"
        workers, schema = free.get()
        try:
            story = Story.going_on(unhurt.scenes[process], workers, folder, folder_job, schema)
            assert story.tell(moment).exit == -signal.SIGKILL, f"process {process} has no write {moment}"
            goals = [scene.found for scene in unhurt.scenes[process + 1 :]]
            while story.found not in goals:
                assert story.tell().ended in (None, ending.said), f"process {process}, killed {moment}"
                assert len(story.processes) < 4, f"process {process}, killed {moment}, leads elsewhere"
            assert max(read_marks(story.job.marks).values(), default=0) <= 2
        finally:
            free.put((workers, schema))
            rmtree(folder)

    with ThreadPoolExecutor(len(pairs)) as pool:
        assert len([*pool.map(kill_at, unhurt.points())]) > 30


@everywhere
def test_whoever_goes_on_can_be_killed_at_any_write_too(
    workers: Workers,
    keeps: tuple[Schema | None, ...],
    folder_job: Job,
    unkilled: Mapping[Door, Unkilled],
) -> None:
    # The first two writes to a run that is taken over say that it is, and that a process was lost. What a child does is
    # one step of the run above it, which gives up when that has lost five processes.
    last_write = Moment("after", 3 if folder_job.door in ONE_RUN else 7)
    story = Story.at(workers, folder_job.folder / "story", folder_job, keeps[0])
    while (last := story.tell(last_write)).ended is None:
        assert len(story.processes) < MOST
    assert sum(said.exit == -signal.SIGKILL for said in story.processes) > 1
    ending = unkilled[folder_job.door].ending
    assert (last.ended, story.found.steps) == (ending.said, ending.stored)
