"""The demonstration, played for real: two workers, one SIGKILL."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from agentgraph.cli.demo.agent import support_desk
from agentgraph.cli.demo.database import Shop
from agentgraph.cli.demo.worker import Job, jobs, main
from agentgraph.cli.walk import RunFinished, walk_events
from agentgraph.models.test import TestModel
from tests.cli.calling import CommandLine, command


def environment(tmp_path: Path) -> dict[str, str]:
    """A folder for temporary files that can be looked through."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "AGENTGRAPH_STORE")}
    return {**kept, "TMPDIR": str(tmp_path)}


def test_a_killed_worker_s_run_is_taken_up_and_nothing_is_left(tmp_path: Path) -> None:
    done = command("demo", env=environment(tmp_path))
    assert done.code == 0, done.out + done.err
    assert re.search(r"process \d+ is killed with SIGKILL in step 6", done.out)
    assert "escalate was running" in done.out
    assert "refund_order was done already, says the journal" in done.out
    assert "yes order 102 was refunded once, says the shop's database" in done.out
    assert re.search(r"escalate: (\d+) then (?!\1)\d+", done.out)
    assert "NO " not in done.out
    assert list(tmp_path.iterdir()) == []


def test_the_databases_can_be_kept_and_looked_into(
    tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    store = str(tmp_path / "mine.db")
    done = command("demo", "--keep", "--store", store, env=environment(tmp_path))
    assert done.code == 0, done.out + done.err
    found = re.search(r"agentgraph show (demo-\w+) --store", done.out)
    assert found is not None
    assert found[1] in cli("runs", "--store", store, "--agent", "support desk", "--status", "succeeded").out
    assert "tool refund_order" in cli("show", found[1], "--store", store).out
    [folder] = tmp_path.glob("agentgraph-demo-*")
    assert [refund.order_id for refund in Shop(folder / "shop.db").refunds] == [102]


def test_a_model_that_refunds_nothing_is_no_demonstration(tmp_path: Path) -> None:
    done = command("demo", "--model", "test", env=environment(tmp_path))
    assert done.code == 1
    assert "without a refund" in done.err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_demonstration_that_hangs_is_given_up(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgraph.cli.demo.command.LONGEST", 0.5)  # less than a process takes to start
    done = cli("demo")
    assert (done.code, done.err) == (1, "agentgraph: the demonstration took longer than 0.5 s\n")


def test_a_worker_that_cannot_do_its_job_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = Job(store=str(tmp_path / "runs.db"), shop=str(tmp_path / "shop.db"), run_id="gone", model="test")
    assert main(jobs.dump_json(job).decode()) == 1
    assert "RunNotFound: there is no run 'gone'" in capsys.readouterr().err


def test_a_worker_that_has_done_its_job_says_how_the_run_ended(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store, shop = tmp_path / "runs.db", Shop(tmp_path / "shop.db")
    support_desk.run_sync("hello", model=TestModel(call_tools=[]), deps=shop, store=store, run_id="done")
    job = Job(store=str(store), shop=str(shop.path), run_id="done", model="test")
    assert main(jobs.dump_json(job).decode()) == 0
    assert isinstance(walk_events.validate_json(capfd.readouterr().out), RunFinished)


def test_what_cannot_be_begun_is_refused(cli: CommandLine) -> None:
    assert "OPENAI_API_KEY" in cli.refusal("demo", "--model", "openai:gpt-4o")
    assert "there is no folder" in cli.refusal("demo", "--store", "missing/runs.db")
