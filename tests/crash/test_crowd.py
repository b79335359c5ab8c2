"""Many processes resume many runs at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from .crowd import LAST, PROCESSES, RUNS
from .jobs import PATIENCE, Job
from .marks import read_marks
from .processes import Workers
from .schemas import Schema
from .story import Story


@pytest.mark.parametrize("where", ["sqlite", "postgres"])
def test_of_runs_that_many_processes_resume_at_once_every_step_is_committed_once(
    workers: Workers, keeps: tuple[Schema | None, ...], folder: Path
) -> None:
    story = Story.at(workers, folder / "story", Job(folder=folder, crowd=True, kill_after=2 * PATIENCE), keeps[0])
    *said, _ = workers[0].do(story.job)
    assert [each.raised for each in said] == [None] * PROCESSES
    ends = [total for each in said for total in (each.ended or {}).items()]
    assert set(ends) == {(run_id, 3) for run_id in RUNS}
    story.look()
    assert {run_id: (run.status, run.seq) for run_id, run in story.found.runs.items()} == dict.fromkeys(
        RUNS, ("succeeded", LAST + 1)
    )
    assert read_marks(story.job.marks) == {f"{run_id}/{seq}/mark": 1 for run_id in RUNS for seq in range(LAST + 1)}
