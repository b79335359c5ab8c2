"""One agent in many runs at once, from wherever it is called."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import anyio
import pytest

from agentgraph import Agent, MemoryStore, ModelRetry, RunContext
from agentgraph.messages import ModelMessage, ModelResponse, TextPart, UserPromptPart
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.test import TestModel
from tests.agent.scripted import answers, call, says


def prompt_of(messages: list[ModelMessage]) -> str:
    parts = [part for part in messages[0].parts if isinstance(part, UserPromptPart)]
    return str(parts[0].content)


async def echo(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    await anyio.lowlevel.checkpoint()
    turn = len(messages) // 2
    return ModelResponse([call("double", f"{turn}", x=prompt_of(messages))] if turn < 2 else [TextPart("done")])


def doubling() -> Agent[int, str]:
    """Each run has a retry of its own, deps of its own, and two calls."""
    agent = Agent(FunctionModel(echo), deps_type=int, retries=1)

    @agent.tool
    async def double(ctx: RunContext[int], x: int) -> int:
        await anyio.lowlevel.checkpoint()
        assert ctx.deps == x
        if ctx.run_step == 1:
            message = f"again {x}"
            raise ModelRetry(message)
        assert ctx.retry == 1
        return 2 * x

    @agent.result_validator
    def check(ctx: RunContext[int], data: str) -> str:
        return f"{data} {ctx.deps}"

    return agent


@pytest.mark.anyio
@pytest.mark.parametrize("kept", [False, True])
async def test_five_hundred_runs_at_once_share_nothing(kept: object) -> None:
    agent, store, found = doubling(), MemoryStore(), dict[int, str]()

    async def one(x: int) -> None:
        result = await agent.run(str(x), deps=x, store=store, run_id=str(x) if kept else None)
        assert result.usage().requests == 3
        assert f"again {x}" in str(result.all_messages())
        found[x] = result.data

    async with anyio.create_task_group() as group:
        for x in range(500):
            group.start_soon(one, x)
    assert found == {x: f"done {x}" for x in range(500)}


@pytest.mark.anyio
async def test_streams_run_side_by_side() -> None:
    agent, found = doubling(), dict[int, str]()

    async def one(x: int) -> None:
        async with agent.run_stream(str(x), deps=x) as response:
            found[x] = [text async for text in response.stream()][-1]

    async with anyio.create_task_group() as group:
        for x in range(30):
            group.start_soon(one, x)
    assert found == {x: f"done {x}" for x in range(30)}


class Held:
    """What runs hold while they last."""


@pytest.mark.anyio
@pytest.mark.parametrize("door", ["run", "iter", "run_stream"])
async def test_a_run_that_has_ended_is_gone_without_the_garbage_collector(door: str) -> None:
    agent = Agent(says([call("look"), call("look")], "done"), deps_type=Held)

    @agent.tool
    async def look(ctx: RunContext[Held]) -> str:
        return type(ctx.deps).__name__

    await through(agent, door, Held())  # what is made once is made here
    gc.disable()
    try:
        held = Held()
        seen = weakref.ref(held)
        await through(agent, door, held)
        del held
        await anyio.lowlevel.checkpoint()
        assert seen() is None
    finally:
        gc.enable()


async def through(agent: Agent[Held, str], door: str, deps: Held) -> None:
    match door:
        case "run":
            await agent.run("Hello", deps=deps)
        case "iter":
            async with agent.iter("Hello", deps=deps) as run:
                async for _ in run:
                    pass
        case _:
            async with agent.run_stream("Hello", deps=deps) as response:
                await response.get_data()


def test_run_sync_works_in_a_loop_of_calls() -> None:
    agent = doubling()
    assert [agent.run_sync(str(x), deps=x).data for x in range(5)] == [f"done {x}" for x in range(5)]


def test_run_sync_works_in_threads() -> None:
    agent = doubling()

    def one(x: int) -> str:
        return agent.run_sync(str(x), deps=x).data

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(one, range(40)))
    assert found == [f"done {x}" for x in range(40)]


@pytest.mark.anyio
async def test_run_sync_works_inside_a_running_loop() -> None:
    assert doubling().run_sync("3", deps=3).data == "done 3"


@pytest.mark.anyio
async def test_run_sync_works_inside_tools() -> None:
    agent = Agent(says([call("inside"), call("beside")], "done"))

    @agent.tool_plain
    async def inside() -> str:
        return doubling().run_sync("3", deps=3).data

    @agent.tool_plain
    def beside() -> str:
        return doubling().run_sync("4", deps=4).data

    expected = ["done 3", "done 4"]
    for result in (await agent.run("Hello"), agent.run_sync("Hello")):
        assert [answer.content for answer in answers(result.all_messages())] == expected


def test_run_sync_sees_the_callers_context() -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")
    agent = Agent(says(call("look"), "done"))

    @agent.tool_plain
    def look() -> str:
        return who.get()

    who.set("me")
    result = agent.run_sync("Hello")
    assert [answer.content for answer in answers(result.all_messages())] == ["me"]


def test_run_sync_raises_what_the_run_raises() -> None:
    agent = Agent(says(call("look")))

    @agent.tool_plain
    def look() -> str:
        message = "no light"
        raise LookupError(message)

    with pytest.raises(LookupError, match="no light"):
        agent.run_sync("Hello")


def test_run_sync_goes_on_with_a_run() -> None:
    agent = Agent(TestModel(), store=MemoryStore())
    first = agent.run_sync("Hello", run_id="r")
    assert agent.run_sync(resume="r").data == first.data


def test_the_same_agent_runs_on_both_loops() -> None:
    agent = doubling()

    async def main() -> str:
        return (await agent.run("3", deps=3)).data

    assert [anyio.run(main, backend=backend) for backend in ("asyncio", "trio", "asyncio")] == ["done 3"] * 3


def test_a_store_is_shared_by_threads() -> None:
    agent = Agent(TestModel())
    barrier = threading.Barrier(4)

    def one(name: str) -> str:
        barrier.wait()
        return agent.run_sync("Hello", run_id=name).data

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, "abcd"))
    assert {agent.run_sync(resume=name).data for name in "abcd"} == {"success (no tool calls)"}
