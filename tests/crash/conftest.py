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
from .schemas import Schema, fresh
from .story import Ending, Story

if sys.platform == "win32":
    collect_ignore_glob = ["*"]  # no fork, no SIGKILL

MEMORY = Path("/dev/shm")  # noqa: S108 - nothing there has a name that could be guessed
ROOM = 256 << 20

KINDS = (Door.RUN, Door.GRAPH, Door.OFFICE)


@pytest.fixture(scope="session")
def pairs() -> Iterator[tuple[Workers, ...]]:
    """As many pairs of workers as stories can be told side by side."""
    with ExitStack() as stack:
        yield tuple((stack.enter_context(Worker()), stack.enter_context(Worker())) for _ in range(2))


@pytest.fixture(scope="session")
def schemas(pairs: tuple[Workers, ...]) -> Iterator[tuple[Schema, ...]]:
    """A schema of a database for each pair of workers."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(fresh()) for _ in pairs)


@pytest.fixture
def keeps(request: pytest.FixtureRequest, where: str) -> tuple[Schema | None, ...]:
    """What keeps the runs of each pair of workers: None is a file in the folder of the story."""
    found: tuple[Schema, ...] | None = request.getfixturevalue("schemas") if where == "postgres" else None
    return found or (None, None)


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
    agent, graph, office = (live(workers, Job(folder=folder / door, door=door)) for door in KINDS)
    kinds = {Door.GRAPH: graph, Door.GRAPH_SYNC: graph, Door.OFFICE: office, Door.OFFICE_STREAM: office}
    return {door: kinds.get(door, agent) for door in Door}


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


@pytest.fixture
def folder_job(folder: Path, door: Door, backend: str) -> Job:
    """The job of a test that names door and event loop itself."""
    return Job(folder=folder, door=door, backend=backend)
