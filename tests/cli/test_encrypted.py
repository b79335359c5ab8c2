"""Commands on a store that is encrypted."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgraph import Agent
from agentgraph.models.test import TestModel
from agentgraph.stores import EncryptedStore, SivCipher, new_key, open_store
from tests.cli.calling import CommandLine

STORE = ("--store", "a.db")


@pytest.fixture
def key(cli: CommandLine, tmp_path: Path) -> str:
    """That of the store, in which a run has said hello."""
    key = new_key()
    store = EncryptedStore(open_store(tmp_path / "a.db"), SivCipher(key))
    Agent(TestModel(), name="greeter", store=store).run_sync("hello there", run_id="r")
    return key


def test_runs_are_listed_without_the_key(cli: CommandLine, key: str) -> None:
    assert "greeter" in cli("runs", *STORE).out


def test_a_run_is_shown_with_the_key(cli: CommandLine, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = cli("show", "r", *STORE).err
    assert "run 'r' is encrypted" in told
    assert "AGENTGRAPH_KEY" in told
    monkeypatch.setenv("AGENTGRAPH_KEY", f"{new_key()} {key}")
    assert "hello there" in cli("show", "r", *STORE).out


def test_a_wrong_key_is_told_and_not_shown(cli: CommandLine, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (new_key(), "no-key"):
        monkeypatch.setenv("AGENTGRAPH_KEY", wrong)
        done = cli("show", "r", *STORE)
        assert done.code > 0
        assert done.err.count("\n") == 1
        assert "key" in done.err
        assert wrong not in done.err
