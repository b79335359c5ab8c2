from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from anyio import fail_after

from agentgraph import Agent
from agentgraph.graph import Status
from agentgraph.models.test import TestModel
from agentgraph.stores import open_store
from tests.cli.calling import CommandLine

DepsT = TypeVar("DepsT")

TIMEOUT = 60.0
"""Seconds; a guard against hanging, no measure."""


def kill_within_the_batch(folder: Path, bot: str) -> None:
    """Begin a run in a process, and kill that as soon as one of the run's two calls is journaled."""
    worker = subprocess.Popen([sys.executable, f"{bot}.py", "runs.db"], cwd=folder)
    try:
        anyio.run(until_journaled, folder / "runs.db")
    finally:
        worker.kill()
        worker.wait()


async def until_journaled(path: Path) -> None:
    store = open_store(path)
    with fail_after(TIMEOUT):
        while not await store.calls("made"):  # noqa: ASYNC110 - another process writes it
            await anyio.sleep(0.01)
    await store.aclose()


def status(path: Path, run_id: str) -> Status:
    async def load() -> Status:
        store = open_store(path)
        try:
            return (await store.load(run_id)).status
        finally:
            await store.aclose()

    return anyio.run(load)


def test_a_killed_run_goes_on_and_repeats_nothing(cli: CommandLine, bot: str, tmp_path: Path) -> None:
    kill_within_the_batch(tmp_path, bot)
    (tmp_path / "go").touch()
    done = cli("resume", "made", "--agent", f"{bot}:agent", "--store", "runs.db")
    assert done.code == 0, done.err
    assert "quick was done already" in done.out
    assert "slow -> slow" in done.out
    assert "result  made quick, slow" in done.out
    assert (tmp_path / "made.txt").read_text() == "quick\n"
    assert status(tmp_path / "runs.db", "made") is Status.SUCCEEDED


def test_a_tool_that_raises_fails_the_run_in_one_line(cli: CommandLine, bot: str, tmp_path: Path) -> None:
    kill_within_the_batch(tmp_path, bot)
    (tmp_path / "go").write_text("wrong")
    done = cli("resume", "made", "--agent", f"{bot}:agent", "--store", "runs.db")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "ValueError: the go is wrong" in done.err
    assert f"{bot}.py:" in done.err
    assert "slow was running" in done.out
    assert status(tmp_path / "runs.db", "made") is Status.FAILED


def test_a_finished_run_shows_its_result(cli: CommandLine, bot: str, tmp_path: Path) -> None:
    Agent(TestModel(custom_result_text="all is well"), store=tmp_path / "runs.db").run_sync("x", run_id="over")
    done = cli("resume", "over", "--agent", f"{bot}:agent", "--store", "runs.db")
    assert (done.code, done.out) == (0, "result  all is well\n")


def begin(agent: Agent[DepsT, str], deps: DepsT) -> None:
    """Leave a run behind that has not ended."""

    async def begin_and_leave() -> None:
        async with agent.iter("x", run_id="begun", deps=deps):
            pass

    anyio.run(begin_and_leave)


def test_deps_are_given_again(cli: CommandLine, bot: str, tmp_path: Path) -> None:
    agent = Agent(TestModel(custom_result_text="fine"), deps_type=str, store=tmp_path / "runs.db")
    begin(agent, ".")
    (tmp_path / "go").touch()
    line = ("resume", "begun", "--agent", f"{bot}:agent", "--store", "runs.db")
    refused = cli(*line)
    assert refused.code == 1
    assert "give `deps=`" in refused.err
    assert cli(*line, "--deps", f"{bot}:folder").code == 0
    assert cli(*line, "--deps", f"{bot}:__name__").code == 0


def test_an_agent_without_a_model_is_refused(cli: CommandLine, bot: str, tmp_path: Path) -> None:
    begin(Agent(TestModel(), store=tmp_path / "runs.db"), None)
    assert "there is no model" in cli.refusal("resume", "begun", "--agent", f"{bot}:needy", "--store", "runs.db")


@pytest.mark.parametrize(
    ("run_id", "target", "store", "said"),
    [
        ("gone", "agent", "runs.db", "there is no run 'gone'"),
        ("over", "graph", "runs.db", "is a Graph, not an Agent"),
        ("over", "agnt", "runs.db", "did you mean agent?"),
        ("over", "agent", "other.db", "there is no store other.db"),
    ],
)
def test_bad_input_is_refused(
    cli: CommandLine, bot: str, tmp_path: Path, run_id: str, target: str, store: str, said: str
) -> None:  # fmt: skip
    Agent(TestModel(), store=tmp_path / "runs.db").run_sync("x", run_id="over")
    assert said in cli.refusal("resume", run_id, "--agent", f"{bot}:{target}", "--store", store)
    assert not (tmp_path / "other.db").exists()


def test_a_missing_module_is_refused(cli: CommandLine) -> None:
    assert "there is no module 'no_such'" in cli.refusal("resume", "x", "--agent", "no_such:agent")
