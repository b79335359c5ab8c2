from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import TypeAdapter

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import (
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    ReplyBuilder,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)

Change = Callable[[ReplyBuilder], list[ModelResponseStreamEvent]]

pieces = st.text("ab \n", max_size=4)
maybe = st.none() | st.sampled_from(["x", "y"])


def text(delta: str) -> Change:
    return lambda builder: builder.text(delta)


def thinking(delta: str, signature: str | None, part_id: str | None) -> Change:
    return lambda builder: builder.thinking(delta, signature=signature, id=part_id)


def call(key: int, name: str | None, args: str | dict[str, Any] | None, call_id: str | None) -> Change:
    return lambda builder: builder.tool_call(key, name=name, args=args, call_id=call_id)


def whole(key: str, part: ModelResponsePart) -> Change:
    return lambda builder: builder.part(key, part)


names = st.none() | st.sampled_from(["", "f", "get"])
dicts = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=2)
changes = st.lists(
    st.builds(text, pieces)
    | st.builds(thinking, pieces, maybe, maybe)
    | st.builds(call, st.integers(0, 1), names, st.none() | pieces, maybe)
    | st.builds(call, st.integers(2, 3), names, st.none() | dicts, maybe)
    | st.builds(whole, st.sampled_from("pq"), st.builds(TextPart, pieces) | st.builds(ThinkingPart, pieces)),
    max_size=12,
)


def applied(events: Sequence[ModelResponseStreamEvent]) -> list[ModelResponsePart]:
    """The parts that a listener has who applies the events one by one."""
    parts: list[ModelResponsePart] = []
    for event in events:
        if isinstance(event, PartDeltaEvent):
            part = event.delta.apply(parts[event.index])
            assert not isinstance(part, ToolCallPartDelta)
            parts[event.index] = part
        else:
            parts[event.index : event.index + 1] = [event.part]
    return parts


@given(changes)
def test_who_applies_the_events_has_the_builders_parts(steps: list[Change]) -> None:
    builder = ReplyBuilder()
    events: list[ModelResponseStreamEvent] = []
    for step in steps:
        events += step(builder)
        assert applied(events) == builder.parts
    texts = [part.content for part in builder.parts if isinstance(part, TextPart) and part.content]
    assert builder.text_so_far() == "\n\n".join(texts)


@given(changes)
def test_reading_the_parts_on_the_way_changes_nothing(steps: list[Change]) -> None:
    read, unread = ReplyBuilder(), ReplyBuilder()
    for step in steps:
        step(read)
        _ = read.parts
        step(unread)
    assert read.parts == unread.parts


@given(changes)
def test_indexes_count_the_parts_and_start_before_they_go_on(steps: list[Change]) -> None:
    builder, started = ReplyBuilder(), 0
    for event in (event for step in steps for event in step(builder)):
        assert event.index < started or (isinstance(event, PartStartEvent) and event.index == started)
        started = max(started, event.index + 1)


@given(st.lists(pieces))
def test_text_is_joined(deltas: list[str]) -> None:
    builder = ReplyBuilder()
    for delta in deltas:
        builder.text(delta)
    joined = "".join(deltas)
    assert builder.parts == ([TextPart(joined)] if joined else [])


@given(changes)
def test_events_survive_json(steps: list[Change]) -> None:
    builder = ReplyBuilder()
    events = [event for step in steps for event in step(builder)]
    adapter = TypeAdapter(list[ModelResponseStreamEvent])
    assert adapter.validate_json(adapter.dump_json(events)) == events


def test_text_after_another_part_is_a_new_part() -> None:
    builder = ReplyBuilder()
    assert builder.text("a") == [PartStartEvent(0, TextPart("a"))]
    assert builder.text("b") == [PartDeltaEvent(0, TextPartDelta("b"))]
    assert builder.tool_call(0, name="f") == [PartStartEvent(1, ToolCallPart("f", ""))]
    assert builder.text("c") == [PartStartEvent(2, TextPart("c"))]
    assert builder.text_so_far() == "ab\n\nc"


def test_calls_side_by_side_are_told_apart_by_their_keys() -> None:
    builder = ReplyBuilder()
    events = builder.tool_call("a", name="f", call_id="1")
    events += builder.tool_call("b", name="g", args="{")
    events += builder.tool_call("a", args='{"x":')
    events += builder.tool_call("b", args="}")
    events += builder.tool_call("a", args="1}")
    assert events[-1] == PartDeltaEvent(0, ToolCallPartDelta(args_delta="1}"))
    assert applied(events) == builder.parts == [ToolCallPart("f", '{"x":1}', "1"), ToolCallPart("g", "{}")]


def test_a_call_starts_with_its_name_and_what_came_before() -> None:
    builder = ReplyBuilder()
    assert builder.tool_call(0, call_id="c") == []
    assert builder.tool_call(0, args="{") == []
    assert builder.parts == []
    assert builder.tool_call(0, name="f", args="}") == [PartStartEvent(0, ToolCallPart("f", "{}", "c"))]


def test_a_name_in_pieces_is_joined_and_one_repeated_is_not() -> None:
    builder = ReplyBuilder()
    builder.tool_call(0, name="get_")
    builder.tool_call(0, name="weather")
    assert builder.tool_call(0, name="get_weather", call_id="") == []
    assert builder.parts == [ToolCallPart("get_weather", "")]


def test_objects_of_arguments_are_merged() -> None:
    builder = ReplyBuilder()
    events = builder.tool_call(0, name="f", args={"a": 1})
    events += builder.tool_call(0, args={"b": 2})
    assert applied(events) == builder.parts == [ToolCallPart("f", {"a": 1, "b": 2})]


@pytest.mark.parametrize(("first", "second"), [("{", {"a": 1}), ({"a": 1}, "{")])
def test_text_and_object_arguments_do_not_mix(first: str | dict[str, int], second: str | dict[str, int]) -> None:
    builder = ReplyBuilder()
    builder.tool_call(0, name="weather", args=first)
    with pytest.raises(UnexpectedModelBehavior, match="'weather'"):
        builder.tool_call(0, args=second)
    with pytest.raises(UnexpectedModelBehavior, match="'weather'"):
        ToolCallPartDelta(args_delta=second).apply(ToolCallPart("weather", first))
    with pytest.raises(UnexpectedModelBehavior, match="a tool call"):
        ToolCallPartDelta(args_delta=second).apply(ToolCallPartDelta(args_delta=first))


@pytest.mark.parametrize("empty", ["", {}])
def test_empty_arguments_go_with_both(empty: str | dict[str, int]) -> None:
    for args in ('{"a":1}', {"a": 1}):
        builder = ReplyBuilder()
        start = builder.tool_call(0, name="f", args=empty)
        events = [*start, *builder.tool_call(0, args=args)]
        assert applied(events) == builder.parts == [ToolCallPart("f", args)]


def test_a_whole_call_can_go_on() -> None:
    builder = ReplyBuilder()
    builder.part(3, ToolCallPart("f", {}, "c"))
    builder.tool_call(3, args='{"a":1}')
    assert builder.parts == [ToolCallPart("f", '{"a":1}', "c")]


def test_a_whole_call_without_arguments_keeps_their_kind() -> None:
    builder = ReplyBuilder()
    builder.part(0, ToolCallPart("f", {}))
    builder.part(1, ToolCallPart("g", ""))
    assert builder.parts == [ToolCallPart("f", {}), ToolCallPart("g", "")]


def test_a_whole_part_again_replaces_the_first() -> None:
    builder = ReplyBuilder()
    builder.part("p", TextPart("draft"))
    builder.part("q", TextPart("next"))
    assert builder.part("p", TextPart("final")) == [PartStartEvent(0, TextPart("final"))]
    assert builder.parts == [TextPart("final"), TextPart("next")]


def test_a_signature_closes_a_thought() -> None:
    builder = ReplyBuilder()
    builder.thinking("hm")
    builder.thinking(", yes", id="t1")
    assert builder.thinking(signature="sig") == [PartDeltaEvent(0, ThinkingPartDelta(signature_delta="sig"))]
    assert builder.thinking(signature="sig") == []
    builder.thinking("another")
    assert builder.parts == [ThinkingPart("hm, yes", "t1", "sig"), ThinkingPart("another")]


def test_another_id_is_another_thought() -> None:
    builder = ReplyBuilder()
    builder.thinking("a", id="t1")
    builder.thinking("b", id="t1")
    builder.thinking("c", id="t2")
    assert builder.thinking() == []
    assert builder.parts == [ThinkingPart("ab", "t1"), ThinkingPart("c", "t2")]


def test_an_event_is_not_changed_by_what_follows() -> None:
    builder = ReplyBuilder()
    [start] = builder.tool_call(0, name="f", args={"a": 1})
    builder.tool_call(0, args={"b": 1})
    assert start == PartStartEvent(0, ToolCallPart("f", {"a": 1}))


def test_pieces_of_a_call_become_a_part_when_name_and_arguments_are_known() -> None:
    name = ToolCallPartDelta(tool_name_delta="f")
    args = ToolCallPartDelta(args_delta="{", tool_call_id="c")
    assert name.as_part() is None
    assert args.apply(ToolCallPartDelta()) == args
    assert name.apply(args) == args.apply(name) == ToolCallPart("f", "{", "c")
    assert args.apply(ToolCallPart("f", "")) == ToolCallPart("f", "{", "c")


@pytest.mark.parametrize("delta", [TextPartDelta("a"), ThinkingPartDelta("a")])
def test_a_delta_refuses_another_kind_of_part(delta: TextPartDelta | ThinkingPartDelta) -> None:
    with pytest.raises(ValueError, match="ToolCallPart"):
        delta.apply(ToolCallPart("f", ""))
    with pytest.raises(ValueError, match="TextPart"):
        ToolCallPartDelta().apply(TextPart(""))
