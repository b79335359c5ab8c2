"""Runs an example in one process after the other, each killed after a few steps, until one comes to the end.

    python -m tests.examples.dying MODULE FOLDER STEPS

Prints how many were killed. The processes are forks of this one, which has everything imported, and no thread.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from pathlib import Path

import anyio

from agentgraph.graph import Observer, RunEvent, StepEnded

GoOn = Callable[[Path, Sequence[Observer]], Awaitable[object]]


def live(go_on: GoOn, folder: Path, steps: int) -> None:
    """Go on until so many steps are committed, and then no further; or to the end."""
    left = steps

    def count(event: RunEvent) -> None:
        nonlocal left
        left -= isinstance(event, StepEnded)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    anyio.run(go_on, folder, [count])


def main(module: str, folder: str, steps: str) -> int:
    go_on: GoOn = import_module(module).go_on
    killed = 0
    while True:
        child = os.fork()
        if child == 0:
            live(go_on, Path(folder), int(steps))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            break
        killed += 1
    print(killed)  # noqa: T201 - what it is run for
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
