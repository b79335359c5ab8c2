"""Peers are measured by a driver that knows no library: here they are scripts that say what they are told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.peers.adapters import cell
from benchmarks.peers.libraries import Library, read_libraries
from benchmarks.peers.measuring import Cell, measure
from benchmarks.peers.report import figures, read_cells, table, tables
from benchmarks.peers.workloads import COLUMNS, WORKLOADS, Column, Workload
from benchmarks.quick import Known, lines
from benchmarks.targets import TARGETS, Of, Target, judge
from tests.shared_data import REPOSITORY

STEPS = Workload("steps", "graphs", "steps", 1_000, 7, each=True)
SPREAD = Workload("spread", "graphs", "spread", 10, 7)
HEADS = [Column("Graphs", "a step", "steps", "wall", "µs"), Column("Graphs", "a fork", "spread", "wall", "ms")]
ADAPTERS = REPOSITORY / "benchmarks" / "peers" / "adapters"
MODULES = sorted({each.module for each in WORKLOADS} - {"driver"})
DONE_HERE = sorted({(each.module, each.cell) for each in WORKLOADS if each.module != "driver"} - {("runs", "resume")})


def library(folder: Path, name: str, *seconds: float, result: int = 7, **said: object) -> Library:
    """One whose Python writes its turn into `turns` and says the same of every workload."""
    answer = {"figures": {"wall": list(seconds)}, "result": result} if seconds else said
    python = folder / name
    python.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"open({str(folder / 'turns')!r}, 'a').write(' '.join([{name!r}, *sys.argv[3:5]]) + '\\n')\n"
        f"print('noise')\nprint({json.dumps(answer)!r})\n"
    )
    python.chmod(0o700)
    return Library(name, name.title(), f"with_{name}", python)


def test_the_table_has_medians_and_ratios_to_ours(tmp_path: Path) -> None:
    ours = library(tmp_path, "agentgraph", 0.9, 0.004, 0.001)
    slower = library(tmp_path, "slower", 0.01)
    without = library(tmp_path, "without", none="no forks")
    steps_alone = replace(slower, name="half", shown="Half", none={"graphs": "no graphs"})
    measured = measure([ours, slower, without, steps_alone], [STEPS, SPREAD], 1)
    assert table(measured, HEADS).splitlines() == [
        "|  | a step | a fork |",
        "| --- | ---: | ---: |",
        "| Agentgraph | 4 µs | 4 ms |",
        "| Slower | 10 µs (2.5 ×) | 10 ms (2.5 ×) |",
    ]


def test_sections_of_which_nothing_was_measured_are_left_out() -> None:
    ours, answer = read_libraries()[0], next(each for each in WORKLOADS if each.name == "answer")
    shown = tables([Cell(answer, ours, {"cpu": [4e-6]}), Cell(WORKLOADS[0], ours, none="not counted")])
    assert shown.splitlines() == [
        "## A run in memory",
        "",
        "|  | one answer |",
        "| --- | ---: |",
        "| agentgraph | 4 µs |",
    ]


def test_a_library_without_one_of_the_works_says_why(tmp_path: Path) -> None:
    some = library(tmp_path, "some", 0.01)
    cells = [Cell(STEPS, some, {"wall": [0.01]}), Cell(SPREAD, some, none="no forks")]
    assert table(cells, HEADS).splitlines()[2:] == ["| Some | 10 µs | no forks |"]


def test_libraries_take_turns_and_every_second_round_goes_backwards(tmp_path: Path) -> None:
    one, two = (library(tmp_path, name, 1) for name in ("one", "two"))
    measure([one, two], [SPREAD], 3)
    turns = (tmp_path / "turns").read_text().splitlines()
    assert turns == [
        "one spread 10",
        "two spread 10",
        "two spread 10",
        "one spread 10",
        "one spread 10",
        "two spread 10",
    ]


def test_figures_are_kept_with_every_round_and_read_again() -> None:
    ours = read_libraries()[0]
    written = Cell(WORKLOADS[0], ours, {"distributions": [12, 12], "bytes": [1e6, 3e6]})
    (read,) = read_cells(json.loads(json.dumps(figures([written]))))
    assert (read, read.value("bytes"), read.value("wall")) == (written, 2e6, None)


def test_another_result_is_a_failure(tmp_path: Path) -> None:
    (idle,) = measure([library(tmp_path, "idle", 1, result=6)], [SPREAD], 2)
    assert (idle.none, idle.rounds) == ("failed: returned 6, not 7", {})


def test_a_failing_adapter_stops_nothing_and_says_its_last_word(tmp_path: Path) -> None:
    broken, good = library(tmp_path, "broken"), library(tmp_path, "good", 1)
    broken.python.write_text(f"#!{sys.executable}\nraise RuntimeError('out of order')")
    cells = measure([broken, good], [SPREAD], 1)
    assert [(cell.none, cell.value("wall")) for cell in cells] == [
        ("failed: RuntimeError: out of order", None),
        ("", 1),
    ]


def test_a_library_too_slow_for_a_little_is_not_asked_for_more(tmp_path: Path) -> None:
    more = replace(SPREAD, name="more", after=("spread", 6.0, "not in 60 s"))
    slow, fast = library(tmp_path, "slow", 7), library(tmp_path, "fast", 5)
    cells = measure([slow, fast], [SPREAD, more], 1)
    assert [each.none for each in cells if each.workload is more] == ["not in 60 s", ""]


def test_peers_have_adapters_and_exact_versions() -> None:
    libraries = read_libraries()
    assert {each.adapter for each in libraries} == {each.name for each in ADAPTERS.glob("with_*")}
    loose = {need for each in libraries for need in (*each.minimal, *each.requires) if "==" not in need}
    assert loose == {"--editable=.", "."}


@pytest.mark.parametrize("each", read_libraries(), ids=lambda each: each.name)
def test_an_adapter_has_a_module_for_each_kind_of_work_or_a_reason(each: Library) -> None:
    written = {module for module in MODULES if (ADAPTERS / each.adapter / f"{module}.py").exists()}
    assert sorted({*written, *each.none} - {"driver"}) == MODULES


@pytest.mark.parametrize("adapter", ["with_agentgraph", "with_nothing"])
@pytest.mark.parametrize(("module", "name"), DONE_HERE)
def test_our_adapters_do_their_work(module: str, name: str, adapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ADAPTERS), *sys.path])
    monkeypatch.setitem(sys.modules, "cell", cell)
    said = cell.measured(f"{adapter}.{module}", name, 500 if module == "streams" else 10, {"enough": 0})
    assert "none" in said or said["result"] > 0


def test_a_run_is_resumed_in_another_process() -> None:
    command = [str(ADAPTERS / "cell.py"), "with_agentgraph.runs", "resume", "3", '{"enough": 0.0001}']
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, check=True, env=environment)
    assert json.loads(ran.stdout)["result"] == 1


def test_columns_and_targets_name_workloads() -> None:
    names = {workload.name for workload in WORKLOADS}
    rows = {"64 durable", "a step,", "1 durable", "8 durable", "following a", "a loop", "resumed, 400"}
    asked = {of.workload for target in TARGETS for of in (target.ours, target.of) if of is not None}
    assert {column.workload for column in COLUMNS} <= names
    assert {" ".join(name.split()[:2]) for name in asked - names} == rows


OURS, OTHER = Of("steps", "wall"), Of("steps", "wall", "other")


@pytest.mark.parametrize(
    ("target", "values", "word"),
    [
        (Target("", "", OURS, 0.5, OTHER), {OURS: 2, OTHER: 4}, "met"),
        (Target("", "", OURS, 0.5, OTHER), {OURS: 2.1, OTHER: 4}, "not met"),
        (Target("", "", OURS, 0.5, OTHER, plus=1), {OURS: 3, OTHER: 4}, "met"),
        (Target("", "", OURS, 0.7, OTHER, at_least=True), {OURS: 3, OTHER: 4}, "met"),
        (Target("", "", OURS, 0.7, OTHER, at_least=True), {OURS: 2, OTHER: 4}, "not met"),
        (Target("", "", OURS, plus=16), {OURS: 16}, "met"),
        (Target("", "", OURS, 0.5, OTHER), {OURS: 2}, "not measured"),
        (Target("", "", OURS, 0.5, OTHER), {OTHER: 2}, "not measured"),
    ],
)
def test_verdicts_are_computed(target: Target, values: dict[Of, float], word: str) -> None:
    (verdict,) = judge(values.get, [target])
    assert verdict.word == word


def test_a_library_that_is_not_here_is_guessed_from_the_published_run(tmp_path: Path) -> None:
    ours, by_hand = library(tmp_path, "agentgraph"), library(tmp_path, "floor")
    other = library(tmp_path, "other")

    def took(which: Library, seconds: float) -> Cell:
        return Cell(STEPS, which, {"wall": [seconds], "cpu": [seconds]})

    known = Known(
        {("steps", "agentgraph"): took(ours, 0.008), ("steps", "floor"): took(by_hand, 0.002)},
        {("steps", "floor"): took(by_hand, 0.001), ("steps", "other"): took(other, 0.008)},
    )
    (verdict,) = judge(known.value, [Target("a walk", "bare", OURS, 0.5, OTHER, unit="µs")])
    assert lines([verdict], known.value, "~")[1].split() == [
        "a",
        "walk:",
        "bare",
        "2",
        "µs",
        "8",
        "µs",
        "~0.50",
        "≤",
        "0.5",
        "×",
        "wall",
        "met",
    ]
