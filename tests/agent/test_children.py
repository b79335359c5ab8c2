"""Agents in tools: runs of their own, that belong to the run whose tool they run in."""

from __future__ import annotations

import pytest

from agentgraph import Agent, MemoryStore, RunContext, RunNotResumable, UserError
from agentgraph.agent import RunOptions
from agentgraph.graph import GraphRunContext, RunFilter
from tests.agent.scripted import Asked, call, says

pytestmark = pytest.mark.anyio


async def test_a_child_belongs_to_the_run_whose_tool_runs_it() -> None:
    store, clerk = MemoryStore(), Agent(says("yes"), name="clerk")
    boss = Agent(says([call("ask"), call("ask")], "done"), store=store)

    @boss.tool
    async def ask(ctx: RunContext[None]) -> str:
        first = await clerk.run("Well?", parent=ctx)
        second = await clerk.run("Sure?", parent=ctx, key="sure")
        return f"{first.run_id} {second.run_id}"

    await boss.run("go", run_id="r")
    children = {run.run_id: (run.agent, run.parent) for run in await store.list(RunFilter(parent="r"))}
    assert children == dict.fromkeys(["r/:2/0.0", "r/:2/0.sure", "r/:2/1.0", "r/:2/1.sure"], ("clerk", "r"))


@pytest.mark.parametrize("name", ["run_id", "conversation", "store", "resume"])
async def test_a_child_takes_its_place_from_its_parent(name: str) -> None:
    boss, clerk = Agent(says(call("ask"), "done")), Agent(says("yes"))

    @boss.tool
    async def ask(ctx: RunContext[None]) -> str:
        given: RunOptions[None] = {"parent": ctx, name: "mine"}  # type: ignore[misc]  # one of the options
        return (await clerk.run(None if name == "resume" else "Well?", **given)).data

    with pytest.raises(UserError, match=f"a run with `parent=` takes {name} from its parent: leave it out"):
        await boss.run("go")


async def test_a_parent_is_the_context_of_a_call() -> None:
    boss, clerk = Agent(says("done")), Agent(says("yes"))

    @boss.system_prompt
    async def ask(ctx: RunContext[None]) -> str:
        return (await clerk.run("Well?", parent=ctx)).data

    with pytest.raises(UserError, match="`parent=` takes the context that a tool was called with"):
        await boss.run("go")


async def test_a_node_that_is_run_outside_of_any_run_has_no_children() -> None:
    boss, clerk = Agent(says(call("ask"), "done")), Agent(says("yes"))

    @boss.tool
    async def ask(ctx: RunContext[None]) -> str:
        return (await clerk.run("Well?", parent=ctx)).data

    async with boss.iter("go") as run:
        await run.next()
        node = await run.next()
        assert Agent.is_handle_response_node(node)
        with pytest.raises(UserError, match="`parent=` takes the context that a tool was called with"):
            await node.run(GraphRunContext(state=run.ctx.state, deps=run.ctx.deps))


async def test_a_child_that_an_earlier_attempt_asked_something_else_is_not_taken_for_this_one() -> None:
    store, model, asks = MemoryStore(), Asked(), ["Well?", "Where?", "Well?"]
    boss, clerk = Agent(says(call("ask"), "done"), store=store), Agent(model)

    @boss.tool
    async def ask(ctx: RunContext[None]) -> str:
        answer = await clerk.run(asks.pop(0), parent=ctx)
        if len(asks) == 2:
            raise KeyError
        return answer.data

    with pytest.raises(KeyError):
        await boss.run("go", run_id="r")
    with pytest.raises(RunNotResumable, match=r"asked something else; give each child its own `key=`") as caught:
        await boss.run(resume="r")
    assert caught.value.run_id == "r/:2/0.0"
    assert (await boss.run(resume="r")).data == "done"
    assert len(model.requests) == 1
