"""Killed at any moment at all, several times, a run ends as if it had not been.

AGENTGRAPH_CRASHES says how many kills there are, 200 by default, on a file and a database in turn. They come in
numbered stories, and the number seeds the choices of each.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest

from .conftest import Unkilled
from .jobs import Door, Job
from .processes import Workers
from .schemas import Schema
from .story import Story

KILLS = 5
"""In each story, which begins anew if its runs have ended before."""
STORIES = int(os.environ.get("AGENTGRAPH_CRASHES", "200")) // KILLS

MOST = 4
"""As many attempts of one step may be lost before the run gives up."""


@pytest.mark.parametrize(("where", "seed"), [(("sqlite", "postgres")[seed % 2], seed) for seed in range(STORIES)])
def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(
    workers: Workers, keeps: tuple[Schema | None, ...], folder: Path, unkilled: Mapping[Door, Unkilled], seed: int
) -> None:
    choice = Random(seed)
    door, backend = choice.choice([*Door]), choice.choice(["asyncio", "trio"])
    kills = story_number = 0
    while kills < KILLS:
        story_number += 1
        story = Story.at(workers, folder / f"{story_number}", Job(folder=folder, door=door, backend=backend), keeps[0])
        in_a_row, ended = 0, False
        while not ended and kills < KILLS:
            kill = in_a_row < MOST and choice.random() < 0.75
            said = story.tell(kill_after=choice.uniform(0, unkilled[door].seconds) if kill else None)
            killed, ended = said.exit == -signal.SIGKILL, said.ended is not None
            kills, in_a_row = kills + killed, in_a_row + 1 if killed else 0
        assert story.finish() == unkilled[door].ending
