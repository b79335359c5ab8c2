"""The driver works in threads, so an agent over PostgreSQL runs on trio as it does on asyncio."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from agentgraph import Agent, RunWaiting, ToolApproved
from agentgraph.messages import ModelMessage
from tests.agent.doors import plain
from tests.agent.scripted import call, says
from tests.stores.places import DatabasePlace

LOOPS = ["asyncio", "trio"]


async def begin(place: DatabasePlace) -> None:
    store = place.open()
    with pytest.raises(RunWaiting):
        await shop(place).run("Buy two", run_id="r", store=store)
    await store.aclose()


async def go_on(place: DatabasePlace) -> list[ModelMessage]:
    """Streamed, and followed from the store meanwhile."""
    store, agent = place.open(), shop(place)
    async with agent.run_stream(resume="r", answers={"c2": ToolApproved()}, store=store) as response:
        assert await response.get_data() == "bought"
    followed = [each async for each in Agent[None, str](store=store).events("r", until="now")]
    assert len({each.offset for each in followed}) == len(followed) > 3
    await store.aclose()
    return response.all_messages()


def shop(place: DatabasePlace) -> Agent[None, str]:
    agent = Agent(says([call("look", "c1"), call("pay", "c2")], "bought"), name="shop")

    @agent.tool_plain
    async def look() -> str:
        await anyio.lowlevel.checkpoint()
        return "two are left"

    @agent.tool_plain(requires_approval=True)
    def pay() -> str:
        return f"paid in {place.schema}"

    return agent


@pytest.mark.parametrize("then", LOOPS)
@pytest.mark.parametrize("first", LOOPS)
def test_a_run_begun_on_one_event_loop_goes_on_on_any(place: DatabasePlace, first: str, then: str) -> None:
    anyio.run(partial(begin, place), backend=first)
    messages = anyio.run(partial(go_on, place), backend=then)
    assert [part.part_kind for message in messages for part in message.parts] == [
        "user-prompt",
        "tool-call",
        "tool-call",
        "tool-return",
        "tool-return",
        "text",
    ]
    assert f"paid in {place.schema}" in str(plain(messages))
