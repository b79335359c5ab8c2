"""Peers are measured by a driver that knows no library: here they are scripts that say what they are told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.peers.libraries import Library, read_libraries
from benchmarks.peers.measuring import Failed, measure
from benchmarks.peers.report import figures, tables
from benchmarks.peers.workloads import WORKLOADS, Workload
from tests.shared_data import REPOSITORY

STEPS = Workload("steps", "Graphs", "a step", 1_000, 7, each=True)
SPREAD = Workload("spread", "Graphs", "a fork", 10, 7)
ADAPTERS = REPOSITORY / "benchmarks" / "peers" / "adapters"


def library(folder: Path, name: str, **said: object) -> Library:
    """One whose adapter writes its turn into `turns` and says the same of every workload."""
    adapter = folder / f"with_{name}.py"
    adapter.write_text(
        f"import sys\nopen({str(folder / 'turns')!r}, 'a').write(' '.join([{name!r}, *sys.argv[1:]]) + '\\n')\n"
        f"print('noise')\nprint({json.dumps(said)!r})\n"
    )
    return Library(name, name.title(), adapter, Path(sys.executable))


def test_the_table_has_medians_and_ratios_to_ours(tmp_path: Path) -> None:
    ours = library(tmp_path, "agentgraph", seconds=[0.9, 0.004, 0.001], result=7)
    slower = library(tmp_path, "slower", seconds=[0.01], result=7)
    without = library(tmp_path, "without", none="no forks")
    table = tables(measure([ours, slower, without], [STEPS, SPREAD], 1))
    assert table.splitlines()[2:] == [
        "|  | a step | a fork |",
        "| --- | ---: | ---: |",
        "| Agentgraph | 4 µs | 4 ms |",
        "| Slower | 10 µs (2.5 ×) | 10 ms (2.5 ×) |",
        "| Without | no forks | no forks |",
    ]


def test_libraries_take_turns_and_every_second_round_goes_backwards(tmp_path: Path) -> None:
    one, two = (library(tmp_path, name, seconds=[1], result=7) for name in ("one", "two"))
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


def test_figures_are_kept_with_every_round(tmp_path: Path) -> None:
    kept = json.loads(
        json.dumps(figures(measure([library(tmp_path, "agentgraph", seconds=[2], result=7)], [SPREAD], 2)))
    )
    (cell,) = kept["cells"]
    assert (cell["library"], cell["seconds"], cell["rounds"], cell["ratio"]) == ("agentgraph", 2, [2, 2], 1)


def test_another_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="Idle returned 6 for 'spread', not 7"):
        measure([library(tmp_path, "idle", seconds=[1], result=6)], [SPREAD], 1)


def test_a_failing_adapter_is_named_with_what_it_said(tmp_path: Path) -> None:
    broken = library(tmp_path, "broken")
    broken.adapter.write_text("raise RuntimeError('out of order')")
    with pytest.raises(Failed, match=r"(?s)Broken failed at 'spread'.*out of order"):
        measure([broken], [SPREAD], 1)


def test_peers_have_adapters_and_exact_versions() -> None:
    libraries = read_libraries()
    assert {each.adapter for each in libraries} == set(ADAPTERS.glob("with_*.py"))
    loose = [need for each in libraries for need in each.requires if "==" not in need]
    assert loose == ["--editable=."]


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_our_adapter_does_its_work(workload: Workload) -> None:
    command = [sys.executable, str(ADAPTERS / "with_agentgraph.py"), workload.name, "10"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert json.loads(ran.stdout)["result"] in {10, 285}
