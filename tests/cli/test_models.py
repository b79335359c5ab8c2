from __future__ import annotations

from typing import get_args

from agentgraph.models import KnownModelName
from tests.cli.calling import CommandLine


def test_all_known_names_are_listed(cli: CommandLine) -> None:
    assert cli("models").out.split() == list(get_args(KnownModelName))


def test_a_provider_narrows_the_list(cli: CommandLine) -> None:
    names = cli("models", "--provider", "openai").out.split()
    assert names
    assert all(name.startswith("openai:") for name in names)


def test_an_unknown_provider_is_refused_with_those_there_are(cli: CommandLine) -> None:
    assert "there are anthropic" in cli.refusal("models", "--provider", "nobody")
