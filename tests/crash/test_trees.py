"""Forks inside of forks, killed after every write: the same values are joined, and no branch is walked twice."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.graph.programs import expected

from .jobs import Job, Moment, Said
from .marks import read_marks
from .processes import Workers
from .schemas import Schema
from .story import Story
from .trees import random_tree

FINISHED = """
    SELECT branch, seq FROM steps UNION SELECT branch, seq FROM journal WHERE kind = 'done' AND key = 'call'
"""


@pytest.mark.parametrize(("where", "seed"), [("sqlite", 0), ("postgres", 1), ("sqlite", 2), ("postgres", 3)])
def test_a_tree_of_forks_killed_after_any_write_joins_the_same(
    workers: Workers, keeps: tuple[Schema | None, ...], folder: Path, seed: int
) -> None:
    program, backend = random_tree(seed), ("asyncio", "trio")[seed // 2]
    job = Job(folder=folder, backend=backend, program=program)
    ending = asdict(expected(program))
    whole = last_word(workers, 0, Story.at(workers, folder / "whole", job, keeps[0]).job)
    assert whole.ended == ending
    killed = 0
    for write in range(1, whole.writes):
        job = Story.at(workers, folder / str(write), replace(job, resume=False), keeps[0]).job
        killed += last_word(workers, 0, replace(job, crash=Moment("after", write))).exit == -signal.SIGKILL
        finished, marks = finished_calls(job, keeps[0]), read_marks(job.marks)
        assert last_word(workers, 1, job).ended == ending, f"killed after write {write}"
        again = read_marks(job.marks)
        assert {call: again[call] for call in finished} == {call: marks[call] for call in finished}
        assert max(again.values(), default=0) <= 2
    assert killed > whole.writes / 2


def last_word(workers: Workers, which: int, job: Job) -> Said:
    said = workers[which].do(job)
    return said[-2] if len(said) > 1 else said[-1]


def finished_calls(job: Job, schema: Schema | None) -> set[str]:
    """The calls that were made for good, as the store has it."""
    if schema is not None:
        rows = schema.ask(FINISHED)
    else:
        with closing(sqlite3.connect(job.store)) as connection:
            rows = connection.execute(FINISHED).fetchall()
    return {f"{branch}/{seq}" for branch, seq in rows}
