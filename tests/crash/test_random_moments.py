"""Killed at any moment at all, several times, a run ends as if it had not been.

AGENTGRAPH_CRASHES says how many runs, 25 by default; each is numbered, and the number seeds its choices.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from .conftest import Unkilled
from .jobs import Door, Job
from .processes import Workers
from .story import Story

RUNS = int(os.environ.get("AGENTGRAPH_CRASHES", "25"))

MOST_KILLS = 4
"""As many attempts of one step may be lost before the run gives up."""


@pytest.mark.parametrize("seed", range(RUNS))
def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(
    workers: Workers, folder: Path, unkilled: Mapping[Door, Unkilled], seed: int
) -> None:
    choice = Random(seed)
    door, backend = choice.choice([*Door]), choice.choice(["asyncio", "trio"])
    story = Story.at(workers, folder / "story", Job(folder=folder, door=door, backend=backend))
    for _ in range(choice.randint(1, MOST_KILLS)):
        story.tell(kill_after=choice.uniform(0, unkilled[door].seconds))
    assert story.finish() == unkilled[door].ending
