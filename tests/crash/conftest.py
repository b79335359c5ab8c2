"""The workers of all crash tests, and how the runs end that nobody kills."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .jobs import Door, Job
from .processes import Worker, Workers
from .story import Ending, Story

if sys.platform == "win32":
    collect_ignore_glob = ["*"]  # no fork, no SIGKILL

MEMORY = Path("/dev/shm")  # noqa: S108 - nothing there has a name that could be guessed
ROOM = 256 << 20


@pytest.fixture(scope="session")
def pairs() -> Iterator[tuple[Workers, ...]]:
    """As many pairs of workers as stories can be told side by side."""
    with ExitStack() as stack:
        yield tuple((stack.enter_context(Worker()), stack.enter_context(Worker())) for _ in range(2))


@pytest.fixture(scope="session")
def workers(pairs: tuple[Workers, ...]) -> Workers:
    return pairs[0]


@dataclass(frozen=True)
class Unkilled:
    """A run that no signal has ended."""

    ending: Ending
    writes: tuple[int, ...]
    """Of each of its processes."""
    seconds: float
    """The longest that a process took, from its job to its end."""


@pytest.fixture(scope="session")
def unkilled(workers: Workers, tmp_path_factory: pytest.TempPathFactory) -> Mapping[Door, Unkilled]:
    """How each kind of run ends; the doors of one kind, and the event loops, must not differ."""
    folder = tmp_path_factory.mktemp("unkilled")
    agent, graph = (live(workers, Job(folder=folder / door, door=door)) for door in (Door.RUN, Door.GRAPH))
    return {door: graph if door in (Door.GRAPH, Door.GRAPH_SYNC) else agent for door in Door}


def live(workers: Workers, job: Job) -> Unkilled:
    Story.at(workers, job.folder / "first", job).finish()  # the workers have to start; the second time tells how long
    story = Story.at(workers, job.folder / "second", job)
    ending = story.finish()
    return Unkilled(ending, tuple(said.writes for said in story.processes), max(story.seconds))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory if there is room: what a process has written outlives it there too, and nothing waits."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        yield tmp_path
        return
    with TemporaryDirectory(prefix="agentgraph-crash-", dir=MEMORY) as made:
        yield Path(made)


@pytest.fixture
def job(folder: Path, anyio_backend: str) -> Job:
    return Job(folder=folder, backend=anyio_backend)
