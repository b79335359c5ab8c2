"""Agents in tools: runs of their own, that belong to the run whose tool they run in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from agentgraph import Agent, MemoryStore, RunBusy, RunContext, RunNotResumable, UserError
from agentgraph.agent import RunOptions
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, RunFilter, RunRecord
from agentgraph.graph.lifecycle import Event
from agentgraph.stores import SQLiteStore
from agentgraph.stores.samples import settlement
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


class Refusing(MemoryStore):
    """Says that it has refused a claim."""

    refused: anyio.Event

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        try:
            return await super().claim(run_id, options)
        except RunBusy:
            self.refused.set()
            raise


def heavy(down: list[str]) -> Agent[None, str]:
    """Its tool runs another agent, whose tool fails as long as something is `down`."""
    boss, clerk = Agent(says(call("ask"), "done"), name="boss"), Agent(says(call("look"), "looked"), name="clerk")

    @clerk.tool_plain
    async def look() -> str:
        if down:
            raise ConnectionError
        return "seen"

    @boss.tool
    async def ask(ctx: RunContext[None]) -> str:
        return (await clerk.run("Well?", parent=ctx)).data

    return boss


@dataclass
class Call(BaseNode[None, list[str], str]):
    """Runs a graph that fails as long as something is down."""

    below: int = 1

    async def run(self, ctx: GraphRunContext[None, list[str]]) -> End[str]:
        if self.below:
            return End((await ctx.run(calling, Call(0), deps=ctx.deps)).output)
        if ctx.deps:
            raise ConnectionError
        return End("done")


calling = Graph(nodes=(Call,), name="calling")


@pytest.mark.parametrize("graph", [False, True])
async def test_a_child_whose_owner_is_about_to_give_it_up_is_waited_for(*, graph: bool) -> None:
    store, down = Refusing(), ["line"]
    store.refused = anyio.Event()
    boss, ends = heavy(down), list[str]()
    with pytest.raises(ConnectionError):
        await (
            calling.run(Call(), deps=down, store=store, run_id="r")
            if graph
            else boss.run("go", store=store, run_id="r")
        )
    down.clear()
    (child,) = await store.list(RunFilter(parent="r"))
    held = await store.claim(child.run_id)

    async def go_on() -> None:
        if graph:
            ends.append((await calling.run(resume="r", deps=down, store=store)).output)
        else:
            ends.append((await boss.run(resume="r", store=store)).data)

    async with anyio.create_task_group() as group:
        group.start_soon(go_on)
        await store.refused.wait()
        await store.settle(settlement(held, Event.RELEASE))
    assert ends == ["done"]


async def test_a_child_that_another_owner_keeps_is_not_waited_for_forever(tmp_path: Path) -> None:
    keeps, store, down = SQLiteStore(tmp_path / "r.db", lease=0.2), SQLiteStore(tmp_path / "r.db"), ["line"]
    boss = heavy(down)
    with pytest.raises(ConnectionError):
        await boss.run("go", store=store, run_id="r")
    await keeps.claim("r/:2/0.0")
    with pytest.raises(RunBusy):
        await boss.run(resume="r", store=store)
    await keeps.aclose()
    down.clear()
    assert (await boss.run(resume="r", store=store)).data == "done"
    await store.aclose()
