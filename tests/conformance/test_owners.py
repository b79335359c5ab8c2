"""An owner whose process died on this host: the suite for every store kills none."""

from __future__ import annotations

import pytest

from agentgraph.exceptions import RunBusy
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import Store
from tests.stores.places import Place
from tests.stores.processes import Worker

pytestmark = pytest.mark.anyio

Owners = tuple[Store, Store]
"""Two stores that share what they keep."""


async def test_a_dead_owner_on_this_host_does_not_hold_its_run(owners: Owners, place: Place) -> None:
    first, _ = owners
    with Worker("hold", place.url, "r") as worker:
        assert worker.line() == "held"
        with pytest.raises(RunBusy, match=f"process {worker.pid}"):
            await first.claim("r")
        worker.kill()
        run = await first.claim("r")
    assert (run.epoch, run.attempt) == (2, 2)


async def test_a_run_of_a_dead_owner_is_cancelled_at_once(owners: Owners, place: Place) -> None:
    first, _ = owners
    with Worker("hold", place.url, "r") as worker:
        assert worker.line() == "held"
        worker.kill()
        assert await first.cancel("r") is Status.CANCELLED
