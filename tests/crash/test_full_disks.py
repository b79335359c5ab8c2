"""A run whose disk is full stops where it was committed, says which file it was, and goes on when there is room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from .conftest import Unkilled
from .jobs import Door, Job
from .processes import Workers
from .story import EXPECTED, Story

ROOM = 30_000
"""Bytes for each process: the log grows by a page for each change, so a few steps."""


@pytest.mark.parametrize("door", Door)
def test_a_run_over_full_disks_ends_as_if_there_had_been_room(
    workers: Workers, job: Job, unkilled: Mapping[Door, Unkilled], door: Door
) -> None:
    story = Story.at(workers, job.folder / "story", replace(job, door=door, room=ROOM))
    story.expected = [*EXPECTED, "StoreError"]
    full = 0
    while full < 4 and story.tell().ended is None:
        full += story.processes[-1].raised == "StoreError"
        if story.processes[-1].raised == "StoreError":
            assert f"{story.job.store} cannot be written" in story.processes[-1].why
            assert "Nothing was written: run " in story.processes[-1].why
    assert full > 0
    story.job = replace(story.job, room=None)
    assert story.finish() == unkilled[door].ending
