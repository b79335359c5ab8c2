"""`agentgraph runs --watch`: in a process of its own, which an interrupt ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentgraph import Agent
from agentgraph.models.test import TestModel
from tests.cli.calling import CommandLine
from tests.distributed.fleet import database


@contextmanager
def watching(store: str, out: int, *options: str) -> Generator[None]:
    """The command, that writes to `out`, interrupted at the end of the block."""
    command = [sys.executable, "-m", "agentgraph.cli", "runs", "--watch", "--store", store, *options]
    with subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE) as process:
        os.close(out)
        yield
        process.send_signal(signal.SIGINT)
        assert (process.communicate()[1], process.returncode) == (b"", 0)


def run(store: str, run_id: str) -> None:
    Agent(TestModel(), name="desk", store=store).run_sync("hello", run_id=run_id)


def read_until(readable: int, found: Callable[[str], bool]) -> str:
    said = ""
    while not found(said):
        said += os.read(readable, 65536).decode()
    return said


@pytest.fixture
def url() -> Iterator[str]:
    with database() as found:
        yield found


def test_in_a_pipe_each_change_is_a_line(url: str) -> None:
    run(url, "one")
    readable, writable = os.pipe()
    with watching(url, writable):
        first = read_until(readable, lambda said: said.count("\n") == 1)
        run(url, "two")
        second = read_until(readable, lambda said: said.count("\n") == 1)
    os.close(readable)
    assert [first.split()[1:], second.split()[1:]] == [
        ["one", "succeeded", "desk", "3", "step(s)"],
        ["two", "succeeded", "desk", "3", "step(s)"],
    ]


def test_on_a_terminal_the_table_is_drawn_anew(tmp_path: Path) -> None:
    store = str(tmp_path / "runs.db")
    run(store, "one")
    readable, writable = pty.openpty()
    with watching(store, writable, "--status", "succeeded"):
        read_until(readable, lambda said: "one" in said)
        run(store, "two")
        drawn = read_until(readable, lambda said: "one" in said.partition("two")[2])
    os.close(readable)
    assert drawn.index("two") < drawn.rindex("one")  # the newest first


def test_a_missing_store_is_refused_before_anything_is_watched(cli: CommandLine) -> None:
    assert "there is no store missing.db" in cli.refusal("runs", "--watch", "--store", "missing.db")


def test_an_unknown_level_of_logging_is_refused(cli: CommandLine) -> None:
    assert "there is no level 'loud'" in cli.refusal("--log", "loud", "runs")
