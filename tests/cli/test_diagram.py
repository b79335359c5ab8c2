from __future__ import annotations

from pathlib import Path

from tests.cli.calling import CommandLine


def test_an_agent_is_drawn_under_its_name(cli: CommandLine, bot: str) -> None:
    lines = cli("diagram", f"{bot}:agent").out.splitlines()
    assert lines[:4] == ["---", "title: maker", "---", "stateDiagram-v2"]
    assert "  [*] --> UserPromptNode" in lines


def test_a_graph_is_drawn(cli: CommandLine, bot: str) -> None:
    drawn = cli("diagram", f"{bot}:graph", "--direction", "LR").out
    assert "title: small" in drawn
    assert "  direction LR" in drawn
    assert "  Only --> [*]" in drawn


def test_a_file_takes_the_picture(cli: CommandLine, bot: str, tmp_path: Path) -> None:
    done = cli("diagram", f"{bot}:graph", "-o", "small.mmd")
    assert (done.code, done.out) == (0, "")
    assert (tmp_path / "small.mmd").read_text().endswith("Only --> [*]\n")


def test_a_file_that_cannot_be_written_is_refused(cli: CommandLine, bot: str) -> None:
    assert "missing/small.mmd cannot be written" in cli.refusal("diagram", f"{bot}:graph", "-o", "missing/small.mmd")


def test_what_is_neither_is_refused(cli: CommandLine, bot: str) -> None:
    assert "neither an Agent nor a Graph" in cli.refusal("diagram", f"{bot}:folder")
    assert "there is no module" in cli.refusal("diagram", "no_such_module:agent")
