"""Fixtures for pytest; loaded by those who ask for it: `pytest_plugins = ["agentgraph.testing.pytest_plugin"]`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pytest

from .attempt import Scenario
from .crashing import crash_points, crash_points_sync
from .places import OpenStore, in_memory, sqlite_in
from .report import CrashReport

__all__ = ["CrashKit", "crash_kit"]


@dataclass(frozen=True)
class CrashKit:
    """Crashes scenarios, and fails the test if they do not survive."""

    store: OpenStore

    async def survives(self, scenario: Scenario, *, may_repeat: Collection[str] | None = None) -> CrashReport:
        """Crash the scenario at every commit point and check it. See `crash_points` and `CrashReport.check`.

        Raises:
            AssertionError: a run ended otherwise, or a tool was called again that may not be.
        """
        report = await crash_points(scenario, store=self.store)
        report.check(may_repeat=may_repeat)
        return report

    def survives_sync(self, scenario: Scenario, *, may_repeat: Collection[str] | None = None) -> CrashReport:
        """`survives` for tests that are not async."""
        report = crash_points_sync(scenario, store=self.store)
        report.check(may_repeat=may_repeat)
        return report


@pytest.fixture(params=["memory", "sqlite"])
def crash_kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CrashKit:
    """Crashes scenarios; the test runs once in memory and once on SQLite files."""
    return CrashKit(in_memory() if request.param == "memory" else sqlite_in(tmp_path_factory.mktemp("crashes")))
