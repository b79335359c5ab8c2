"""Agents and their runs, drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from pydantic import BaseModel

from agentgraph import Agent
from agentgraph.agent import ToolApproved, agent_run_picture
from agentgraph.exceptions import RunWaiting
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, StoredRun
from agentgraph.messages import TextPart
from agentgraph.stores import MemoryStore
from tests.agent.scripted import call, says
from tests.drawing.documents import texts

pytestmark = pytest.mark.anyio


class Answer(BaseModel):
    text: str


def look(order: int) -> str:
    """Look an order up."""
    return f"order {order}"


def bundle_of(shown: object) -> dict[str, str]:
    asked: Callable[[], dict[str, str]] = getattr(shown, "_repr_mimebundle_")  # noqa: B009 - the name is Jupyter's
    return asked()


def test_an_agent_shows_its_model_its_tools_and_its_result() -> None:
    said = texts(Agent(says("ok"), name="desk", tools=[look], result_type=Answer).picture().svg())
    assert {"desk", "UserPromptNode", "tools: look", "ends with Answer"} <= {*said}
    assert any(line.startswith("function:") for line in said)


def test_an_agent_without_anything_of_its_own() -> None:
    said = texts(Agent().picture().svg())
    assert {"a model that each run gives", "ends with str"} <= {*said}
    assert {*bundle_of(Agent("openai:gpt-4o", defer_model_check=True))} == {"image/svg+xml", "text/vnd.mermaid"}


def test_a_result_type_without_a_name() -> None:
    agent: Agent[None, int | list[str]] = Agent(result_type=int | list[str])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] # a union is no type
    assert "ends with int | list[str]" in texts(agent.picture().svg())


async def test_a_stored_run_shows_what_was_said_and_what_it_waits_for() -> None:
    model = says([TextPart("I look\nit up."), call("look", order=1)], call("refund", "c", cents=3), "Done. " * 30)
    agent, store = Agent(model, name="desk", tools=[look]), MemoryStore()

    @agent.tool_plain(requires_approval=True)
    def refund(cents: int) -> str:
        return f"{cents} given back"

    with pytest.raises(RunWaiting):
        await agent.run("help", run_id="r", store=store)
    waiting = texts((await agent_run_picture(store, "r")).svg())
    assert {"“I look it up.”", "calls look", "calls refund", "waits: approval of refund"} <= {*waiting}
    await agent.run(resume="r", answers={"c": ToolApproved()}, store=store)
    picture = await agent_run_picture(store, "r")
    assert picture.chart.title == "run r of desk: succeeded"
    assert "attempt 2" in texts(picture.svg())
    assert "    “Done. Done. Done." in picture.mermaid


async def test_each_turn_of_a_conversation_shows_its_own_replies() -> None:
    agent, store = Agent(says("first", "second"), name="talk"), MemoryStore()
    for run_id in ("one", "two"):
        await agent.run("more", run_id=run_id, conversation="c", store=store)
    assert "“first”" in texts((await agent_run_picture(store, "one")).svg())
    said = texts((await agent_run_picture(store, "two")).svg())
    assert ("“first”" in said, "“second”" in said) == (False, True)


async def test_a_fork_shows_what_was_said_before_it() -> None:
    agent, store = Agent(says(call("look", order=1), "second"), tools=[look], name="talk"), MemoryStore()
    await agent.run("more", run_id="one", store=store)
    forked = await agent.fork("one", step=3, store=store)
    await agent.run(resume=forked, store=store)
    said = texts((await agent_run_picture(store, forked)).svg())
    assert {"calls look", "“second”", "before this run"} <= {*said}


async def test_a_history_that_cannot_be_read_is_left_out() -> None:
    agent, store = Agent(says("first"), name="talk"), MemoryStore()
    await agent.run("more", run_id="one", store=store)
    broken = [replace(row, body=b'{"n":1}') for row in await store.steps("one")]
    run = replace(await store.load("one"), run_id="broken")
    await store.insert([StoredRun(run=run, steps=broken)])
    assert "“first”" not in texts((await agent_run_picture(store, "broken")).svg())


async def test_a_graph_of_the_users_own() -> None:
    @dataclass
    class Ask(BaseNode[None, None, int]):
        async def run(self, ctx: GraphRunContext) -> End[int]:
            return End(await ctx.wait_for("go", question={"may": "I?"}, type=int))

    store = MemoryStore()
    with pytest.raises(RunWaiting):
        await Graph(nodes=(Ask,), name="asking").run(Ask(), store=store, run_id="r")
    assert "waits: {'may': 'I?'}" in texts((await agent_run_picture(store, "r")).svg())


async def test_a_run_in_hand_shows_where_it_is() -> None:
    async with Agent(says("ok"), name="desk").iter("hi", run_id="r") as run:
        assert "class UserPromptNode highlighted" in run.picture().mermaid
        async for _ in run:
            pass
        assert "title: run r, ended" in bundle_of(run)["text/vnd.mermaid"]
