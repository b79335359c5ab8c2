"""The test's side of the workers."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tests.shared_data import REPOSITORY

from .jobs import PATIENCE, Job, Said

__all__ = ["Worker", "Workers", "first_to_speak"]


class Worker:
    """An interpreter that does jobs, each in a process of its own, one at a time."""

    def __init__(self) -> None:
        # Without coverage: a process that is killed could not tell, and the others would be slow.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.worker"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
        )
        self.pid = self._process.pid
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()  # the end of its jobs is its own

    def fileno(self) -> int:
        """Can be read when the worker has something to say."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def start(self, job: Job) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(job.line())

    def hear(self) -> Said:
        """The next thing that the worker or its process says."""
        assert self._process.stdout is not None
        while b"\n" not in self._rest:
            first_to_speak([self])
            read = self._process.stdout.read(1 << 16)
            assert read, "the worker is gone"
            self._rest += read
        line, _, self._rest = self._rest.partition(b"\n")
        return Said.read(line)

    def finish(self) -> list[Said]:
        """All it says until the process of the job is gone."""
        said = [self.hear()]
        while said[-1].exit is None:
            said.append(self.hear())
        return said

    def do(self, job: Job) -> list[Said]:
        """Start a job and wait for its end."""
        self.start(job)
        return self.finish()


Workers = tuple[Worker, Worker]
"""Two that take turns."""


def first_to_speak(workers: Sequence[Worker]) -> Worker:
    """The first of the workers that has something to say."""
    ready, _, _ = select.select(workers, [], [], PATIENCE + 10)
    assert ready, "the workers are silent"
    return ready[0]
