"""Read by type checkers alone: what an agent's types say, and what they refuse.

A line that must fail carries an ignore; both checkers report one that is not needed.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true
from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, assert_type

from agentgraph import (
    Agent,
    AgentRun,
    AgentRunResult,
    End,
    MemoryStore,
    NativeResult,
    PromptedResult,
    RunContext,
    StreamedRunResult,
    Usage,
)
from agentgraph.agent import FinalResult
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, UserContent
from agentgraph.models.test import TestModel


@dataclass
class Deps:
    """What the agent needs."""

    n: int


@dataclass
class City:
    """What it finds."""

    name: str


plain = Agent("test")
cities = Agent(TestModel(), result_type=City, deps_type=Deps)
either: Agent[None, City | str] = Agent("test", result_type=City | str)  # type: ignore[arg-type]  # a union is no type to a checker


def what_is_left_out_has_its_default() -> None:
    assert_type(plain, Agent[None, str])
    assert_type(Agent(), Agent[None, str])
    assert_type(Agent("test", result_type=int), Agent[None, int])
    assert_type(Agent("test", result_type=list[int]), Agent[None, list[int]])
    assert_type(Agent("test", deps_type=Deps), Agent[Deps, str])
    assert_type(cities, Agent[Deps, City])
    assert_type(cities.result_type, type[City])


def a_marked_result_type_is_that_of_the_data() -> None:
    assert_type(Agent("test", result_type=NativeResult(City)), Agent[None, City])
    assert_type(Agent("test", result_type=PromptedResult(list[int]), deps_type=Deps), Agent[Deps, list[int]])
    assert_type(Agent("test", result_type=NativeResult(City)).result_type, type[City])
    assert_type(plain.run_sync("x", result_type=PromptedResult(City)), AgentRunResult[City])
    assert_type(plain.run_sync("x", result_type=NativeResult(list[City])), AgentRunResult[list[City]])
    marked: Agent[None, City | int] = Agent("test", result_type=NativeResult(City | int))  # type: ignore[arg-type]  # as above
    wrong: Agent[None, int] = Agent("test", result_type=NativeResult(City))  # type: ignore[arg-type]
    _ = marked, wrong


async def a_marked_result_type_is_streamed_as_the_data() -> None:
    async with plain.run_stream("x", result_type=NativeResult(City)) as response:
        assert_type(response, StreamedRunResult[None, City])
    async with plain.iter("x", result_type=PromptedResult(City)) as run:
        assert_type(run, AgentRun[None, City])


async def results_have_the_agents_type() -> None:
    result = await cities.run("x", deps=Deps(1))
    assert_type(result, AgentRunResult[City])
    assert_type(result.data, City)
    assert_type(result.usage(), Usage)
    assert_type(result.all_messages(), list[ModelMessage])
    assert_type(result.new_messages_json(), bytes)
    assert_type((await plain.run("x")).data, str)
    assert_type(cities.run_sync("x", deps=Deps(1)), AgentRunResult[City])
    assert_type((await either.run("x")).data, City | str)


async def a_runs_own_result_type_is_that_of_its_result() -> None:
    assert_type(await cities.run("x", deps=Deps(1), result_type=int), AgentRunResult[int])
    assert_type(cities.run_sync("x", deps=Deps(1), result_type=list[City]), AgentRunResult[list[City]])
    async with cities.run_stream("x", deps=Deps(1), result_type=bool) as response:
        assert_type(response, StreamedRunResult[Deps, bool])
    async with cities.iter("x", deps=Deps(1), result_type=bool) as run:
        assert_type(run, AgentRun[Deps, bool])


async def streams_have_the_agents_types() -> None:
    async with cities.run_stream("x", deps=Deps(1)) as response:
        assert_type(response, StreamedRunResult[Deps, City])
        assert_type(await response.get_data(), City)
        async for city in response.stream():
            assert_type(city, City)
        async for text in response.stream_text(delta=True):
            assert_type(text, str)
        async for reply, is_last in response.stream_structured(debounce_by=None):
            assert_type(reply, ModelResponse)
            assert_type(is_last, bool)
            assert_type(await response.validate_structured_result(reply), City)
        assert_type(response.is_complete, bool)


async def runs_have_the_agents_types() -> None:
    async with cities.iter("x", deps=Deps(1)) as run:
        assert_type(run, AgentRun[Deps, City])
        assert_type(run.result, AgentRunResult[City] | None)
        assert_type(run.ctx.deps.deps, Deps)
        assert_type(run.ctx.state.message_history, list[ModelMessage])
        node = await run.next()
        if isinstance(node, End):
            assert_type(node, End[FinalResult[City]])
            assert_type(node.data.data, City)


async def guards_tell_nodes_apart() -> None:
    async with cities.iter("x", deps=Deps(1)) as run:
        async for node in run:
            if Agent.is_user_prompt_node(node):
                prompt: str | list[UserContent] | object = node.user_prompt
                assert prompt
            elif Agent.is_model_request_node(node):
                assert_type(node.request, ModelRequest)
            elif Agent.is_handle_response_node(node):
                assert_type(node.model_response, ModelResponse)
            elif Agent.is_end_node(node):
                assert_type(node.data.data, City)


async def events(run: AgentRun[Deps, City]) -> AsyncIterator[object]:
    node = run.next_node
    if Agent.is_model_request_node(node):
        async with node.stream(run.ctx) as stream:
            async for event in stream:
                yield event


async def deps_are_those_of_the_agent() -> None:
    await cities.run("x", deps=3)  # type: ignore[call-overload]
    cities.run_sync("x", deps="d")  # type: ignore[call-overload]
    cities.run_stream("x", deps=None)  # type: ignore[call-overload]
    cities.iter("x", deps=City("c"))  # type: ignore[call-overload]
    cities.override(deps=3)  # type: ignore[arg-type]


async def options_are_those_there_are() -> None:
    await plain.run("x", colour="red")  # type: ignore[call-overload]
    await plain.run("x", usage_limits=3)  # type: ignore[call-overload]
    await plain.run(3)  # type: ignore[call-overload]
    await plain.run("x", int)  # type: ignore[call-overload]
    Agent("test", retries="many")  # type: ignore[arg-type]
    Agent("test", end_strategy="late")  # type: ignore[arg-type]
    Agent("test", colour="red")  # type: ignore[call-arg]
    Agent("test", int)  # type: ignore[call-arg]
    plain.override(run_id="r")  # type: ignore[call-arg]
    await plain.run("x", run_id="r", store=MemoryStore())
    await plain.run(resume="r", store="runs.db")


def a_result_is_of_one_type(result: AgentRunResult[City], any_agent: Agent[Any, Any]) -> None:
    number: int = result.data  # type: ignore[assignment]
    wrong: Agent[None, int] = plain  # type: ignore[assignment]
    broad: AgentRunResult[object] = result
    _ = number, wrong, broad, any_agent


def a_context_hands_out_deps(ctx: RunContext[Deps]) -> None:
    assert_type(ctx.deps, Deps)
    broad: RunContext[object] = ctx
    assert broad
