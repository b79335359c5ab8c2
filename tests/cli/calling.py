"""Calls the command line: in this process, or as a command of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from agentgraph.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class CommandLine:
    """`agentgraph` in this process."""

    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Done:
        self.capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, err = self.capture.readouterr()
        code = ended.value.code
        return Done(code if isinstance(code, int) else 0, out, err)

    def refusal(self, *arguments: str) -> str:
        """The one line that a command says of bad input."""
        done = self(*arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done
        return done.err


def command(*arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Done:
    """`agentgraph` as a process."""
    done = subprocess.run(
        [sys.executable, "-m", "agentgraph.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        env=env,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
