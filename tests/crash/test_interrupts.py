"""Interrupts and polite kills: the run is cancelled where there is time for it, and can be resumed in any case."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

import pytest

from .conftest import Unkilled
from .gates import Gate
from .jobs import ONE_RUN, Door, Job, Said
from .processes import Workers
from .story import Story

GATES = [
    (Door.RUN, "reply 1"),
    (Door.RUN, "look_up ada"),
    (Door.RUN_STREAM, "look_up bob"),
    (Door.RUN_SYNC, "look_up ada"),
    (Door.GRAPH, "first 0"),
    (Door.GRAPH_SYNC, "part 1 0"),
]


def interrupted(story: Story, number: signal.Signals, gates: list[str], *, holds: str | None = None) -> list[Said]:
    """Send a signal to a process that stands at all of the gates; `holds` is opened once the signal has arrived."""
    worker = story.workers[0]
    with ExitStack() as stack:
        made = {name: stack.enter_context(Gate(story.job, name)) for name in gates}
        worker.start(replace(story.next_job(), gates=gates, exits=True, sigterm_exits=story.job.sigterm_exits))
        standing = [worker.hear() for _ in gates]
        os.kill(standing[0].pid, number)
        if holds is not None:
            assert worker.hear().left is not None
            made[holds].open()
        said = worker.finish()
    story.look()
    return [each for each in said if each.left is None]


@pytest.mark.parametrize(("door", "gate"), GATES)
def test_an_interrupted_run_is_cancelled_and_can_be_resumed(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door, gate: str
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door))
    said = interrupted(story, signal.SIGINT, [gate])
    assert [(each.raised, each.exit) for each in said] == [("KeyboardInterrupt", None), (None, 0)]
    assert story.found.run.status == "cancelled"
    ended, expected = story.finish(), unkilled[door].ending
    assert ended.said == expected.said
    assert ended == expected or gate == "reply 1"  # a request that is cancelled is a step of its own


@pytest.mark.parametrize("door", [Door.RUN, Door.RUN_SYNC])
def test_the_thread_of_a_sync_tool_is_waited_for_and_its_end_is_kept(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door))
    said = interrupted(story, signal.SIGINT, ["look_up ada", "weigh 3"], holds="weigh 3")
    assert (said[0].raised, story.found.run.status) == ("KeyboardInterrupt", "cancelled")
    assert (2, "1", "done") in story.found.run.journal
    assert story.finish() == unkilled[door].ending


@pytest.mark.parametrize("door", [Door.RUN_SYNC, Door.GRAPH_SYNC])
def test_a_process_that_exits_on_sigterm_cancels_its_run(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door, sigterm_exits=True))
    gate = "look_up ada" if door is Door.RUN_SYNC else "second 0"
    assert interrupted(story, signal.SIGTERM, [gate])[0].raised == "SystemExit"
    assert story.found.run.status == "cancelled"
    assert story.finish() == unkilled[door].ending


@pytest.mark.parametrize("door", ONE_RUN)
def test_a_process_that_dies_of_sigterm_leaves_a_run_to_be_taken_over_at_once(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door))
    gate = "second 0" if door in (Door.GRAPH, Door.GRAPH_SYNC) else "reply 1"
    assert interrupted(story, signal.SIGTERM, [gate])[0].exit == -signal.SIGTERM
    assert story.found.run.status == "running"
    assert story.finish() == unkilled[door].ending
