"""An agent without a name takes that of the variable that holds it, at whichever door."""

from __future__ import annotations

import anyio
import pytest

from agentgraph import Agent, MemoryStore
from agentgraph.models.test import TestModel
from agentgraph.naming import variable_name

module_agent = Agent(TestModel())
task_agent = Agent(TestModel())


@pytest.mark.anyio
async def test_run_finds_the_variable() -> None:
    my_agent = Agent(TestModel())
    await my_agent.run("Hello")
    assert my_agent.name == "my_agent"


@pytest.mark.anyio
async def test_run_stream_finds_the_variable() -> None:
    my_agent = Agent(TestModel())
    async with my_agent.run_stream("Hello"):
        assert my_agent.name == "my_agent"


@pytest.mark.anyio
async def test_iter_finds_the_variable() -> None:
    my_agent = Agent(TestModel())
    async with my_agent.iter("Hello"):
        assert my_agent.name == "my_agent"


def test_run_sync_finds_the_variable() -> None:
    my_agent = Agent(TestModel())
    my_agent.run_sync("Hello")
    assert my_agent.name == "my_agent"


def test_a_variable_of_the_module_is_found() -> None:
    module_agent.run_sync("Hello")
    assert module_agent.name == "module_agent"


def test_the_nearest_variable_is_taken() -> None:
    mine = module_agent
    other = Agent(TestModel())
    other.run_sync("Hello")
    assert (other.name, mine) == ("other", module_agent)


@pytest.mark.anyio
async def test_a_given_name_stays() -> None:
    my_agent = Agent(TestModel(), name="given")
    await my_agent.run("Hello")
    assert my_agent.name == "given"


@pytest.mark.anyio
async def test_a_name_that_was_found_stays() -> None:
    first = Agent(TestModel())
    await first.run("Hello")
    second = first
    del first
    await second.run("Hello")
    assert second.name == "first"


@pytest.mark.anyio
async def test_nothing_is_looked_for_unless_wanted() -> None:
    my_agent = Agent(TestModel())
    await my_agent.run("Hello", infer_name=False)
    my_agent.run_sync("Hello", infer_name=False)
    async with my_agent.run_stream("Hello", infer_name=False), my_agent.iter("Hello", infer_name=False):
        assert my_agent.name is None


@pytest.mark.anyio
async def test_an_agent_in_no_variable_has_no_name() -> None:
    agents = [Agent(TestModel())]
    await agents[0].run("Hello")
    assert agents[0].name is None


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_of_its_own_is_no_obstacle(backend: str) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(task_agent.run, "Hello")

    task_agent.name = None
    anyio.run(main, backend=backend)
    assert task_agent.name == "task_agent"


@pytest.mark.anyio
async def test_the_store_knows_the_agent_by_its_name() -> None:
    store = MemoryStore()
    my_agent = Agent(TestModel(), store=store)
    await my_agent.run("Hello", run_id="r")
    assert (await store.load("r")).agent == "my_agent"


def test_without_a_frame_there_is_no_name() -> None:
    assert variable_name(module_agent, None) is None
