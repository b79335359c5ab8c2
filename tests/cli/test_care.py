"""Runs are pruned, deleted, written into files and read from them."""

from __future__ import annotations

import json
import resource
import signal
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from agentgraph import Agent
from agentgraph.graph import Status, fork
from agentgraph.models.test import TestModel
from agentgraph.stores import SQLiteStore, open_store
from agentgraph.stores.samples import HandClock, new_run, next_commit
from tests.cli.calling import CommandLine

STORE = "agentgraph.db"


def keep_runs(*run_ids: str) -> None:
    for run_id in run_ids:
        Agent(TestModel(), name="writer", store=STORE).run_sync("hello", run_id=run_id)


def keep_old(run_id: str, status: Status, days: int) -> None:
    """A run that was last written so many days ago."""

    async def write() -> None:
        clock = HandClock((datetime.now(UTC) - timedelta(days=days)).timestamp())
        store = SQLiteStore(STORE, clock=clock)
        await store.commit(next_commit(await store.create(new_run(run_id, agent="writer")), status))
        await store.aclose()

    anyio.run(write)


def ids() -> set[str]:
    async def read() -> set[str]:
        store = open_store(STORE)
        found = {run.run_id for run in await store.list()}
        await store.aclose()
        return found

    return anyio.run(read)


def fork_of(run_id: str, new_id: str) -> None:
    async def write() -> None:
        store = open_store(STORE)
        await fork(store, await store.load(run_id), new_id)
        await store.aclose()

    anyio.run(write)


def test_a_run_is_deleted(cli: CommandLine) -> None:
    keep_runs("one", "two")
    assert cli("delete", "one").out == "deleted one\n"
    assert ids() == {"two"}
    assert "there is no run 'one' in this store" in cli.refusal("delete", "one")


def test_a_run_that_others_need_is_not_deleted(cli: CommandLine) -> None:
    keep_runs("one")
    fork_of("one", "its fork")
    assert "go on from it or from a run below it: its fork; delete them first" in cli.refusal("delete", "one")
    assert ids() == {"one", "its fork"}


def test_a_run_that_is_executed_is_not_deleted(cli: CommandLine) -> None:
    holder = SQLiteStore(STORE)
    anyio.run(holder.create, new_run("held"))
    assert "run 'held' is executed by process" in cli.refusal("delete", "held")
    anyio.run(holder.aclose)


def test_old_runs_are_pruned(cli: CommandLine) -> None:
    keep_runs("new")
    for run_id, status in {"old": Status.SUCCEEDED, "failed": Status.FAILED}.items():
        keep_old(run_id, status, days=40)
    assert cli("prune", "--older-than", "50d").out == "0 run(s) deleted\n"
    assert cli("prune", "--older-than", "30d", "--dry-run").out == "1 run(s) would be deleted\n"
    assert cli("prune", "--older-than", "30d", "--keep-agent", "writer").out == "0 run(s) deleted\n"
    assert cli("prune", "--older-than", "30d").out == "1 run(s) deleted\n"
    assert ids() == {"new", "failed"}
    assert cli("prune", "--older-than", "960h", "--keep", "failed").out == "0 run(s) deleted\n"
    assert cli("prune", "--older-than", "30d", "--keep", "none").out == "1 run(s) deleted\n"


def test_what_stays_because_others_need_it_is_told(cli: CommandLine) -> None:
    keep_old("old", Status.SUCCEEDED, days=40)
    fork_of("old", "its fork")
    assert cli("prune", "--older-than", "4w").out == "old stays: its fork goes on from it\n0 run(s) deleted\n"


@pytest.mark.parametrize("age", ["30", "d", "-3d", "3 years", "9" * 30 + "d"])
def test_what_is_no_age_is_refused(cli: CommandLine, age: str) -> None:
    keep_runs("one")
    assert age in cli.refusal("prune", f"--older-than={age}")


def test_an_unknown_status_to_keep_is_refused(cli: CommandLine) -> None:
    assert "there is no status 'done'" in cli.refusal("prune", "--older-than", "1d", "--keep", "done")


def test_a_run_goes_through_a_file(cli: CommandLine, tmp_path: Path) -> None:
    keep_runs("one")
    assert "one: " in cli("export", "one", "one.json").out
    assert stat.S_IMODE((tmp_path / "one.json").stat().st_mode) == 0o600
    assert cli("import", "one.json", "--store", "other.db").out == "one\n"
    assert "succeeded" in cli("show", "one", "--store", "other.db").out


def test_a_run_is_written_to_the_standard_output(cli: CommandLine) -> None:
    keep_runs("one")
    assert json.loads(cli("export", "one", "-").out)["run_id"] == "one"


def test_no_file_is_written_over(cli: CommandLine, tmp_path: Path) -> None:
    keep_runs("one")
    (tmp_path / "one.json").write_text("mine")
    assert "one.json cannot be written: File exists" in cli.refusal("export", "one", "one.json")
    assert (tmp_path / "one.json").read_text() == "mine"


def test_a_run_that_is_there_gets_another_name(cli: CommandLine) -> None:
    keep_runs("one")
    cli("export", "one", "one.json")
    assert "there is a run 'one' in this store already; give --prefix" in cli.refusal("import", "one.json")
    assert cli("import", "one.json", "--prefix", "copy-").out == "copy-one\n"
    assert ids() == {"one", "copy-one"}


def test_what_is_no_exported_run_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("notes")
    assert "no exported run" in cli.refusal("import", "notes.txt")
    assert "missing.json cannot be read: No such file" in cli.refusal("import", "missing.json")
    assert "Is a directory" in cli.refusal("import", str(tmp_path))
    assert not (tmp_path / STORE).exists()


def test_half_a_file_and_one_of_a_newer_format_are_refused(cli: CommandLine, tmp_path: Path) -> None:
    keep_runs("one")
    cli("export", "one", "one.json")
    whole = (tmp_path / "one.json").read_text()
    (tmp_path / "half.json").write_text(whole[: len(whole) // 2])
    (tmp_path / "newer.json").write_text(whole.replace('"format": 1', '"format": 2', 1))
    assert "no exported run" in cli.refusal("import", "half.json", "--store", "other.db")
    assert "exported in format 2" in cli.refusal("import", "newer.json", "--store", "other.db")
    assert not (tmp_path / "other.db").exists()


def test_a_file_that_cannot_be_written_whole_is_not_left_behind(cli: CommandLine, tmp_path: Path) -> None:
    Agent(TestModel(), store=STORE).run_sync(
        '"' * 500_000, run_id="one"
    )  # quotes take more room in JSON than in a store
    largest = (tmp_path / STORE).stat().st_size + 100_000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        assert "one.json cannot be written: File too large" in cli.refusal("export", "one", "one.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert not (tmp_path / "one.json").exists()


def test_a_run_that_is_not_there_is_not_exported(cli: CommandLine) -> None:
    keep_runs("one")
    assert "there is no run 'two'" in cli.refusal("export", "two", "two.json")
