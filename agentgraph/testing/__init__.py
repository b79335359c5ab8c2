"""For tests: what becomes of runs if the process dies at any of its writes; runs that are replayed; time that flies.

The fixtures for pytest are in `agentgraph.testing.pytest_plugin`.
"""

from __future__ import annotations

from agentgraph.stores.samples import HandClock

from .attempt import Attempt, CrashOptions, Scenario
from .crashing import crash_points, crash_points_sync
from .differences import ReplayDiffers
from .killing import kill_points
from .places import OpenStore, in_memory, sqlite_in
from .replaying import Replay, ReplayOptions, replay, replay_sync
from .report import CommitPoint, Crash, CrashReport, Ending, Repeated

__all__ = [
    "Attempt",
    "CommitPoint",
    "Crash",
    "CrashOptions",
    "CrashReport",
    "Ending",
    "HandClock",
    "OpenStore",
    "Repeated",
    "Replay",
    "ReplayDiffers",
    "ReplayOptions",
    "Scenario",
    "crash_points",
    "crash_points_sync",
    "in_memory",
    "kill_points",
    "replay",
    "replay_sync",
    "sqlite_in",
]
