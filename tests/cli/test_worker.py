from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentgraph.distributed import open_dispatcher
from agentgraph.portal import run_sync
from tests.cli.calling import CommandLine
from tests.distributed.jobs import MARKS, Counted, Step, counter
from tests.shared_data import REPOSITORY


@contextmanager
def worker(*arguments: str, marks: Path) -> Generator[subprocess.Popen[str]]:
    """`agentgraph worker`, ended by SIGTERM with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "agentgraph.cli", "worker", *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, MARKS: str(marks)},
    )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def first_lines(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it says of its health and of what it serves, in any order."""
    assert process.stdout is not None
    health, serving = sorted(process.stdout.readline() for _ in range(2))
    return health, serving


async def submit_and_wait(path: Path) -> int:
    async with open_dispatcher(path) as dispatcher:
        run_id = await dispatcher.submit(counter, Step(3), state=Counted())
        return (await dispatcher.result(counter, run_id)).output


def test_a_worker_executes_runs_of_a_file_tells_its_health_and_ends_in_good_order(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    options = ("--store", str(path), "--health", "127.0.0.1:0", "--concurrency", "5", "--queue", "counter")
    with worker("tests.distributed.jobs:counter", *options, marks=tmp_path / "marks") as process:
        health, serving = first_lines(process)
        port = int(health.split()[-1])
        assert serving == "serving counter\n"
        assert run_sync(lambda: submit_and_wait(path)) == 3
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert (answer.status, json.load(answer)["status"]) == (200, "serving")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["tests.distributed.jobs:MARKS"], "has str: name agents, graphs"),
        (["tests.distributed.jobs:nothing"], "there is no 'nothing'"),
        (["tests.cli.test_worker:empty"], "has nothing"),
        (["tests.distributed.jobs:served", "--health", "here"], "is no address"),
        (["tests.distributed.jobs:served", "--health", "127.0.0.1:65536"], "is no address"),
        (["tests.distributed.jobs:served", "--store", "postgresql://nobody@127.0.0.1:1/x"], "cannot be opened"),
        (["tests.distributed.jobs:counter", "tests.distributed.jobs:served", "--store", ":memory:"], "graph 'counter'"),
    ],
)
def test_what_cannot_be_served_is_refused(cli: CommandLine, arguments: list[str], why: str) -> None:
    assert why in cli.refusal("worker", *arguments)


def test_an_address_that_is_taken_is_refused(cli: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = cli("worker", "tests.distributed.jobs:served", "--store", ":memory:", "--health", place)
    assert (done.code, done.err.partition(place)[0]) == (2, "agentgraph: health cannot be told at ")


empty: list[object] = []
