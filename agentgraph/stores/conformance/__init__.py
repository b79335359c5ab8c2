"""The suite that every store passes, for pytest: a class with one fixture runs all of it over a store of yours.

    class TestMyStore(SharedStoreConformance):
        @pytest.fixture
        def make_store(self, tmp_path: Path) -> MakeStore:
            return lambda clock: MyStore(tmp_path / "runs", clock=clock)

Each test runs on every event loop that the fixture `anyio_backend` names: asyncio and trio, unless you define it.
What only whole processes can show is not in here: that a run whose owner was killed on this host is free at once, and
that what was committed outlives the process.
"""

from __future__ import annotations

import pytest

# Before the parts are imported, so that an assert which fails shows its values.
_PARTS = (
    *("answers", "branches", "care", "claims", "dispatches", "events", "journals"),
    *("lists", "origins", "owners", "signals", "steps", "timers"),
)
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from agentgraph.stores.samples import HandClock  # noqa: E402 - see above

from .answers import Answers, Sleeping  # noqa: E402
from .branches import Branching  # noqa: E402
from .care import Deleting, Inserting  # noqa: E402
from .claims import Claims  # noqa: E402
from .clocks import Clocks, SharedClocks  # noqa: E402
from .dispatches import Dispatches  # noqa: E402
from .events import Events, SharedEvents  # noqa: E402
from .journals import Cancels, Journals  # noqa: E402
from .lists import Lists  # noqa: E402
from .origins import Forks, Turns  # noqa: E402
from .owners import Owners  # noqa: E402
from .signals import SharedSignals, Signals  # noqa: E402
from .steps import Steps  # noqa: E402
from .suite import MakeStore  # noqa: E402
from .timers import Timers  # noqa: E402

__all__ = ["HandClock", "MakeStore", "SharedStoreConformance", "StoreConformance"]


class StoreConformance(
    Steps,
    Branching,
    Claims,
    Journals,
    Cancels,
    Signals,
    Answers,
    Sleeping,
    Timers,
    Dispatches,
    Forks,
    Turns,
    Lists,
    Deleting,
    Inserting,
    Events,
    Clocks,
):
    """What every store does. Inherit it, and give the class a fixture `make_store` that returns a `MakeStore`."""


class SharedStoreConformance(StoreConformance, Owners, SharedClocks, SharedEvents, SharedSignals):
    """The same for a store whose place several processes share: `make_store` opens it twice, for two owners."""
