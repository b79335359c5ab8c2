"""Counts the calls of Python functions in a piece of code: work, which no busy machine makes more of."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import agentgraph

__all__ = ["Calls", "counted_calls"]

ROOT = Path(agentgraph.__file__).parent


class Calls:
    """How often each function of the package was called, or a coroutine of it resumed, by file and name."""

    def __init__(self) -> None:
        self.by_name = Counter[tuple[str, str]]()

    def within(self, *parts: str) -> int:
        """The calls of functions in these files and folders of the package; without any, of all of it."""
        chosen = [count for (file, _), count in self.by_name.items() if not parts or file.startswith(parts)]
        return sum(chosen)

    def of(self, file: str, name: str) -> int:
        """The calls of one function."""
        return self.by_name[file, name]


@contextmanager
def counted_calls() -> Generator[Calls]:
    """Count what this thread calls inside of the block."""
    calls, root = Calls(), f"{ROOT}/"

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(root):
            calls.by_name[frame.f_code.co_filename.removeprefix(root), frame.f_code.co_name] += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(before)
