"""The test's side of a gate: a named pipe, at which a process waits for a byte."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from .jobs import Job

__all__ = ["Gate"]


class Gate:
    """Made before the process comes to it. It stays open for one only: each that stands there needs a byte."""

    def __init__(self, job: Job, name: str) -> None:
        path = job.gate(name)
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDWR)  # to read and to write, so that no one waits for the other end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)

    def open(self) -> None:
        """Let the one pass who stands there, or comes first."""
        os.write(self._descriptor, b"x")
