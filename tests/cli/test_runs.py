from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agentgraph import Agent, RunWaiting, open_store
from agentgraph.clock import SystemClock
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, Scheduler
from agentgraph.models.test import TestModel
from tests.cli.calling import CommandLine


def store_with_runs(path: Path) -> str:
    for name, run_id in (("first", "one"), ("second", "two"), ("second", "three")):
        Agent(TestModel(), name=name, store=path).run_sync("hello", run_id=run_id)
    return str(path)


def ids(out: str) -> list[str]:
    rows = [line.split() for line in out.splitlines()]
    return [row[0] for row in rows if row and row[0] in {"one", "two", "three"}]


def test_runs_are_listed_the_newest_first(cli: CommandLine, tmp_path: Path) -> None:
    done = cli("runs", "--store", store_with_runs(tmp_path / "a.db"))
    assert ids(done.out) == ["three", "two", "one"]
    row = next(line.split() for line in done.out.splitlines() if line.split()[:1] == ["one"])
    assert row[:4] == ["one", "succeeded", "first", "3"]


@pytest.mark.parametrize("usage", [b"", b"[]"])
def test_a_damaged_row_hides_no_other(cli: CommandLine, tmp_path: Path, usage: bytes) -> None:
    store = store_with_runs(tmp_path / "a.db")
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE runs SET usage = ? WHERE run_id = 'two'", (usage,))
    assert ids(cli("runs", "--store", store).out) == ["three", "two", "one"]
    assert cli("show", "two", "--store", store).code == 0


def test_the_environment_names_the_store(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTGRAPH_STORE", store_with_runs(tmp_path / "a.db"))
    assert len(ids(cli("runs").out)) == 3


def test_the_default_store_is_in_the_current_folder(cli: CommandLine, tmp_path: Path) -> None:
    store_with_runs(tmp_path / "agentgraph.db")
    assert len(ids(cli("runs").out)) == 3


def test_filters_narrow_the_list(cli: CommandLine, tmp_path: Path) -> None:
    store = store_with_runs(tmp_path / "a.db")
    assert ids(cli("runs", "--store", store, "--agent", "second").out) == ["three", "two"]
    assert ids(cli("runs", "--store", store, "--limit", "1").out) == ["three"]
    assert ids(cli("runs", "--store", store, "--status", "succeeded").out) == ["three", "two", "one"]
    assert cli("runs", "--store", store, "--status", "failed").out == f"no runs like that in {store}\n"


@dataclass
class Nap(BaseNode[None, None, str]):
    seconds: float

    async def run(self, ctx: GraphRunContext) -> End[str]:
        await ctx.sleep(self.seconds)
        raise NotImplementedError


class Past(SystemClock):
    """Of a machine that fell asleep an hour ago."""

    def now(self) -> datetime:
        return super().now() - timedelta(hours=1)


def test_runs_that_sleep_say_until_when_and_are_listed_when_they_are_due(cli: CommandLine, tmp_path: Path) -> None:
    store = store_with_runs(tmp_path / "a.db")
    graph, scheduler = Graph(nodes=(Nap,), name="nap"), Scheduler(open_store(store), Past())
    for run_id, seconds in (("two days", 49 * 3600), ("over", 60.0)):
        with pytest.raises(RunWaiting):
            graph.run_sync(Nap(seconds), scheduler=scheduler, run_id=run_id)
    lines = {line.split("waiting")[0].strip(): line.split() for line in cli("runs", "--store", store).out.splitlines()}
    assert (lines["two days"][-2:], lines["over"][-1]) == (["2", "d"], "due")
    assert lines["two days"][-3] == "in"
    due = cli("runs", "--store", store, "--due").out
    assert "over" in due
    assert "two days" not in due
    assert "wakes   in 2 d" in cli("show", "two days", "--store", store).out


def test_a_missing_store_is_refused_and_not_created(cli: CommandLine, tmp_path: Path) -> None:
    assert "there is no store missing.db" in cli.refusal("runs", "--store", "missing.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_refused(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("these are notes, and no database " * 40)
    assert "notes.txt" in cli.refusal("runs", "--store", "notes.txt")


def test_an_address_of_another_kind_is_refused(cli: CommandLine) -> None:
    assert "redis://" in cli.refusal("runs", "--store", "redis://localhost")


def test_an_unknown_status_is_refused_with_those_there_are(cli: CommandLine) -> None:
    assert "there is no status 'done'; there are pending" in cli.refusal("runs", "--status", "done")
