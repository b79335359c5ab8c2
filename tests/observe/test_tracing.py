"""Which spans a run makes, and which is inside of which."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import INVALID_SPAN, SpanKind, get_current_span

from agentgraph import (
    Agent,
    AgentRun,
    CallDeferred,
    MemoryStore,
    ModelHTTPError,
    RunContext,
    RunWaiting,
    ToolRequest,
)
from agentgraph.agent.observers import Observed
from agentgraph.graph import RunEnded, RunStarted, Status, StepEnded, StepStarted
from agentgraph.messages import ModelResponse, PartStartEvent, TextPart, ToolCallPart
from agentgraph.models.function import FunctionModel
from agentgraph.observe.tracing import TracingObserver
from agentgraph.usage import Usage
from tests.agent.scripted import EventModel, call, says
from tests.contexts import SilentModel
from tests.observe.traced import Traced, Tree, ids

pytestmark = pytest.mark.anyio

Door = Callable[[Agent[None, Any], str], Awaitable[object]]


async def run(agent: Agent[None, Any], prompt: str) -> object:
    return (await agent.run(prompt)).data


async def stream(agent: Agent[None, Any], prompt: str) -> object:
    async with agent.run_stream(prompt) as response:
        return [text async for text in response.stream_text(debounce_by=None)][-1]


async def step(agent: Agent[None, Any], prompt: str) -> object:
    async with agent.iter(prompt) as run:
        async for _ in run:
            pass
    return run.result and run.result.data


async def read(run: AgentRun[None, Any], node: Any) -> None:  # Any: a node or an End
    if Agent.is_model_request_node(node):
        async with node.stream(run.ctx) as reply:
            [_ async for _ in reply]
    elif Agent.is_handle_response_node(node):
        async with node.stream(run.ctx) as calls:
            [_ async for _ in calls]


async def step_through_streams(agent: Agent[None, Any], prompt: str) -> object:
    async with agent.iter(prompt) as run:
        async for node in run:
            await read(run, node)
    return run.result and run.result.data


doors = pytest.mark.parametrize("door", [run, stream, step, step_through_streams])


@doors
async def test_a_run_holds_its_requests_and_calls(door: Door, traced: Traced) -> None:
    agent = traced.agent(says([call("one"), call("two")], "done"))

    @agent.tool_plain
    async def one() -> int:
        with traced.own("inside one"):
            await anyio.lowlevel.checkpoint()
        return 1

    @agent.tool_plain
    def two() -> int:
        with traced.own("inside two"):
            return 2

    with traced.own("caller"):
        assert await door(agent, "go") == "done"
    assert traced.tree() == {
        "caller": {
            "invoke_agent desk": {
                "chat function:reply:": {},
                "execute_tool one": {"inside one": {}},
                "execute_tool two": {"inside two": {}},
            }
        }
    }
    assert len(traced.spans) == 8


@doors
async def test_nothing_stays_current(door: Door, traced: Traced) -> None:
    await door(traced.agent(says("done")), "go")
    assert get_current_span() is INVALID_SPAN


def test_a_run_for_sync_code_is_inside_of_its_caller(traced: Traced) -> None:
    with traced.own("caller"):
        traced.agent(says("done")).run_sync("go")
    assert traced.tree() == {"caller": {"invoke_agent desk": {"chat function:reply:": {}}}}


async def test_an_agent_in_a_tool_is_inside_of_the_call(traced: Traced) -> None:
    inner = Agent(says("42"), name="inner", instrument=traced.settings())
    outer = traced.agent(says([call("ask", "1"), call("ask", "2")], "done"))

    @outer.tool_plain
    async def ask() -> str:
        return (await inner.run("?")).data

    await outer.run("go")
    inside: Tree = {"invoke_agent inner": {"chat function:reply:": {}}}
    assert traced.tree() == {"invoke_agent desk": {"chat function:reply:": {}, "execute_tool ask": inside}}
    assert len(traced.spans) == 9
    assert len({ids(span).trace_id for span in traced.spans}) == 1


async def test_functions_of_the_agent_are_inside_of_the_run(traced: Traced) -> None:
    agent = traced.agent(says("done"))

    @agent.system_prompt
    def prompt() -> str:
        with traced.own("prompt"):
            return "Be brief."

    @agent.result_validator
    def check(ctx: RunContext[None], data: str) -> str:
        with traced.own("check"):
            return data

    await agent.run("go")
    assert list(traced.tree()["invoke_agent desk"]) == ["prompt", "chat function:reply:", "check"]


async def test_the_block_of_a_caller_is_the_callers(traced: Traced) -> None:
    agent = traced.agent(says("one", "two"))
    with traced.own("caller"):
        async with agent.iter("go") as first, agent.iter("go") as second:
            with traced.own("before"):
                await anyio.lowlevel.checkpoint()
            [_ async for _ in first]
            with traced.own("between"):
                [_ async for _ in second]
        with traced.own("after"):
            pass
    assert list(traced.tree()["caller"]) == ["before", "invoke_agent desk", "between", "after"]


async def test_runs_side_by_side_keep_apart(traced: Traced) -> None:
    agent = traced.agent(says([call("wait")], "done"))

    @agent.tool_plain
    async def wait() -> None:
        await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(agent.run, "go")
    runs = {ids(span).span_id for span in traced.spans if span.parent is None}
    parents = [span.parent.span_id for span in traced.spans if span.parent is not None]
    assert sorted(parents.count(run) for run in runs) == [3] * 5


async def test_a_stream_may_be_read_in_another_task(traced: Traced) -> None:
    agent = traced.agent(says("done"))

    async def read() -> None:
        with traced.own("reader"):
            await response.get_data()

    async with agent.run_stream("go") as response, anyio.create_task_group() as group:
        group.start_soon(read)
    assert traced.tree() == {"reader": {}, "invoke_agent desk": {"chat function:reply:": {}}}
    assert get_current_span() is INVALID_SPAN


async def test_a_request_that_fails_and_its_run_are_errors(traced: Traced) -> None:
    def fail(*_: object) -> ModelResponse:
        raise ModelHTTPError(503, "big", {"busy": True})

    with pytest.raises(ModelHTTPError) as raised:
        await traced.agent(FunctionModel(fail)).run("go")
    text = f"ModelHTTPError: {raised.value}"
    assert traced.failed() == {"chat function:fail:": text, "invoke_agent desk": text}
    assert traced.told("chat function:fail:")["error.type"] == "ModelHTTPError"
    assert [event.name for event in traced.span("chat function:fail:").events] == ["exception"]
    assert traced.told("invoke_agent desk")["agentgraph.run.status"] == "failed"


@pytest.mark.parametrize("door", [run, stream])
async def test_a_tool_that_raises_is_an_error(door: Door, traced: Traced) -> None:
    agent = traced.agent(says([call("crash")], "done"))

    @agent.tool_plain
    def crash() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await door(agent, "go")
    assert traced.failed() == {"execute_tool crash": "ValueError: no", "invoke_agent desk": "ValueError: no"}


async def test_a_call_that_has_to_be_repeated_is_an_error_and_the_run_none(traced: Traced) -> None:
    agent = traced.agent(says([call("double", x="many")], [call("double", "7", x=2)], "done"))

    @agent.tool_plain
    def double(x: int) -> int:
        return 2 * x

    await agent.run("go")
    first, second = (span for span in traced.spans if span.name == "execute_tool double")
    assert (first.status.is_ok, first.attributes and first.attributes["error.type"]) == (False, "ModelRetry")
    assert second.status.is_unset
    assert second.attributes
    assert second.attributes["gen_ai.tool.call.id"] == "7"
    assert list(traced.failed()) == ["execute_tool double"]


async def test_a_stream_that_breaks_off_keeps_what_came(traced: Traced) -> None:
    part = TextPart("Hel")
    model = EventModel([PartStartEvent(0, part), ConnectionError("gone")], ModelResponse([part]), [Usage(0, 1, 2, 3)])
    with pytest.raises(ConnectionError):
        await stream(traced.agent(model), "go")
    assert set(traced.failed()) == {"chat events", "invoke_agent desk"}
    assert traced.told("chat events")["gen_ai.usage.output_tokens"] == 2
    assert traced.shown("chat events", "gen_ai.output.messages")[0]["parts"] == [{"type": "text", "content": "Hel"}]


async def test_a_stream_that_is_not_to_be_had_is_an_error(traced: Traced) -> None:
    with pytest.raises(RuntimeError, match="cannot stream"):
        await stream(traced.agent(SilentModel()), "go")
    assert set(traced.failed()) == {"chat silent", "invoke_agent desk"}
    assert get_current_span() is INVALID_SPAN


async def test_a_cancelled_run_is_no_error(traced: Traced) -> None:
    agent = traced.agent(says([call("hang"), call("quick")], "done"))

    @agent.tool_plain
    async def hang() -> None:
        await anyio.sleep_forever()

    @agent.tool_plain
    async def quick() -> None:
        scope.cancel()

    with anyio.CancelScope() as scope:
        await agent.run("go")
    assert traced.failed() == {}
    assert traced.told("execute_tool hang")["agentgraph.cancelled"] is True
    assert traced.told("invoke_agent desk")["agentgraph.run.status"] == "cancelled"
    assert set(traced.tree()["invoke_agent desk"]) == {
        "chat function:reply:",
        "execute_tool hang",
        "execute_tool quick",
    }


async def test_an_error_in_the_block_of_a_stream_cancels_the_run(traced: Traced) -> None:
    with pytest.raises(KeyError):
        async with traced.agent(says("done")).run_stream("go"):
            raise KeyError("mine")
    assert traced.told("invoke_agent desk")["agentgraph.run.status"] == "cancelled"
    assert traced.tree() == {"invoke_agent desk": {"chat function:reply:": {}}}


async def test_a_stream_whose_block_nobody_left_ends_with_the_run(traced: Traced) -> None:
    agent = traced.agent(says("done"))
    async with agent.iter("go") as run:
        node = await run.next()
        assert Agent.is_model_request_node(node)
        forgotten = node.stream(run.ctx)
        await forgotten.__aenter__()
    assert traced.tree() == {"invoke_agent desk": {"chat function:reply:": {}}}
    await forgotten.__aexit__(None, None, None)
    assert len(traced.spans) == 2


async def test_a_resumed_run_makes_a_span_of_its_own(traced: Traced) -> None:
    store = MemoryStore()
    agent = traced.agent(says([call("crash")], "done"), store=store)
    crashes = iter([True, False])

    @agent.tool_plain
    def crash() -> str:
        if next(crashes):
            raise OSError
        return "fine"

    with pytest.raises(OSError, match="raised in run"):
        await agent.run("go", run_id="r")
    await agent.run(resume="r")
    await agent.run(resume="r")  # it has succeeded: this only reads its result
    first, second = (dict(span.attributes or {}) for span in traced.spans if span.parent is None)
    assert (first["agentgraph.run.id"], second["agentgraph.run.id"]) == ("r", "r")
    assert (first["agentgraph.run.first_step"], second["agentgraph.run.first_step"]) == (0, 2)
    assert (first["agentgraph.run.status"], second["agentgraph.run.status"]) == ("failed", "succeeded")


async def test_a_stream_that_is_cancelled_is_no_error(traced: Traced) -> None:
    part = TextPart("Hel")
    model = EventModel([PartStartEvent(0, part), PartStartEvent(1, part)], ModelResponse([part]))
    async with traced.agent(model).run_stream("go") as response:
        await response.cancel()
    assert traced.failed() == {}
    assert traced.told("chat events")["agentgraph.cancelled"] is True
    assert traced.told("invoke_agent desk")["agentgraph.run.status"] == "cancelled"


async def test_a_call_that_waits_is_no_error(traced: Traced) -> None:
    agent = traced.agent(says([call("order")], "done"))

    @agent.tool_plain
    def order() -> str:
        raise CallDeferred

    with pytest.raises(RunWaiting) as waiting:
        await agent.run("go", run_id="r")
    (request,) = waiting.value.requests
    assert isinstance(request, ToolRequest)
    assert traced.failed() == {}
    assert traced.told("execute_tool order")["agentgraph.call.waiting"] is True
    assert traced.told("invoke_agent desk")["agentgraph.run.status"] == "waiting"
    assert (await agent.run(resume="r", answers={request.key: "shipped"})).data == "done"
    assert list(traced.tree()) == ["invoke_agent desk"]
    assert len(traced.spans) == 5


def test_a_turn_that_begins_anew_leaves_nothing_current(traced: Traced) -> None:
    """An answer that comes while the run goes to sleep makes its node take its turn once more."""
    observe = TracingObserver(traced.settings(), Observed("desk", SilentModel()))
    observe(RunStarted("r", 0))
    for _ in range(2):
        observe(StepStarted("r", 0, 1, "Node"))
    observe(StepEnded("r", 0, "Node", "End"))
    assert get_current_span() is INVALID_SPAN
    for _ in range(2):
        observe(RunEnded("r", Status.SUCCEEDED))
    assert traced.tree() == {"invoke_agent desk": {}}


async def test_a_run_that_is_left_early_ends_as_pending(traced: Traced) -> None:
    async with traced.agent(says("done")).iter("go") as run:
        await run.next()
    assert traced.told("invoke_agent desk")["agentgraph.run.status"] == "pending"


async def test_what_is_emitted_is_an_event_of_the_run(traced: Traced) -> None:
    async with traced.agent(says("done")).iter("go") as run:
        run.ctx.emit({"halfway": [1]})
    (event,) = traced.span("invoke_agent desk").events
    assert (event.name, dict(event.attributes or {})) == ("dict", {"agentgraph.event": '{"halfway": [1]}'})


async def test_kinds(traced: Traced) -> None:
    agent = traced.agent(says([ToolCallPart("one", "")], "done"), tools=[one])
    await agent.run("go")
    kinds = {span.name: span.kind for span in traced.spans}
    assert kinds == {
        "chat function:reply:": SpanKind.CLIENT,
        "execute_tool one": SpanKind.INTERNAL,
        "invoke_agent desk": SpanKind.INTERNAL,
    }


def one() -> int:
    return 1


async def test_an_agent_without_a_name_has_a_span_without_one(traced: Traced) -> None:
    await Agent(says("done"), instrument=traced.settings()).run("go", infer_name=False)
    assert "gen_ai.agent.name" not in traced.told("invoke_agent")


def test_a_span_that_is_not_sampled_is_told_nothing(traced: Traced) -> None:
    traced.tracers.sampler = ALWAYS_OFF
    assert traced.agent(says("done")).run_sync("go").data == "done"
    assert traced.spans == []


def test_asyncio_tasks_that_are_cancelled_end_their_spans(traced: Traced) -> None:
    agent = traced.agent(says([call("hang")], "done"))

    tasks: list[asyncio.Task[Any]] = []

    @agent.tool_plain
    async def hang() -> None:
        tasks[0].cancel()
        await anyio.sleep_forever()

    async def main() -> None:
        tasks.append(asyncio.create_task(agent.run("go")))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]

    asyncio.run(main())
    assert traced.told("execute_tool hang")["agentgraph.cancelled"] is True
    assert traced.told("invoke_agent desk")["agentgraph.run.status"] == "cancelled"
