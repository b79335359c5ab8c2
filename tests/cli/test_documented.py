"""Every command is in the README."""

from __future__ import annotations

import pytest

from agentgraph.cli.app import app
from tests.shared_data import REPOSITORY

README = REPOSITORY / "README.md"


def commands() -> list[str]:
    found = app.registered_commands
    groups = [str(each.typer_instance.info.name) for each in app.registered_groups if each.typer_instance is not None]
    return [each.name or each.callback.__name__ for each in found if each.callback is not None] + groups


@pytest.mark.parametrize("name", commands())
def test_each_command_is_in_the_readme(name: str) -> None:
    assert f"agentgraph {name}" in README.read_text(encoding="utf-8")


def test_the_commands_are_found() -> None:
    assert {"demo", "chat", "runs", "show", "resume", "diagram", "draw", "models", "import", "prune", "queues"} <= set(
        commands()
    )


@pytest.mark.parametrize("each", app.registered_commands, ids=lambda each: each.callback.__name__)
def test_each_command_says_what_it_does(each: object) -> None:
    callback = getattr(each, "callback", None)
    assert callback is not None
    assert callback.__doc__
