"""`agentgraph draw`, and SVG from `agentgraph diagram`."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from agentgraph import Agent
from agentgraph.stores import SQLiteStore
from tests.agent.scripted import says
from tests.cli.calling import CommandLine
from tests.drawing.documents import texts


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """The file of a store with one run, `r`."""

    async def run() -> None:
        store = SQLiteStore(tmp_path / "runs.db")
        await Agent(says("all done"), name="maker").run("make", run_id="r", store=store)
        await store.aclose()

    anyio.run(run)
    return str(tmp_path / "runs.db")


def test_a_run_is_drawn_as_mermaid(cli: CommandLine, stored: str) -> None:
    lines = cli("draw", "r", "--store", stored, "--direction", "LR").out.splitlines()
    assert lines[:5] == ["---", 'title: "run r of maker: succeeded"', "---", "stateDiagram-v2", "  direction LR"]
    assert "    “all done”" in lines


def test_a_run_is_drawn_as_svg(cli: CommandLine, stored: str, tmp_path: Path) -> None:
    done = cli("draw", "r", "--svg", "r.svg", "--store", stored)
    assert (done.code, done.out) == (0, "r: r.svg\n")
    assert "“all done”" in texts((tmp_path / "r.svg").read_text(encoding="utf-8"))


def test_what_cannot_be_drawn_is_refused(cli: CommandLine, stored: str) -> None:
    assert "there is no run 'q'" in cli.refusal("draw", "q", "--store", stored)
    assert "missing/r.svg cannot be written" in cli.refusal("draw", "r", "--svg", "missing/r.svg", "--store", stored)
    assert "there is no store" in cli.refusal("draw", "r", "--store", "no.db")


def test_a_graph_is_drawn_as_svg(cli: CommandLine, bot: str, tmp_path: Path) -> None:
    assert cli("diagram", f"{bot}:graph", "-o", "small.svg").code == 0
    assert {"small", "Only"} <= {*texts((tmp_path / "small.svg").read_text(encoding="utf-8"))}
