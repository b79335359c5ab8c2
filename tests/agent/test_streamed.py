"""Reading a run while it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from pydantic import BaseModel, ValidationError, field_validator

from agentgraph import (
    Agent,
    AgentRunError,
    MemoryStore,
    ModelRetry,
    RunContext,
    UnexpectedModelBehavior,
    UserError,
)
from agentgraph.graph import Status
from agentgraph.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
)
from agentgraph.models.function import AgentInfo, DeltaToolCall, FunctionModel
from tests.agent.scripted import EventModel, call, says

pytestmark = pytest.mark.anyio


class Animal(BaseModel):
    name: str
    legs: list[str] = []

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        if name == "Nobody":
            message = "somebody"
            raise ModelRetry(message)
        return name


Piece = str | dict[int, DeltaToolCall]


def pieces_of(*replies: Sequence[Piece]) -> FunctionModel:
    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        for piece in replies[sum(isinstance(message, ModelResponse) for message in messages)]:
            yield piece

    return FunctionModel(stream_function=stream)


def animal_in_pieces() -> Agent[None, Animal]:
    args = ['{"name": "Ca', 't", "le', 'gs": ["left", "ri', 'ght"]}']
    model = pieces_of(
        [{0: DeltaToolCall("final_result", args[0])}, *({0: DeltaToolCall(json_args=a)} for a in args[1:])]
    )
    return Agent(model, result_type=Animal)


def looking(*replies: Any, **options: Any) -> Agent[None, Any]:
    agent: Agent[None, Any] = Agent(says(*replies), **options)

    @agent.tool_plain
    def look() -> str:
        return "seen"

    return agent


def parts(response: ModelResponse) -> list[ModelResponsePart]:
    return response.parts


# --------------------------------------------------------------------------------------------------------------- text


async def test_text_grows_with_each_piece() -> None:
    async with Agent(says("The cat sat")).run_stream("Hello") as response:
        seen = [(text, response.is_complete) async for text in response.stream_text(debounce_by=None)]
        assert response.is_complete
    assert seen == [("The ", False), ("The cat ", False), ("The cat sat", False)]


async def test_deltas_are_what_came_since() -> None:
    async with Agent(says("The cat sat")).run_stream("Hello") as response:
        assert [text async for text in response.stream_text(delta=True, debounce_by=None)] == ["The ", "cat ", "sat"]


@pytest.mark.parametrize("delta", [False, True])
async def test_what_comes_at_once_is_told_at_its_start_and_end(delta: Any) -> None:
    async with Agent(says("The cat sat on it")).run_stream("Hello") as response:
        texts = [text async for text in response.stream_text(delta=delta, debounce_by=1000)]
    assert texts == (["The ", "cat sat on it"] if delta else ["The ", "The cat sat on it"])


async def test_text_parts_are_joined_by_a_blank_line() -> None:
    agent = Agent(says([TextPart("One."), TextPart(""), TextPart("Two of it.")]))
    async with agent.run_stream("Hello") as response:
        *_, last = [text async for text in response.stream_text(debounce_by=None)]
        assert last == await response.get_data() == "One.\n\nTwo of it."


async def test_a_part_that_starts_empty_is_a_part_too() -> None:
    events: list[ModelResponseStreamEvent | Exception] = [
        PartStartEvent(0, TextPart("One")),
        PartDeltaEvent(0, TextPartDelta("")),
        PartStartEvent(1, TextPart("")),
        PartDeltaEvent(1, TextPartDelta("Two")),
        PartDeltaEvent(1, TextPartDelta("!")),
    ]
    model = EventModel(events, ModelResponse([TextPart("One"), TextPart("Two!")]))
    async with Agent(model).run_stream("Hello") as response:
        deltas = [text async for text in response.stream_text(delta=True, debounce_by=None)]
    assert deltas == ["One", "\n\nTwo", "!"]


async def test_text_before_calls_is_streamed_and_the_next_reply_starts_anew() -> None:
    agent = looking([TextPart("I look"), call("look")], "The end")
    async with agent.run_stream("Hello") as response:
        texts = [text async for text in response.stream_text(debounce_by=None)]
    assert texts == ["I ", "I look", "The ", "The end"]


async def test_replies_that_only_call_tools_are_handled_before_the_block_begins() -> None:
    async with looking(call("look"), call("look"), "The end").run_stream("Hello") as response:
        assert len(response.all_messages()) == 5
        assert [text async for text in response.stream_text(debounce_by=None)] == ["The ", "The end"]


async def test_followers_are_told_no_more_where_a_service_goes_back() -> None:
    deltas = [PartDeltaEvent(0, TextPartDelta("x")) for _ in range(80)]
    reply = ModelResponse([TextPart("One" + "x" * 80), TextPart("Two")])
    agent = Agent(EventModel([PartStartEvent(0, TextPart("One")), PartStartEvent(1, TextPart("Two")), *deltas], reply))
    store = MemoryStore()
    async with agent.run_stream("Hello", store=store, run_id="r") as response:
        texts = response.stream_text(delta=True, debounce_by=None)
        for _ in range(80):
            await anext(texts)
        assert [event.body for event in await store.events("r")] == [b'[0,0,"One"]', b'[1,3,"Two"]']
        await texts.aclose()


async def test_what_cannot_be_read_yet_is_left_out() -> None:
    pieces = [{0: DeltaToolCall("final_result", '{"na')}, {0: DeltaToolCall(json_args="me")}]
    agent = Agent(pieces_of([*pieces, {0: DeltaToolCall(json_args='": "Cat"}')}]), result_type=Animal)
    for debounce in (None, 1000):
        async with agent.run_stream("Hello") as response:
            assert [each async for each in response.stream(debounce_by=debounce)] == [Animal(name="Cat")] * 2


async def test_text_is_refused_where_it_is_no_result() -> None:
    async with animal_in_pieces().run_stream("Hello") as response:
        with pytest.raises(UserError, match="use `stream` or `stream_structured`"):
            await anext(response.stream_text())


async def test_validators_are_not_called_on_text() -> None:
    agent = Agent(says("The cat"))

    @agent.result_validator
    def shout(data: str) -> str:
        return data.upper()

    async with agent.run_stream("Hello") as response:
        assert [text async for text in response.stream_text(debounce_by=None)] == ["The ", "The cat"]
        assert await response.get_data() == "THE CAT"


async def test_text_of_a_run_that_is_over_is_whole() -> None:
    async with Agent(says("The cat")).run_stream("Hello") as response:
        await response.get_data()
        assert [text async for text in response.stream_text()] == ["The cat"]
        assert [text async for text in response.stream_text(delta=True)] == ["The cat"]


# -------------------------------------------------------------------------------------------------------- typed results


async def test_partial_results_are_validated_until_the_last() -> None:
    async with animal_in_pieces().run_stream("Hello") as response:
        found = [animal async for animal in response.stream(debounce_by=None)]
        assert response.is_complete
    assert found == [
        Animal(name="Ca"),
        Animal(name="Cat"),
        Animal(name="Cat", legs=["left", "ri"]),
        Animal(name="Cat", legs=["left", "right"]),
        Animal(name="Cat", legs=["left", "right"]),
    ]


async def test_what_cannot_be_read_yet_is_passed_over() -> None:
    model = pieces_of(
        [{0: DeltaToolCall("final_result", '{"legs"')}, {0: DeltaToolCall(json_args=': [], "name": "Ox"}')}]
    )
    async with Agent(model, result_type=Animal).run_stream("Hello") as response:
        assert [animal.name async for animal in response.stream(debounce_by=None)] == ["Ox", "Ox"]


async def test_a_type_that_asks_again_does_not_break_the_stream() -> None:
    agent = Agent(says(call("final_result", name="Nobody"), call("final_result", name="Ox")), result_type=Animal)
    async with agent.run_stream("Hello") as response:
        assert [animal.name async for animal in response.stream(debounce_by=None)] == ["Ox", "Ox"]


async def test_structured_replies_grow_and_one_is_the_last() -> None:
    async with animal_in_pieces().run_stream("Hello") as response:
        found = [reply_and_last async for reply_and_last in response.stream_structured(debounce_by=None)]
    calls = [reply.parts[0] for reply, _ in found]
    assert [len(part.args) for part in calls if isinstance(part, ToolCallPart)] == [12, 19, 36, 42, 42]
    assert [last for _, last in found] == [False, False, False, False, True]


async def test_structured_goes_on_with_the_next_reply() -> None:
    agent = looking([TextPart("I look"), call("look")], "The end")
    async with agent.run_stream("Hello") as response:
        found = [(reply.parts[-1], last) async for reply, last in response.stream_structured(debounce_by=1000)]
    assert [last for _, last in found].count(True) == 1
    assert found[-1] == (TextPart("The end"), True)
    assert any(isinstance(part, ToolCallPart) for part, _ in found)


async def test_a_structured_reply_can_be_validated() -> None:
    async with animal_in_pieces().run_stream("Hello") as response:
        first, *_, last = [reply async for reply, _ in response.stream_structured(debounce_by=None)]
        assert await response.validate_structured_result(first, allow_partial=True) == Animal(name="Ca")
        with pytest.raises(ValidationError):
            await response.validate_structured_result(first)
        assert await response.validate_structured_result(last) == await response.get_data()


async def test_a_whole_reply_is_validated_by_the_agents_validators() -> None:
    agent = Agent(says("The cat", "A dog"))

    @agent.result_validator
    def dogs(ctx: RunContext, data: str) -> str:
        if "dog" not in data:
            message = "dogs only"
            raise ModelRetry(message)
        return data.upper()

    async with agent.run_stream("Hello") as response:
        assert await response.validate_structured_result(ModelResponse([TextPart("dog")])) == "DOG"
        cat = ModelResponse([TextPart("cat")])
        assert await response.validate_structured_result(cat, allow_partial=True) == "cat"
        with pytest.raises(UserError, match="dogs only"):
            await response.validate_structured_result(cat)
        with pytest.raises(UserError, match="holds no result"):
            await response.validate_structured_result(ModelResponse([call("look")]))
        assert await response.get_data() == "A DOG"


async def test_validators_of_a_whole_reply_see_the_call_that_gives_the_result() -> None:
    agent = Agent(says(call("final_result", "c2", response=3)), result_type=int)
    seen: list[tuple[str | None, str | None]] = []

    @agent.result_validator
    def look(ctx: RunContext, data: int) -> int:
        seen.append((ctx.tool_name, ctx.tool_call_id))
        return data

    reply = ModelResponse([call("look", "c1"), call("final_result", "c2", response=3)])
    async with agent.run_stream("Hello") as response:
        assert await response.validate_structured_result(reply) == 3
    assert seen == [("final_result", "c2")] * 2


# ---------------------------------------------------------------------------------------------------------- the block


async def test_leaving_early_finishes_the_run() -> None:
    store = MemoryStore()
    async with looking([TextPart("I look"), call("look")], "The end", store=store).run_stream(
        "Hello", run_id="r"
    ) as early:
        assert early.run_id == "r"
    assert early.is_complete
    assert (await store.load("r")).status is Status.SUCCEEDED
    assert (await early.get_data(), early.usage().requests) == ("The end", 2)


async def test_reading_goes_on_where_it_stopped() -> None:
    async with Agent(says("The cat sat")).run_stream("Hello") as response:
        async with aclosing(response.stream_structured(debounce_by=None)) as replies:
            reply, _ = await anext(replies)
            assert reply.parts == [TextPart("The ")]
        assert [text async for text in response.stream_text(debounce_by=None)] == ["cat ", "cat sat"]
        assert await response.get_data() == "The cat sat"


async def test_an_error_in_the_block_cancels_the_run_and_closes_the_stream() -> None:
    store = MemoryStore()
    model = EventModel([PartStartEvent(0, TextPart("Hi"))], ModelResponse([TextPart("Hi")]))
    with pytest.raises(KeyError):
        async with Agent(model, store=store).run_stream("Hello", run_id="r"):
            raise KeyError
    assert (await store.load("r")).status is Status.CANCELLED
    assert model.closed == 1


async def test_a_cancelled_block_cancels_the_run_and_closes_the_stream() -> None:
    store = MemoryStore()
    model = EventModel([PartStartEvent(0, TextPart("Hi"))], ModelResponse([TextPart("Hi")]))
    with anyio.CancelScope() as scope:
        async with Agent(model, store=store).run_stream("Hello", run_id="r"):
            scope.cancel()
            await anyio.sleep_forever()
    assert (await store.load("r")).status is Status.CANCELLED
    assert model.closed == 1


@pytest.mark.parametrize("seen", [0, 1])
async def test_a_stream_that_breaks_off_fails_the_run(seen: int) -> None:
    store = MemoryStore()
    start: list[ModelResponseStreamEvent | Exception] = [PartStartEvent(0, TextPart("Hi"))]
    model = EventModel([*start[:seen], UnexpectedModelBehavior("cut off")], ModelResponse([]))
    with pytest.raises(UnexpectedModelBehavior, match="cut off") as caught:
        async with Agent(model, store=store).run_stream("Hello", run_id="r") as response:
            await response.get_data()
    assert (await store.load("r")).status is Status.FAILED
    assert (caught.value.run_id, len(caught.value.messages), model.closed) == ("r", 1, 1)


async def test_a_tool_that_fails_while_the_block_is_left_fails_the_run() -> None:
    store = MemoryStore()
    agent = Agent(says([TextPart("I look"), call("look")]), store=store)

    @agent.tool_plain
    def look() -> str:
        raise KeyError

    with pytest.raises(KeyError):
        async with agent.run_stream("Hello", run_id="r"):
            pass
    assert (await store.load("r")).status is Status.FAILED


async def test_a_run_that_failed_has_no_result() -> None:
    async with looking([TextPart("I look"), call("look")], []).run_stream("Hello") as response:
        with pytest.raises(UnexpectedModelBehavior):
            await response.get_data()
        with pytest.raises(AgentRunError, match="has no result: it failed"):
            await response.get_data()
        assert not response.is_complete


async def test_a_reply_that_broke_off_is_never_taken_for_a_whole_one() -> None:
    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Piece]:
        yield "Half a "
        raise UnexpectedModelBehavior("cut off")

    cut_off = pytest.raises(UnexpectedModelBehavior, match="cut off")
    with cut_off:
        async with Agent(FunctionModel(stream_function=stream)).run_stream("Hello") as response:
            with pytest.raises(UnexpectedModelBehavior, match="cut off"):
                await response.get_data()


async def test_the_timestamp_is_that_of_the_newest_reply() -> None:
    when = datetime(2025, 3, 1, tzinfo=UTC)
    events: list[ModelResponseStreamEvent | Exception] = [PartStartEvent(0, TextPart("Hi"))]
    async with Agent(EventModel(events, ModelResponse([TextPart("Hi")], timestamp=when))).run_stream(
        "Hello"
    ) as response:
        assert response.timestamp() == when
    assert response.timestamp() == when


async def test_a_finished_run_can_be_read_again() -> None:
    agent = Agent(says("The cat"), store=MemoryStore())
    await agent.run("Hello", run_id="r")
    async with agent.run_stream(resume="r") as response:
        assert response.is_complete
        assert [text async for text in response.stream()] == ["The cat"]
        assert [last async for _, last in response.stream_structured()] == [True]
        assert (await response.get_data(), response.usage().requests) == ("The cat", 1)
