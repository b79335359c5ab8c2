"""Who may go on with a run: one at a time, and nobody who was taken over."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace

import pytest

from .autopsy import everything
from .conftest import Unkilled
from .gates import Gate
from .jobs import Door, Job, Moment, Said
from .processes import Worker, Workers, first_to_speak
from .story import Story

SHORT = 0.2
"""A lease in seconds that a test can see end."""

GATES = [(Door.RUN, "reply 1"), (Door.RUN_STREAM, "look_up bob"), (Door.GRAPH, "second 1"), (Door.GRAPH, "part 0 1")]
"""In a request to the model, among tools side by side, in a single call, in a batch."""


@pytest.mark.parametrize("door", [Door.RUN, Door.RUN_STREAM])
def test_of_two_processes_that_resume_a_run_at_once_one_goes_on(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door))
    story.tell(Moment("after", 3))
    with Gate(story.job, "reply 1") as gate:
        for worker in workers:
            worker.start(replace(story.next_job(), gates=["reply 1"]))
        loser, said = hear_the_loser(workers)
        assert [each.raised for each in said] == ["RunBusy", None]
        gate.open()
        assert workers[1 - workers.index(loser)].finish()[-1].exit == 0
    story.look()
    assert story.finish() == unkilled[door].ending


def hear_the_loser(workers: Workers) -> tuple[Worker, list[Said]]:
    """What the process says that does not come to the gate, which holds the other one."""
    while True:
        worker = first_to_speak(workers)
        said = worker.hear()
        if said.at is None:
            return worker, [said, *worker.finish()]


@pytest.mark.parametrize(("door", "place"), GATES)
def test_a_stale_process_is_fenced_and_changes_nothing(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door, place: str
) -> None:
    stale, other = workers
    story = Story.at([other], job.folder / "story", replace(job, door=door))
    with Gate(story.job, place) as gate:
        stale.start(replace(story.next_job(), gates=[place], lease=SHORT))
        standing = stale.hear()
        os.kill(standing.pid, signal.SIGSTOP)
        story.look()
        while story.tell().raised == "RunBusy":
            story.processes.clear()
        assert story.finish() == unkilled[door].ending
        before = everything(story.job)
        os.kill(standing.pid, signal.SIGCONT)
        gate.open()
        raised, ended = [said.raised for said in stale.finish() if said.left is None]
        assert raised in ("RunFenced", "StoreError")  # the latter if it sees first that its lease has run out
        assert ended is None
    assert everything(story.job) == before


@pytest.mark.parametrize(("door", "place"), GATES)
def test_a_living_owner_keeps_its_run_and_a_dead_one_loses_it_at_once(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door, place: str
) -> None:
    owner, other = workers
    story = Story.at([other], job.folder / "story", replace(job, door=door))
    with Gate(story.job, place):
        owner.start(replace(story.next_job(), gates=[place]))
        standing = owner.hear()
        os.kill(standing.pid, signal.SIGSTOP)
        story.look()
        assert story.tell().raised == "RunBusy"
        os.kill(standing.pid, signal.SIGKILL)
        assert owner.finish()[-1].exit == -signal.SIGKILL
    assert story.tell().raised in (None, "OSError")  # the one that the script provides for, no RunBusy
    assert story.finish() == unkilled[door].ending


def test_a_dead_owner_that_nobody_has_buried_loses_its_run_at_once(workers: Workers, job: Job) -> None:
    story = Story.at(workers, job.folder / "story", job)
    story.tell(Moment("after", 3))
    with Gate(story.job, "reply 1"):
        workers[0].start(replace(story.next_job(), gates=["reply 1"]))
        standing = workers[0].hear()
        os.kill(workers[0].pid, signal.SIGSTOP)  # which waits for the process, and now does not
        os.kill(standing.pid, signal.SIGKILL)
        said = workers[1].do(story.next_job())
        os.kill(workers[0].pid, signal.SIGCONT)
        assert workers[0].finish()[-1].exit == -signal.SIGKILL
    assert said[0].raised == "OSError"
