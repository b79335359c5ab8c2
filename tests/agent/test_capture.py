"""Seeing the messages of a run from outside, also of one that raises."""

from __future__ import annotations

import pytest

from agentgraph import Agent, RunContext, UnexpectedModelBehavior, UserError, capture_run_messages
from tests.agent.scripted import call, says

pytestmark = pytest.mark.anyio


async def test_the_list_holds_the_messages_of_the_run() -> None:
    agent = Agent(says("Hi"))
    with capture_run_messages() as messages:
        result = await agent.run("Hello")
    assert messages == result.all_messages()


async def test_it_holds_them_when_the_run_raises() -> None:
    with capture_run_messages() as messages, pytest.raises(UnexpectedModelBehavior):
        await Agent(says([])).run("Hello")
    assert [message.kind for message in messages] == ["request", "response"]


async def test_it_holds_the_first_run_of_the_block() -> None:
    agent = Agent(says("Hi"))
    with capture_run_messages() as messages:
        first = await agent.run("Hello")
        await agent.run("Another", message_history=first.all_messages(), model=says("", "there"))
    assert messages == first.all_messages()


async def test_what_never_became_a_run_is_not_the_first() -> None:
    agent = Agent(says("Hi"))
    with capture_run_messages() as messages:
        with pytest.raises(UserError):
            await agent.run()
        result = await agent.run("Hello")
    assert messages == result.all_messages()


async def test_nested_blocks_share_one_list() -> None:
    with capture_run_messages() as outer, capture_run_messages() as inner:
        result = await Agent(says("Hi")).run("Hello")
    assert inner is outer
    assert outer == result.all_messages()


async def test_agents_in_tools_stay_out_of_it() -> None:
    agent = Agent(says(call("ask"), "done"))

    @agent.tool
    async def ask(ctx: RunContext[None]) -> str:
        return (await Agent(says("inner")).run("Inner?")).data

    with capture_run_messages() as messages:
        result = await agent.run("Hello")
    assert messages == result.all_messages()


async def test_a_tool_can_capture_its_own_agent() -> None:
    agent = Agent(says(call("ask"), "done"))
    seen: list[int] = []

    @agent.tool
    async def ask(ctx: RunContext[None]) -> str:
        with capture_run_messages() as messages:
            inner = await Agent(says("inner")).run("Inner?")
        seen.append(len(messages))
        return inner.data

    await agent.run("Hello")
    assert seen == [2]


async def test_every_door_can_be_captured() -> None:
    agent = Agent(says("Hi"))
    with capture_run_messages() as messages:
        result = agent.run_sync("Hello")
    assert messages == result.all_messages()
    with capture_run_messages() as messages:
        async with agent.run_stream("Hello") as response:
            pass
    assert messages == response.all_messages()
    with capture_run_messages() as messages:
        async with agent.iter("Hello") as run:
            await run.next()
            await run.next()
            assert len(messages) == 2
    assert messages == run.ctx.state.message_history


async def test_a_block_without_a_run_holds_nothing() -> None:
    with capture_run_messages() as messages:
        pass
    assert messages == []
