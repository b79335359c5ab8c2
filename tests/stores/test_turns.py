"""The order of a conversation's turns does not hang on clocks and leases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentgraph.exceptions import RunBusy
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import RunFilter, Store
from agentgraph.stores import MemoryStore, SQLiteStore
from agentgraph.stores.samples import HandClock, new_run, next_commit

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> AsyncIterator[Store]:
    made = MemoryStore(clock=clock) if request.param == "memory" else SQLiteStore(tmp_path / "runs.db", clock=clock)
    yield made
    await made.aclose()


@pytest.mark.parametrize("passed", [0, -3600])
async def test_the_newest_turn_is_the_last_one_created(store: Store, clock: HandClock, passed: float) -> None:
    before: str | None = None
    for run_id in ("z", "y", "x"):
        made_of = new_run(run_id, conversation="c", origin=None if before is None else (before, 1))
        await store.commit(next_commit(await store.create(made_of), Status.SUCCEEDED))
        before = run_id
        clock.seconds += passed
    assert [run.run_id for run in await store.list(RunFilter(conversation="c"))] == ["x", "y", "z"]


async def test_a_turn_held_here_is_busy_though_its_lease_is_over(store: Store, clock: HandClock) -> None:
    await store.create(new_run("t1", conversation="c"))
    clock.seconds += 1000
    with pytest.raises(RunBusy) as caught:
        await store.create(new_run("t2", conversation="c", origin=("t1", 1)))
    assert caught.value.run_id == "t1"
