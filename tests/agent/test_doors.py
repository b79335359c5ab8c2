"""Four doors, one path: whatever the model does, each way to run an agent gives the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from agentgraph import MemoryStore, SQLiteStore
from tests.agent.doors import DOORS, outcome, run
from tests.agent.scripts import Script, agent_for, limits, scripts

pytestmark = pytest.mark.anyio

many = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "runs.db", synchronous="NORMAL")
    yield store
    await store.aclose()


@pytest.mark.parametrize("door", sorted(DOORS.keys() - {"run"}))
@many
@given(script=scripts)
async def test_every_door_gives_what_run_gives(door: str, script: Script) -> None:
    expected = await outcome(run, agent_for(script), "go", usage_limits=limits(script))
    assert await outcome(DOORS[door], agent_for(script), "go", usage_limits=limits(script)) == expected


@many
@given(script=scripts)
async def test_every_store_gives_the_same(file: SQLiteStore, script: Script) -> None:
    expected = await outcome(run, agent_for(script), "go", usage_limits=limits(script))
    for store in (MemoryStore(), file):
        assert await outcome(run, agent_for(script), "go", usage_limits=limits(script), store=store) == expected
