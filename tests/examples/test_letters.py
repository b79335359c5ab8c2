"""The post room: every letter is answered once, wherever that is done."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from agentgraph.distributed import open_dispatcher
from agentgraph.graph import Dispatched, Emitted, RunEnded, RunEvent
from examples.letters import LETTERS, Office, go_on, letters
from tests.distributed.fleet import database
from tests.shared_data import REPOSITORY

from .conftest import ENVIRONMENT

ANSWERS = [
    "Dear Ada, we looked it up: order 17 left on Monday",
    "Dear Ada, we looked it up: order 18 was lost",
    "Dear Ada, we looked it up: order 19 is packed",
    "Dear Ben, we looked it up: order 23 came late",
    "Dear Ben, we looked it up: order 24 arrived",
    "Dear Carla, we looked it up: order 31 leaves",
]


@pytest.mark.anyio
async def test_every_letter_is_answered_once_and_two_of_a_customer_at_a_time(folder: Path) -> None:
    begun: list[str] = []
    now: set[str] = set()

    def hear(event: RunEvent) -> None:
        match event:
            case Emitted(event=Dispatched(tenant="Ada")):
                begun.append(event.run_id)
                now.add(event.run_id)
                assert len(now) <= 2
            case RunEnded():
                now.discard(event.run_id)
            case _:
                pass

    assert (await go_on(folder, [hear])).sent() == ANSWERS
    assert (await go_on(folder, [hear])).sent() == ANSWERS
    assert sorted(begun) == ["letter-1", "letter-2", "letter-3"]


def test_killed_after_every_twelfth_step_it_comes_to_the_same_end(
    folder: Path, killed: Callable[[str, int], int], script: Callable[[str], str]
) -> None:
    assert killed("letters", 12) >= 3
    said = script("letters")
    assert [line.strip() for line in said.splitlines()[1:]] == ANSWERS
    assert (folder / "graph.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_worker_answers_what_another_process_has_handed_in(folder: Path) -> None:
    async def wait(url: str) -> None:
        async with open_dispatcher(url) as dispatcher:
            for number in range(1, len(LETTERS) + 1):
                await dispatcher.result(letters, f"letter-{number}")

    with database() as url:
        script = [sys.executable, "examples/letters.py", str(folder), url, "--submit"]
        subprocess.run(script, cwd=REPOSITORY, env=ENVIRONMENT, check=True)
        assert Office(folder).sent() == []
        command = [sys.executable, "-m", "agentgraph.cli", "worker", "examples.letters:desk", "--store", url]
        command += ["--queue", "letters"]
        with subprocess.Popen(command, cwd=REPOSITORY, env={**ENVIRONMENT, "LETTERS": str(folder)}) as worker:
            anyio.run(wait, url)
            worker.send_signal(signal.SIGTERM)
        assert (Office(folder).sent(), worker.returncode) == (ANSWERS, 0)
