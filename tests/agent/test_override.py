"""What a block overrides, and who sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from agentgraph import Agent, MemoryStore, RunContext
from agentgraph.models.test import TestModel
from tests.agent.scripted import says

pytestmark = pytest.mark.anyio


def telling() -> Agent[str, str]:
    agent = Agent(says(*["own"] * 9), deps_type=str)

    @agent.result_validator
    def with_deps(ctx: RunContext[str], data: str) -> str:
        return f"{data} {ctx.deps}"

    return agent


async def test_a_block_wins_over_what_a_run_passes() -> None:
    agent = telling()
    with agent.override(model=says("over"), deps="D"):
        assert (await agent.run("Hello", model=says("passed"), deps="d")).data == "over D"
    assert (await agent.run("Hello", model=says("passed"), deps="d")).data == "passed d"


async def test_a_block_may_name_its_model() -> None:
    agent = Agent(defer_model_check=True)
    with agent.override(model="test"):
        assert (await agent.run("Hello")).data == "success (no tool calls)"


async def test_blocks_nest() -> None:
    agent = telling()
    with agent.override(deps="outer", model=says("outer", "outer")):
        with agent.override(deps="inner"):
            assert (await agent.run("Hello")).data == "outer inner"
        assert (await agent.run("Hello")).data == "outer outer"
    assert (await agent.run("Hello", deps="d")).data == "own d"


async def test_a_block_ends_with_an_error_too() -> None:
    agent = telling()
    with pytest.raises(KeyError), agent.override(deps="D"):
        raise KeyError
    assert (await agent.run("Hello", deps="d")).data == "own d"


async def test_another_agent_sees_nothing_of_it() -> None:
    one, other = telling(), telling()
    with one.override(deps="D"):
        assert (await other.run("Hello", deps="d")).data == "own d"


async def test_concurrent_tasks_do_not_see_each_others_override() -> None:
    agent = telling()
    inside, outside = anyio.Event(), anyio.Event()
    found: dict[str, str] = {}

    async def overriding() -> None:
        with agent.override(deps="D"):
            inside.set()
            await outside.wait()
            found["inside"] = (await agent.run("Hello", deps="d")).data

    async def other() -> None:
        await inside.wait()
        found["outside"] = (await agent.run("Hello", deps="d")).data
        outside.set()

    async with anyio.create_task_group() as group:
        group.start_soon(overriding)
        group.start_soon(other)
    assert found == {"inside": "own D", "outside": "own d"}


async def test_every_door_is_overridden() -> None:
    agent = telling()
    with agent.override(deps="D"):
        assert (await to_thread.run_sync(lambda: agent.run_sync("Hello"))).data == "own D"
        assert agent.run_sync("Hello").data == "own D"
        async with agent.run_stream("Hello") as response:
            assert await response.get_data() == "own D"
        async with agent.iter("Hello") as run:
            assert run.ctx.deps.deps == "D"


async def test_the_store_can_be_overridden(tmp_path: Path) -> None:
    agent, own, given = Agent(TestModel(), store=MemoryStore()), tmp_path / "own.db", MemoryStore()
    with agent.override(store=str(own)):
        await agent.run("Hello", run_id="r", store=given)
        result = await agent.run(resume="r")
    assert (result.run_id, await given.list()) == ("r", [])


def test_what_cannot_be_overridden_is_named() -> None:
    override: Any = Agent(TestModel()).override
    with pytest.raises(TypeError, match="nothing to override named name, run_id; there are deps, model, store"):
        override(run_id="r", name="n", deps=None).__enter__()
