"""The fixture for pytest, and that it costs nothing where nobody asks for it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from agentgraph.testing.pytest_plugin import CrashKit, crash_kit

from .desk import booking

__all__ = ["crash_kit"]

TEST = """
from agentgraph import Agent

desk = Agent("test")

async def book(attempt):
    await desk.run(attempt.prompt("Book it"), **attempt.options)

def test_booking(crash_kit):
    crash_kit.survives_sync(book)
"""


@pytest.mark.anyio
async def test_the_kit_hands_out_the_report(crash_kit: CrashKit) -> None:
    report = await crash_kit.survives(booking(), may_repeat={"charge", "confirm"})
    assert report.repeated == {"charge", "confirm"}


def test_the_kit_fails_the_test(crash_kit: CrashKit) -> None:
    with pytest.raises(AssertionError, match="not to be called again: charge, confirm"):
        crash_kit.survives_sync(booking(), may_repeat=())


def test_who_asks_for_the_plugin_gets_the_fixture(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["agentgraph.testing.pytest_plugin"]\n')
    (tmp_path / "test_it.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_nobody_else_loads_it() -> None:
    assert [each.name for each in entry_points(group="pytest11") if each.value.startswith("agentgraph")] == []
