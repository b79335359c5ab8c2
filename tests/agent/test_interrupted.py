"""A run that is interrupted at any write goes on to the same end, and no finished tool call is made again."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agentgraph import MemoryStore, SQLiteStore
from agentgraph.graph import Store
from tests.agent.doors import DOORS, Outcome, outcome, run
from tests.agent.interrupting import Accident, Interrupting, Killed
from tests.agent.scripts import Effects, Script, agent_for, limits, scripts

pytestmark = pytest.mark.anyio

many = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
accidents: st.SearchStrategy[Accident] = st.sampled_from(["killed before", "killed after", "disk full"])
doors = st.sampled_from(sorted(DOORS))


async def begin(door: str, script: Script, effects: Effects, store: Interrupting) -> Outcome | None:
    agent = agent_for(script, effects)
    try:
        return await outcome(DOORS[door], agent, "go", usage_limits=limits(script), store=store, run_id="r")
    except (Killed, BaseExceptionGroup):  # with it may come the error of a tool
        return None


async def go_on(door: str, script: Script, effects: Effects, store: Store) -> Outcome:
    return await outcome(DOORS[door], agent_for(script, effects), None, store=store, resume="r")


@pytest.mark.parametrize("accident", ["killed before", "killed after", "disk full"])
@many
@given(script=scripts, first=doors.filter(lambda door: door != "run_sync"), then=doors)
async def test_a_run_goes_on_from_every_write(accident: Accident, script: Script, first: str, then: str) -> None:
    uninterrupted = Effects()
    expected = await outcome(run, agent_for(script, uninterrupted), "go", usage_limits=limits(script), run_id="r")
    for at in count(1):
        effects = Effects()
        store = Interrupting(MemoryStore(), at, accident)
        ended = await begin(first, script, effects, store)
        if not store.interrupted:
            assert ended == expected
            return
        kept = {key: times for key, times in effects.done.items() if store.knows(key)}
        await store.aclose()  # as the end of its process does, this gives the run up
        assert await go_on(then, script, effects, store.store) == expected
        if expected.error is None:  # a tool that raises may cancel others before they end, or not
            assert effects.done.keys() == uninterrupted.done.keys()
        assert {key: effects.done[key] for key in kept} == kept


@settings(many, max_examples=10)
@given(script=scripts, accident=accidents, at=st.integers(1, 6), then=doors)
async def test_a_run_goes_on_in_a_file(tmp_path: Path, script: Script, accident: Accident, at: int, then: str) -> None:
    expected = await outcome(run, agent_for(script), "go", usage_limits=limits(script))
    path = tmp_path / f"{uuid4().hex}.db"
    file = SQLiteStore(path, synchronous="NORMAL")
    await begin("run", script, Effects(), Interrupting(file, at, accident))
    await file.aclose()
    again = SQLiteStore(path, synchronous="NORMAL")
    assert await go_on(then, script, Effects(), again) == expected
    await again.aclose()
