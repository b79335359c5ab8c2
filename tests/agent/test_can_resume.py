"""What an agent says of a run before it is resumed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from agentgraph import Agent, RunContext
from agentgraph.exceptions import DecodeError, RunNotFound
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, Problem, Status
from agentgraph.graph.store import StoredRun
from agentgraph.models.test import TestModel
from agentgraph.stores import MemoryStore

pytestmark = pytest.mark.anyio


def agent_of(store: MemoryStore, **options: Any) -> Agent[dict[str, int], Any]:  # Any: of any result type
    agent: Agent[dict[str, int], Any] = Agent(TestModel(), name="a", deps_type=dict[str, int], store=store, **options)

    @agent.tool
    def look(ctx: RunContext[dict[str, int]]) -> int:
        return ctx.deps["there"]

    return agent


async def failed(store: MemoryStore, **options: Any) -> None:  # Any: of any option
    """A run that needs deps and has failed for want of them."""
    with suppress(KeyError):
        await agent_of(store).run("go", run_id="r", deps={}, **options)


async def test_a_run_that_can_go_on_has_no_problem() -> None:
    store = MemoryStore()
    await failed(store)
    agent = agent_of(store)
    assert await agent.can_resume("r", deps={"there": 1}) == []
    assert (await agent.run(resume="r", deps={"there": 1})).data == '{"look":1}'


async def test_what_has_to_be_given_again_is_told_at_once() -> None:
    store = MemoryStore()
    await failed(store, model=TestModel(), result_type=int)
    assert await agent_of(store).can_resume("r") == [
        Problem("it was started with deps, which are not stored: give `deps=`", "deps"),
        Problem("it was started with a TestModel object: give `model=`", "model"),
        Problem("it was started with result type <class 'int'>: give `result_type=`", "result_type"),
    ]
    given: Any = {"deps": {"there": 1}, "model": TestModel(), "result_type": int}
    assert await agent_of(store).can_resume("r", **given) == []


async def test_a_run_that_has_succeeded_needs_only_its_result_type() -> None:
    store = MemoryStore()
    await agent_of(store).run("go", run_id="r", deps={"there": 1}, model=TestModel(), result_type=int)
    assert [problem.field for problem in await agent_of(store).can_resume("r")] == ["result_type"]
    assert await agent_of(store).can_resume("r", result_type=int) == []


async def test_a_result_of_another_type_is_told() -> None:
    store = MemoryStore()
    await agent_of(store, result_type=str).run("go", run_id="r", deps={"there": 1})
    (problem,) = await agent_of(store, result_type=int).can_resume("r")
    assert (problem.field, problem.step) == ("the result", 4)


async def test_an_agent_without_a_model_is_told() -> None:
    store = MemoryStore()
    await failed(store)
    agent: Agent[dict[str, int], str] = Agent(deps_type=dict[str, int], store=store)
    (problem,) = await agent.can_resume("r", deps={"there": 1})
    assert (problem.field, "there is no model" in problem.what) == ("model", True)
    assert await agent.can_resume("r", deps={"there": 1}, model="test") == []


async def test_what_overrides_an_agent_counts() -> None:
    store = MemoryStore()
    await failed(store)
    agent: Agent[dict[str, int], str] = Agent(deps_type=dict[str, int])
    with agent.override(model=TestModel(), deps={"there": 1}, store=store):
        assert await agent.can_resume("r") == []


async def test_a_run_of_another_graph_and_none_at_all() -> None:
    @dataclass
    class Only(BaseNode[None, None, str]):
        async def run(self, ctx: GraphRunContext[None, None]) -> End[str]:
            return End("done")

    store = MemoryStore()
    await Graph(nodes=[Only], name="small").run(Only(), store=store, run_id="r")
    (problem,) = await agent_of(store).can_resume("r")
    assert "a run of graph 'small', not of an agent" in problem.what
    with pytest.raises(RunNotFound):
        await agent_of(store).can_resume("unknown")


async def test_options_that_cannot_be_read_are_told_with_the_rest() -> None:
    store, other = MemoryStore(), MemoryStore()
    await failed(store)
    run = replace(await store.load("r"), options=b'{"limits":7}', state=b'{"usage":7}')
    await other.insert([StoredRun(run=run, steps=await store.steps("r"))])
    agent = agent_of(other)
    assert [problem.field for problem in await agent.can_resume("r")] == ["the options", "AgentState.usage"]
    with pytest.raises(DecodeError, match="run 'r', step 2: the options cannot be decoded: limits"):
        await agent.run(resume="r", deps={"there": 1})
    assert (await other.load("r")).status is Status.FAILED
