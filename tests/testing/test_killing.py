"""The same with real deaths: every process is a fork, killed by SIGKILL."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from agentgraph import Agent, UserError
from agentgraph.testing import Attempt, CrashReport, crash_points_sync, kill_points

from .desk import World, booking, desk, running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the death of a process is known at once on Linux only")


def told(report: CrashReport) -> list[tuple[str, bool, list[str]]]:
    return [(str(crash.point), crash.same, sorted(map(str, crash.repeated))) for crash in report.crashes]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_killed_process_leaves_what_a_dead_store_leaves(tmp_path: Path, backend: str) -> None:
    report = kill_points(booking(), tmp_path, backend=backend)
    assert report.survived, report.summary()
    assert (report.unkilled.result, len(report.crashes)) == ('{"charge":"charged","confirm":"sent"}', 14)
    assert report.repeated == crash_points_sync(booking()).repeated


def test_a_single_call_is_told_the_same_way(tmp_path: Path) -> None:
    scenario = running(Agent("test", name="plain"))
    assert told(kill_points(scenario, tmp_path)) == told(crash_points_sync(scenario))


def test_a_process_that_breaks_down_says_why(tmp_path: Path) -> None:
    async def elsewhere(attempt: Attempt) -> None:
        await desk(World()).run("Book it")

    with pytest.raises(UserError, match=r"(?s)has broken down:.*hand `\*\*attempt.options`"):
        kill_points(elsewhere, tmp_path)


def test_a_process_that_somebody_else_kills_is_missed(tmp_path: Path) -> None:
    async def shot(attempt: Attempt) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(UserError, match="has broken down:\nit has not said how"):
        kill_points(shot, tmp_path)


def test_other_systems_are_told_what_to_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UserError, match="take `crash_points` here"):
        kill_points(booking(), tmp_path)
