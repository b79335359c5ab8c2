"""Killed before and after every write to the store in turn, a run ends as if it had not been."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

import pytest

from .conftest import Unkilled
from .jobs import Door, Job, Moment
from .marks import read_marks
from .processes import Workers
from .story import Story

DOORS = [Door.RUN, Door.RUN_STREAM, Door.GRAPH]


def points(writes: tuple[int, ...]) -> Iterator[tuple[int, Moment]]:
    """Every moment of every process."""
    for process, count in enumerate(writes):
        for write in range(1, count + 1):
            yield process, Moment("before", write)
            yield process, Moment("after", write)


@pytest.mark.parametrize("door", Door)
def test_what_is_compared_is_the_whole_run(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door))
    assert story.finish() == unkilled[door].ending
    assert [said.raised for said in story.processes] == ["OSError", None]
    assert set(read_marks(story.job.marks).values()) == {1}


@pytest.mark.parametrize("door", DOORS)
def test_a_run_killed_at_any_write_ends_as_if_it_had_not_been(
    pairs: tuple[Workers, ...], job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    free = SimpleQueue[Workers]()
    for pair in pairs:
        free.put(pair)

    def kill_at(point: tuple[int, Moment]) -> None:
        workers = free.get()
        try:
            check_point(Story.at(workers, job.folder / "{} {}".format(*point), replace(job, door=door)), *point)
        finally:
            free.put(workers)

    def check_point(story: Story, process: int, moment: Moment) -> None:
        for _ in range(process):
            story.tell()
        assert story.tell(moment).exit == -signal.SIGKILL, f"process {process} has no write {moment}"
        assert story.finish() == unkilled[door].ending, f"process {process}, killed {moment}"
        assert max(read_marks(story.job.marks).values()) <= 2

    with ThreadPoolExecutor(len(pairs)) as pool:
        assert len([*pool.map(kill_at, points(unkilled[door].writes))]) > 30


@pytest.mark.parametrize("door", DOORS)
def test_whoever_goes_on_can_be_killed_at_any_write_too(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door))
    crashes = 0
    # The first two writes of a process that takes over say that it does, and that another one was lost.
    while (last := story.tell(Moment("after", 3))).exit == -signal.SIGKILL:
        crashes += 1
    assert (last.ended, story.found.steps) == (unkilled[door].ending.said, unkilled[door].ending.stored)
