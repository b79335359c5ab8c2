"""Streams that are stopped: closed at once, what had come kept, and asked for again when the run is resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress

import anyio
import pytest

from agentgraph import Agent, AgentRun, MemoryStore, RunCancelled, StreamedRunResult, UsageLimitExceeded, UsageLimits
from agentgraph.agent import AgentStream
from agentgraph.graph import Status
from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartStartEvent,
    TextPart,
    ToolCallPart,
    UserPromptPart,
)
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.transcript import transcript
from agentgraph.usage import Usage
from tests.agent.scripted import EventModel, answers

pytestmark = pytest.mark.anyio


class Story:
    """An agent whose model stops in the middle of its first reply, and goes on in the next."""

    def __init__(self) -> None:
        self.closed = 0
        self.asked: list[list[ModelMessage]] = []
        self.store = MemoryStore()
        self.agent: Agent[None, str] = Agent(
            FunctionModel(stream_function=self._tell), name="story", store=self.store, system_prompt="Tell a story."
        )

    async def _tell(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        self.asked.append(list(messages))
        try:
            yield "Once "
            yield "upon "
            if len(self.asked) == 1:
                await anyio.sleep_forever()
            yield "a time."
        finally:
            self.closed += 1

    async def check_kept(self) -> None:
        assert self.closed == 1
        record = await self.store.load("r")
        assert (record.status, record.seq, record.pending, record.owner) == (
            Status.CANCELLED,
            2,
            "ModelRequestNode",
            None,
        )

    async def check_goes_on(self) -> None:
        result = await self.agent.run(resume="r")
        assert result.data == "Once upon a time."
        request, partial, reply = result.all_messages()
        assert isinstance(partial, ModelResponse)
        assert (partial.state, partial.parts) == ("interrupted", [TextPart("Once upon ")])
        assert isinstance(reply, ModelResponse)
        assert reply.state == "complete"
        assert result.usage().requests == 2  # both were paid
        assert transcript(self.asked[1]) == [request]  # what the service is sent


def look() -> str:
    return "a cat"


Stop = Callable[[Story, StreamedRunResult[None, str]], Awaitable[None]]


async def to_the_middle(response: StreamedRunResult[None, str]) -> None:
    async with aclosing(response.stream_text(debounce_by=None)) as texts:
        async for text in texts:
            if text == "Once upon ":
                return


async def cancel_in_the_middle(response: StreamedRunResult[None, str]) -> None:
    async for text in response.stream_text(debounce_by=None):
        if text == "Once upon ":
            await response.cancel()


async def by_cancel(story: Story, response: StreamedRunResult[None, str]) -> None:
    await to_the_middle(response)
    await response.cancel()
    await story.check_kept()  # before the block is left
    assert not response.is_complete
    await response.cancel()  # once more is nothing more


async def by_cancel_while_reading(story: Story, response: StreamedRunResult[None, str]) -> None:
    with pytest.raises(RunCancelled):
        await cancel_in_the_middle(response)
    await story.check_kept()


async def by_an_error(story: Story, response: StreamedRunResult[None, str]) -> None:
    await to_the_middle(response)
    message = "the reader has had enough"
    raise KeyError(message)


async def by_a_scope_inside(story: Story, response: StreamedRunResult[None, str]) -> None:
    await to_the_middle(response)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await response.get_data()
    await response.cancel()


@pytest.mark.parametrize("stop", [by_cancel, by_cancel_while_reading, by_an_error, by_a_scope_inside])
async def test_a_stopped_stream_is_closed_and_what_had_come_is_kept(stop: Stop) -> None:
    story = Story()
    with suppress(KeyError):
        async with story.agent.run_stream("Go on", run_id="r") as response:
            await stop(story, response)
    await story.check_kept()
    await story.check_goes_on()


async def test_another_task_can_stop_a_stream() -> None:
    story, stopped = Story(), anyio.Event()

    async def stop(response: StreamedRunResult[None, str]) -> None:
        await anyio.wait_all_tasks_blocked()
        await response.cancel()
        await story.check_kept()
        assert [message.parts for message in response.all_messages()][1:] == [[TextPart("Once upon ")]]
        with pytest.raises(RunCancelled):
            await response.get_data()
        stopped.set()

    async with anyio.create_task_group() as group:
        async with story.agent.run_stream("Go on", run_id="r") as response:
            group.start_soon(stop, response)
            await response.get_data()
            story.closed = -1  # this is never come to: the block is left, and what is after it goes on
        await stopped.wait()
    await story.check_goes_on()


async def test_a_cancelled_scope_around_a_stream_stops_it() -> None:
    story = Story()
    with anyio.CancelScope() as scope:
        async with story.agent.run_stream("Go on", run_id="r") as response:
            await to_the_middle(response)
            scope.cancel()
            await response.get_data()
    await story.check_kept()
    await story.check_goes_on()


async def test_a_stream_is_stopped_though_its_block_would_not_hear_of_it() -> None:
    story = Story()

    async def go_on(response: StreamedRunResult[None, str]) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(0):
            await response.get_data()
        with anyio.CancelScope(shield=True):
            await anyio.wait_all_tasks_blocked()

    async with anyio.create_task_group() as group, story.agent.run_stream("Go on", run_id="r") as response:
        group.start_soon(response.cancel)
        await go_on(response)
    await story.check_kept()
    await story.check_goes_on()


@pytest.mark.parametrize("read", ["stream", "stream_text", "stream_structured"])
async def test_to_read_on_after_a_cancel_is_an_error(read: str) -> None:
    story = Story()
    async with story.agent.run_stream("Go on", run_id="r") as response:
        await response.cancel()
        with pytest.raises(RunCancelled):
            await anext(getattr(response, read)())
        with pytest.raises(RunCancelled):
            await response.get_data()


async def test_to_cancel_what_has_ended_is_nothing() -> None:
    story = Story()
    story.asked.append([])  # the first reply, as it were
    async with story.agent.run_stream("Go on", run_id="r") as response:
        await response.get_data()
        await response.cancel()
        assert await response.get_data() == "Once upon a time."
    assert (await story.store.load("r")).status is Status.SUCCEEDED


# --------------------------------------------------------------------------------------------------------- node by node


async def cancel_in_the_stream(run: AgentRun[None, str], stream: AgentStream[None, str]) -> None:
    while stream.response.parts != [TextPart("Once upon ")]:
        await anext(stream)
    await run.cancel()
    assert run.usage() == stream.usage()
    with pytest.raises(RunCancelled):
        await anext(stream)


async def test_the_stream_of_a_node_is_closed_when_its_run_is_cancelled() -> None:
    story = Story()
    async with story.agent.iter("Go on", run_id="r") as run:
        node = await run.next()
        assert Agent.is_model_request_node(node)
        async with node.stream(run.ctx) as stream:
            await cancel_in_the_stream(run, stream)
        assert story.closed == 1  # the rest was not read
    await story.check_kept()
    await story.check_goes_on()


async def read_one_reply_then_fail(agent: Agent[None, str]) -> None:
    async with agent.iter("Go on", run_id="r") as run:
        node = await run.next()
        assert Agent.is_model_request_node(node)
        async with node.stream(run.ctx):
            pass
        raise KeyError


async def test_a_whole_reply_that_was_not_handled_yet_is_kept_whole() -> None:
    story = Story()
    story.asked.append([])
    with pytest.raises(KeyError):
        await read_one_reply_then_fail(story.agent)
    record = await story.store.load("r")
    assert (record.status, record.pending) == (Status.CANCELLED, "HandleResponseNode")
    result = await story.agent.run(resume="r")
    assert (result.data, result.usage().requests, len(story.asked)) == ("Once upon a time.", 1, 2)
    assert len(result.all_messages()) == 2


async def test_a_request_that_brought_nothing_yet_is_made_anew() -> None:
    asked: list[int] = []

    async def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked.append(len(messages))
        if len(asked) == 1:
            scope.cancel()
            await anyio.sleep_forever()
        return ModelResponse([TextPart("there")])

    store = MemoryStore()
    agent = Agent(FunctionModel(reply), store=store)
    with anyio.CancelScope() as scope:
        await agent.run("Go on", run_id="r", conversation="c")
    fork = await agent.fork("r")
    result = await agent.run(resume=fork)
    assert (result.data, result.usage().requests, asked) == ("there", 1, [1, 1])
    assert len(result.all_messages()) == 2
    turn = await agent.run("Go on!", conversation="c")  # the model knows what it was asked before
    assert [type(message) for message in turn.all_messages()] == [ModelRequest, ModelRequest, ModelResponse]


async def test_what_tools_returned_is_known_after_the_next_request_was_cancelled() -> None:
    asked: list[list[ModelMessage]] = []

    async def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked.append(list(messages))
        if len(asked) == 1:
            return ModelResponse([ToolCallPart("look", {}, "c1")])
        if len(asked) == 2:
            scope.cancel()
            await anyio.sleep_forever()
        return ModelResponse([TextPart("there")])

    agent = Agent(FunctionModel(reply), store=MemoryStore())
    agent.tool_plain(look)
    with anyio.CancelScope() as scope:
        await agent.run("Go on", conversation="c")
    await agent.run("What did you see?", conversation="c")
    assert [part.content for part in answers(asked[-1])] == ["a cat"]


async def test_a_stream_that_brought_nothing_yet_is_asked_for_anew() -> None:
    model = EventModel([KeyError()], ModelResponse([]))
    store = MemoryStore()
    agent = Agent(model, store=store)
    with pytest.raises(KeyError):
        async with agent.run_stream("Go on", run_id="r"):
            pass
    record = await store.load("r")
    assert (record.status, record.seq, record.pending) == (Status.FAILED, 1, "ModelRequestNode")


# ------------------------------------------------------------------------------------------------- what comes after it


async def test_the_next_turn_is_told_what_had_come() -> None:
    story = Story()
    async with story.agent.run_stream("Go on", conversation="c", run_id="r") as response:
        await to_the_middle(response)
        await response.cancel()
    result = await story.agent.run("Why did you stop?", conversation="c")
    assert [type(message) for message in transcript(story.asked[1])] == [ModelRequest, ModelResponse, ModelRequest]
    assert len(result.new_messages()) == 2


async def test_a_call_that_was_cut_off_is_never_sent() -> None:
    cut = ModelResponse([TextPart("Let me see"), ToolCallPart("look", '{"a', "c1")], state="interrupted")
    asked = ModelRequest([UserPromptPart("Go on")])
    more = ModelRequest([UserPromptPart("And?")])
    assert transcript([asked, cut]) == [asked]
    sent = transcript([asked, cut, more])
    assert [part for message in sent for part in message.parts if isinstance(part, ToolCallPart)] == []
    assert sent[1].parts == [TextPart("Let me see")]


# ------------------------------------------------------------------------------------------- errors of the run itself


async def test_a_limit_crossed_in_the_middle_leaves_a_failed_run_that_keeps_what_was_paid() -> None:
    events = [PartStartEvent(0, TextPart("Once ")), PartStartEvent(1, TextPart("upon "))]
    reply = ModelResponse([TextPart("Once ")])
    model = EventModel(events, reply, [Usage(), Usage(response_tokens=3), Usage(response_tokens=9)])
    store, usage = MemoryStore(), Usage()
    agent = Agent(model, store=store)
    limits = UsageLimits(response_tokens_limit=5)
    with pytest.raises(UsageLimitExceeded, match="response_tokens_limit=5 is exceeded") as caught:
        async with agent.run_stream("Go on", run_id="r", usage_limits=limits, usage=usage) as response:
            await response.get_data()
    assert model.closed == 1
    assert (caught.value.run_id, len(caught.value.messages)) == ("r", 1)
    record = await store.load("r")
    assert (record.status, record.seq, record.pending) == (Status.FAILED, 2, "ModelRequestNode")
    assert record.error == "UsageLimitExceeded: response_tokens_limit=5 is exceeded: response_tokens=9"
    assert usage == Usage(1, None, 9)
    with pytest.raises(UsageLimitExceeded):  # the limit holds for the whole run
        await agent.run(resume="r")
    result = await agent.run(resume="r", usage_limits=UsageLimits())
    assert [message.parts for message in result.all_messages()][1:] == [reply.parts, reply.parts]
    assert result.usage().requests == 2


async def test_a_stream_that_broke_off_is_kept_as_far_as_it_came() -> None:
    events: list[PartStartEvent | Exception] = [PartStartEvent(0, TextPart("Once ")), ConnectionError("gone")]
    store = MemoryStore()
    agent = Agent(EventModel(events, ModelResponse([TextPart("Once ")]), [Usage(response_tokens=3)]), store=store)
    with pytest.raises(ConnectionError):
        async with agent.run_stream("Go on", run_id="r") as response:
            await response.get_data()
    record = await store.load("r")
    assert (record.status, record.error) == (Status.FAILED, "ConnectionError: gone")
    result = await agent.run(resume="r")
    partial = result.all_messages()[1]
    assert isinstance(partial, ModelResponse)
    assert (partial.state, result.usage().response_tokens) == ("interrupted", 6)
