"""The streams of single nodes, stepping through a run, and changing what comes next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from agentgraph import (
    Agent,
    End,
    GraphRuntimeError,
    HandleResponseNode,
    MemoryStore,
    ModelRequestNode,
    ModelRetry,
    RunCancelled,
    RunContext,
    UnexpectedModelBehavior,
    UserPromptNode,
)
from agentgraph.agent import RunOptions
from agentgraph.graph import Status
from agentgraph.messages import (
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    UserPromptPart,
)
from tests.agent.doors import DOORS
from tests.agent.scripted import EventModel, call, says

pytestmark = pytest.mark.anyio


def looking(*replies: Any, **options: Any) -> Agent[None, Any]:
    agent: Agent[None, Any] = Agent(says(*replies), **options)

    @agent.tool_plain
    def look(at: int = 0) -> str:
        if at < 0:
            raise KeyError(at)
        return f"seen {at}"

    return agent


async def test_a_run_is_iterated_node_by_node() -> None:
    agent = looking(call("look"), "The end")
    async with agent.iter("Hello") as run:
        kinds = [(type(node), run.result is None) async for node in run]
    steps = [UserPromptNode, *[ModelRequestNode, HandleResponseNode] * 2]
    assert kinds == [*((kind, True) for kind in steps), (End, False)]
    assert run.result is not None
    assert (run.result.data, run.result.run_id, run.usage().requests) == ("The end", run.run_id, 2)
    assert repr(run.result) == "AgentRunResult(data='The end')"
    assert run.ctx.state.run_step == 2
    assert run.ctx.state.usage is run.usage()
    assert run.ctx.state.message_history == run.result.all_messages()


async def test_iterating_and_next_are_the_same_step() -> None:
    async with looking(call("look"), "The end").iter("Hello") as run:
        first = await anext(run)
        assert first is run.next_node
        second = await run.next()
        assert isinstance(second, ModelRequestNode)
        rest = [type(node) async for node in run]
        assert rest == [HandleResponseNode, ModelRequestNode, HandleResponseNode, End]
        assert isinstance(await run.next(), End)


async def test_another_node_can_take_the_turn() -> None:
    agent = looking("no", "yes", store=MemoryStore())
    async with agent.iter("Hello", run_id="r") as run:
        node: Any = run.next_node
        while not isinstance(node, End):
            if Agent.is_handle_response_node(node) and node.model_response.parts == [TextPart("no")]:
                node = ModelRequestNode(ModelRequest([UserPromptPart("Really?")]))
            node = await run.next(node)
    assert run.result is not None
    assert run.result.data == "yes"
    assert [message.kind for message in run.result.all_messages()] == ["request", "response", "request", "response"]
    assert (await agent.run(resume="r")).data == "yes"


async def test_a_run_can_begin_without_a_user_prompt() -> None:
    agent, seen = Agent(says(call("look"), "The end")), list[object]()

    @agent.tool
    def look(ctx: RunContext[None]) -> str:
        seen.append(ctx.prompt)
        return "seen"

    async with agent.iter("Hello") as run:
        await run.next(ModelRequestNode(ModelRequest([SystemPromptPart("Begin.")])))
        async for _ in run:
            pass
    assert run.result is not None
    assert (run.result.data, seen) == ("The end", [""])
    assert run.result.new_messages()[0].parts == [SystemPromptPart("Begin.")]


async def test_a_changed_node_is_what_counts() -> None:
    agent = looking("no", store=MemoryStore())
    async with agent.iter("Hello", run_id="r") as run:
        async for node in run:
            if Agent.is_handle_response_node(node):
                node.model_response = ModelResponse([TextPart("yes")])
    assert (await agent.run(resume="r")).data == "yes"


async def test_a_request_that_failed_can_be_made_again() -> None:
    model = EventModel([UnexpectedModelBehavior("cut off")], ModelResponse([TextPart("Hi")]))
    async with Agent(model).iter("Hello") as run:
        node = await requested(run)
        with pytest.raises(UnexpectedModelBehavior):
            async with node.stream(run.ctx):
                pass
        await run.next(ModelRequestNode(node.request))
        await run.next()
    assert run.result is not None
    assert [message.kind for message in run.result.all_messages()] == ["request", "response"]
    assert (run.ctx.state.run_step, model.closed) == (1, 1)


async def test_leaving_the_block_keeps_the_run_to_be_resumed() -> None:
    store = MemoryStore()
    agent = looking(call("look"), "The end", store=store)
    async with agent.iter("Hello", run_id="r") as run:
        await run.next()
    assert (await store.load("r")).status is Status.PENDING
    assert (await agent.run(resume="r")).data == "The end"


async def test_an_error_in_the_block_cancels_the_run() -> None:
    store = MemoryStore()
    agent = looking("The end", store=store)
    with pytest.raises(KeyError):
        async with agent.iter("Hello", run_id="r"):
            raise KeyError
    assert (await store.load("r")).status is Status.CANCELLED
    assert (await agent.run(resume="r")).data == "The end"


async def test_an_error_carries_the_run_and_its_messages() -> None:
    agent = looking([])
    async with agent.iter("Hello", run_id="r") as run:
        with pytest.raises(UnexpectedModelBehavior) as caught:
            async for _ in run:
                pass
    assert caught.value.run_id == "r"
    assert caught.value.messages == tuple(run.ctx.state.message_history)


def test_the_type_guards_tell_nodes_apart() -> None:
    nodes: list[Any] = [
        UserPromptNode("Hello"),
        ModelRequestNode(ModelRequest([])),
        HandleResponseNode(ModelResponse([])),
    ]
    guards: list[Callable[[Any], bool]] = [
        Agent.is_user_prompt_node,
        Agent.is_model_request_node,
        Agent.is_handle_response_node,
        Agent.is_end_node,
    ]
    for place, node in enumerate([*nodes, End("done")]):
        assert [guard(node) for guard in guards] == [place == other for other in range(4)]


# ------------------------------------------------------------------------------------------------- the model's request


async def requested(run: Any) -> Any:
    await run.next()
    node = run.next_node
    assert Agent.is_model_request_node(node)
    return node


async def test_a_request_is_streamed_event_by_event() -> None:
    async with looking("The cat").iter("Hello") as run:
        node = await requested(run)
        async with node.stream(run.ctx) as stream:
            events = [event async for event in stream]
            assert stream.response.parts == [TextPart("The cat")]
        assert isinstance(await run.next(node), HandleResponseNode)
    assert events == [
        PartStartEvent(0, TextPart("The ")),
        FinalResultEvent(None, None),
        PartDeltaEvent(0, TextPartDelta("cat")),
    ]


async def test_the_hint_of_a_result_comes_once_and_names_its_tool() -> None:
    agent = looking(
        [TextPart("Well"), call("final_result", "c", response=1), call("final_result", response=2)], result_type=int
    )
    async with agent.iter("Hello") as run, (await requested(run)).stream(run.ctx) as stream:
        hints = [event async for event in stream if isinstance(event, FinalResultEvent)]
    assert hints == [FinalResultEvent("final_result", "c")]


async def test_function_tools_are_no_hint() -> None:
    async with looking(call("look"), "x").iter("Hello") as run, (await requested(run)).stream(run.ctx) as stream:
        assert [type(event) async for event in stream] == [PartStartEvent]


async def test_responses_and_results_can_be_read_from_the_stream() -> None:
    async with looking("The cat").iter("Hello") as run, (await requested(run)).stream(run.ctx) as stream:
        texts = [response.parts async for response in stream.stream_responses(debounce_by=None)]
    assert texts == [[TextPart("The ")], [TextPart("The cat")]]
    async with looking("The cat").iter("Hello") as run, (await requested(run)).stream(run.ctx) as stream:
        assert [text async for text in stream.stream_output(debounce_by=None)] == ["The ", "The cat", "The cat"]


async def test_results_are_told_at_intervals() -> None:
    async with looking("The cat sat on it").iter("Hello") as run, (await requested(run)).stream(run.ctx) as stream:
        texts = [text async for text in stream.stream_output(debounce_by=1000)]
    assert texts == ["The ", "The cat sat on it", "The cat sat on it"]


async def test_a_whole_result_that_does_not_fit_is_a_validation_error() -> None:
    agent = looking(call("final_result", response="none"), call("final_result", response=1), result_type=int)
    async with agent.iter("Hello") as run:
        node = await requested(run)
        async with node.stream(run.ctx) as stream:
            with pytest.raises(ValidationError):
                _ = [value async for value in stream.stream_output(debounce_by=None)]
        async for _ in run:
            pass
    assert run.result is not None
    assert run.result.data == 1


async def test_a_reply_without_a_result_has_no_output() -> None:
    async with looking(call("look"), "x").iter("Hello") as run, (await requested(run)).stream(run.ctx) as stream:
        assert [value async for value in stream.stream_output(debounce_by=None)] == []


async def test_leaving_a_stream_early_reads_the_rest() -> None:
    async with looking("The cat sat").iter("Hello") as run:
        node = await requested(run)
        async with node.stream(run.ctx):
            pass
        handle = await run.next()
        assert isinstance(handle, HandleResponseNode)
        assert handle.model_response.parts == [TextPart("The cat sat")]
        assert run.usage().requests == 1


async def test_a_node_whose_stream_is_open_does_not_run() -> None:
    async with looking("The cat").iter("Hello") as run:
        node = await requested(run)
        async with node.stream(run.ctx):
            with pytest.raises(GraphRuntimeError, match="begun and not finished"):
                await run.next(node)


async def test_a_reply_is_read_no_further_once_the_run_is_over() -> None:
    async with looking("The cat", "sat").iter("Hello") as run:
        node = await requested(run)
        async with node.stream(run.ctx) as stream:
            first = await anext(stream)
            with pytest.raises(GraphRuntimeError):
                await run.next(node)
            with pytest.raises(RunCancelled):
                await anext(stream)
    assert isinstance(first, PartStartEvent)


async def test_a_node_is_streamed_once() -> None:
    async with looking("The cat").iter("Hello") as run:
        node = await requested(run)
        async with node.stream(run.ctx):
            pass
        with pytest.raises(GraphRuntimeError, match="streamed once"):
            async with node.stream(run.ctx):
                raise AssertionError


async def test_an_error_in_the_stream_closes_it() -> None:
    model = EventModel([PartStartEvent(0, TextPart("Hi"))], ModelResponse([TextPart("Hi")]))
    with pytest.raises(KeyError):
        async with Agent(model).iter("Hello") as run, (await requested(run)).stream(run.ctx):
            raise KeyError
    assert model.closed == 1


# ---------------------------------------------------------------------------------------------------- handling a reply


async def handled(run: Any) -> Any:
    await requested(run)
    node = await run.next()
    assert Agent.is_handle_response_node(node)
    return node


async def test_calls_and_their_results_are_told() -> None:
    agent = looking([call("look", "a", at=1), call("look", at=2)], "The end")
    async with agent.iter("Hello") as run:
        node = await handled(run)
        async with node.stream(run.ctx) as stream:
            events = [event async for event in stream]
        assert isinstance(await run.next(node), ModelRequestNode)
    calls = [event for event in events if isinstance(event, FunctionToolCallEvent)]
    results = {
        event.tool_call_id: event.result.content for event in events if isinstance(event, FunctionToolResultEvent)
    }
    assert events[:2] == calls
    assert calls[0].call_id == "a"
    assert results == {"a": "seen 1", calls[1].call_id: "seen 2"}


async def test_a_call_that_asks_again_is_told_too() -> None:
    agent = Agent(says(call("look"), "The end"))

    @agent.tool
    def look(ctx: RunContext[None]) -> str:
        message = "closer"
        raise ModelRetry(message)

    async with agent.iter("Hello") as run, (await handled(run)).stream(run.ctx) as stream:
        _, told = [event async for event in stream]
    assert (told.event_kind, told.result.part_kind) == ("function_tool_result", "retry-prompt")


async def test_a_reply_without_calls_tells_nothing() -> None:
    async with looking("The end").iter("Hello") as run:
        node = await handled(run)
        async with node.stream(run.ctx) as stream:
            assert [event async for event in stream] == []
        assert isinstance(await run.next(), End)


async def test_leaving_the_stream_of_calls_early_waits_for_them() -> None:
    async with looking(call("look"), "The end").iter("Hello") as run:
        node = await handled(run)
        async with node.stream(run.ctx):
            with pytest.raises(GraphRuntimeError, match="begun and not finished"):
                node._turn.take_outcome()  # noqa: SLF001 - as `next` asks, which would end the run
        assert isinstance(await run.next(), ModelRequestNode)


@pytest.mark.parametrize("door", ["stream_nodes", "leave_nodes"])
async def test_a_tool_that_fails_in_a_stream_fails_the_run(door: str) -> None:
    store = MemoryStore()
    agent = looking(call("look", at=-1), store=store)
    with pytest.raises(KeyError):
        await DOORS[door](agent, "Hello", RunOptions(run_id="r"))
    assert (await store.load("r")).status is Status.FAILED


async def test_calls_that_the_journal_knows_are_told_with_their_results() -> None:
    agent, broken = Agent(says([call("look", "a"), call("lift", "b")], "The end"), store=MemoryStore()), [True]

    @agent.tool_plain
    def look() -> str:
        assert broken
        return "seen"

    @agent.tool_plain
    async def lift() -> str:
        await looked.wait()
        if broken:
            raise KeyError
        return "lifted"

    async def watch() -> None:
        async with agent.iter("Hello", run_id="r") as run, (await handled(run)).stream(run.ctx) as stream:
            async for event in stream:
                if isinstance(event, FunctionToolResultEvent):
                    looked.set()

    looked = anyio.Event()
    with pytest.raises(KeyError):
        await watch()
    broken.clear()
    async with agent.iter(resume="r") as run:
        node = run.next_node
        assert Agent.is_handle_response_node(node)
        async with node.stream(run.ctx) as stream:
            results = [event async for event in stream if isinstance(event, FunctionToolResultEvent)]
    assert {event.tool_call_id: event.result.content for event in results} == {"a": "seen", "b": "lifted"}
