"""How the examples are run from outside: as scripts, and by processes that die."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.crash.conftest import MEMORY, ROOM
from tests.shared_data import REPOSITORY

# Without coverage: a process that is killed could not tell, and the others would be slow.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory if there is room, so that no commit waits for a disk."""
    where = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None
    with TemporaryDirectory(prefix="agentgraph-example-", dir=where) as made:
        yield Path(made) / "example"


def _said(*command: str) -> str:
    ended = subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.fixture
def killed(folder: Path) -> Callable[[str, int], int]:
    """Runs an example in processes that are killed after so many steps each; says how many were."""
    if sys.platform == "win32":
        pytest.skip("no fork, no SIGKILL")
    return lambda name, steps: int(_said("-m", "tests.examples.dying", f"examples.{name}", str(folder), str(steps)))


@pytest.fixture
def script(folder: Path) -> Callable[[str], str]:
    """Runs an example as a user does; returns what it prints."""
    return lambda name: _said(f"examples/{name}.py", str(folder))
