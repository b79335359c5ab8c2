from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import (
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from agentgraph.models.anthropic_reply import MessageReply, decode
from agentgraph.usage import Usage
from tests.models.anthropic_service import call, message, streamed, text, thought

JSON = dict[str, Any]  # Any: JSON

SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "Oslo"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "u", "encrypted_content": "x"}]}


def decoded(*blocks: JSON, **fields: object) -> ModelResponse:
    return decode(json.dumps(message(*blocks, **fields)), "asked")[0]


def put_together(events: list[object]) -> MessageReply:
    reply = MessageReply("asked")
    for event in events:
        reply.add(json.dumps(event))
    return reply


def test_a_reply_tells_who_made_it() -> None:
    before = datetime.now(UTC)
    reply = decoded(text("Hi"))
    assert (reply.parts, reply.finish_reason) == ([TextPart("Hi")], "stop")
    assert (reply.model_name, reply.provider_response_id) == ("claude-sonnet-4-5-20250929", "msg_1")
    assert before <= reply.timestamp <= datetime.now(UTC)
    assert reply.provider_details is None


def test_a_reply_that_does_not_tell_was_made_by_the_model_asked() -> None:
    assert decode('{"content": []}', "asked")[0].model_name == "asked"


@pytest.mark.parametrize(
    ("wire", "ours", "told"),
    [
        ("end_turn", "stop", False),
        ("stop_sequence", "stop", False),
        ("max_tokens", "length", False),
        ("tool_use", "tool_call", False),
        ("pause_turn", "stop", True),
        ("refusal", "content_filter", True),
        ("model_context_window_exceeded", "length", True),
        ("new_reason", None, False),
        (None, None, False),
    ],
)
def test_finish_reasons_have_one_word_for_all_services(wire: str | None, ours: str | None, *, told: bool) -> None:
    reply = decoded(text("Hi"), stop_reason=wire)
    assert reply.finish_reason == ours
    assert reply.provider_details == ({"origin": "anthropic", "stop_reason": wire} if told else None)


def test_how_it_stopped_is_kept() -> None:
    reply = decoded(stop_sequence="END", stop_details={"type": "x"}, container={"id": "c1"})
    kept = {"stop_sequence": "END", "stop_details": {"type": "x"}, "container": {"id": "c1"}}
    assert reply.provider_details == {"origin": "anthropic", **kept}


def test_blocks_become_parts() -> None:
    reply = decoded(thought("hm"), text("Let me see."), call("f", {"x": 1}), stop_reason="tool_use")
    calls = ToolCallPart("f", {"x": 1}, "toolu_1")
    assert reply.parts == [ThinkingPart("hm", signature="seal"), TextPart("Let me see."), calls]
    assert reply.provider_details == {"origin": "anthropic"}


def test_thoughts_stay_apart_even_without_words() -> None:
    blocks = [thought("", "a"), thought("", "b"), {"type": "redacted_thinking", "data": "c"}]
    parts = [
        ThinkingPart("", signature="a"),
        ThinkingPart("", signature="b"),
        ThinkingPart("", "redacted_thinking", "c"),
    ]
    assert decoded(*blocks).parts == parts
    assert put_together(streamed(message(*blocks))).response().parts == parts


def test_what_the_service_ran_itself_is_told_and_not_called() -> None:
    blocks = [text("Wait."), SEARCH, FOUND, text("Rain"), text(" today.")]
    for reply in (decoded(*blocks), put_together(streamed(message(*blocks))).response()):
        wait, search, found, rain = reply.parts
        assert (wait, rain) == (TextPart("Wait."), TextPart("Rain today."))
        assert isinstance(search, NativeToolCallPart)
        assert (search.tool_name, search.args, search.tool_call_id) == ("web_search", {"query": "Oslo"}, "s1")
        assert isinstance(found, NativeToolReturnPart)
        assert (found.tool_name, found.content, found.tool_call_id) == ("web_search", FOUND["content"], "s1")
        assert reply.provider_details == {"origin": "anthropic"}


def test_a_call_of_the_service_is_told_when_it_begins() -> None:
    begins, *pieces, _, _ = streamed(message(SEARCH))[1:]
    reply = MessageReply("asked")
    [event] = reply.add(json.dumps(begins))
    assert isinstance(event, PartStartEvent)
    assert isinstance(event.part, NativeToolCallPart)
    assert (event.index, event.part.args) == (0, {})
    later = [event for piece in pieces for event in reply.add(json.dumps(piece))]
    assert later == [PartStartEvent(0, reply.response().parts[0])]


def test_tools_of_a_server_bear_its_name() -> None:
    use = {"type": "mcp_tool_use", "id": "m1", "name": "ask", "server_name": "wiki", "input": {"q": 1}}
    found: JSON = {"type": "mcp_tool_result", "tool_use_id": "m1", "content": []}
    call, back = decoded(use, found).parts
    assert isinstance(call, NativeToolCallPart)
    assert call.tool_name == "mcp_server:wiki"
    assert call.args == {"action": "call_tool", "tool_name": "ask", "tool_args": {"q": 1}}
    [alone] = decoded({**found, "tool_use_id": None}).parts
    assert isinstance(back, NativeToolReturnPart)
    assert isinstance(alone, NativeToolReturnPart)
    assert [back.tool_name, alone.tool_name] == ["mcp_server:wiki", "mcp_server"]


def test_a_block_of_the_service_may_come_in_pieces() -> None:
    reply = MessageReply("asked")
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "compaction", "content": None}}
    deltas = [{"type": "compaction_delta", "content": piece} for piece in ("So ", "far.")]
    reply.add(json.dumps(start))
    for delta in deltas:
        reply.add(json.dumps({"type": "content_block_delta", "index": 0, "delta": delta}))
    assert reply.response().provider_details is None  # it has not ended
    reply.add('{"type": "content_block_stop", "index": 0}')
    kept = [{"after": 0, "block": {"type": "compaction", "content": "So far."}}]
    assert reply.response().provider_details == {"origin": "anthropic", "service_blocks": kept}


def test_arguments_that_the_service_took_have_to_be_json() -> None:
    reply = put_together(streamed(message(SEARCH))[:2])
    reply.add(json.dumps({"type": "content_block_delta", "index": 0, "delta": _input("{oops")}))
    with pytest.raises(UnexpectedModelBehavior, match="no JSON"):
        reply.add('{"type": "content_block_stop", "index": 0}')


def _input(written: str) -> JSON:
    return {"type": "input_json_delta", "partial_json": written}


def test_sources_are_kept() -> None:
    cited = {**text("Rain."), "citations": [{"url": "u"}]}
    start = {"type": "content_block_start", "index": 0, "content_block": text("Rain.")}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"url": "u"}}}
    kept = {"origin": "anthropic", "citations": [{"url": "u"}]}
    assert decoded(cited).provider_details == kept
    assert put_together([start, delta]).response().provider_details == kept


def test_unknown_events_and_pieces_are_ignored() -> None:
    whole = message(text("Hi"))
    events = streamed(whole)
    odd: list[object] = [
        {"type": "new_event", "message": 7, "index": "x"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "new_delta", "text": 7}},
    ]
    assert put_together([*events[:2], *odd, *events[2:]]).response().parts == [TextPart("Hi")]


@pytest.mark.parametrize(
    "event",
    [
        "7",
        "{}",
        '{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": 7}}',
        '{"type": "content_block_start", "index": 0, "content_block": 7}',
        '{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}}',
        '{"type": "message_delta"}',
        '{"type": "error"}',
    ],
)
def test_what_is_no_event_is_an_error(event: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match="'asked' is malformed"):
        MessageReply("asked").add(event)


@pytest.mark.parametrize("kind", ["content_block_stop", "content_block_delta"])
def test_a_block_has_to_begin(kind: str) -> None:
    event = {"type": kind, "index": 3, "delta": {"type": "text_delta", "text": "x"}}
    with pytest.raises(UnexpectedModelBehavior, match="block 3, which it has not begun"):
        MessageReply("asked").add(json.dumps(event))


@pytest.mark.parametrize(("kind", "status"), [("overloaded_error", 529), ("rate_limit_error", 429), ("api_error", 500)])
def test_an_error_inside_a_success_has_the_status_of_its_type(kind: str, status: int) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": "no"}})
    with pytest.raises(ModelHTTPError) as in_pieces:
        MessageReply("asked").add(body)
    with pytest.raises(ModelHTTPError) as whole:
        decode(body, "asked")
    assert in_pieces.value.status_code == whole.value.status_code == status


def test_an_error_of_an_unknown_type_is_unexpected() -> None:
    with pytest.raises(UnexpectedModelBehavior, match="answered with an error"):
        MessageReply("asked").add('{"type": "error", "error": {"type": "new_error"}}')


@pytest.mark.parametrize("body", ["{}", "[]", '{"content": 7}', '{"content": [7]}'])
def test_what_is_no_message_is_an_error(body: str) -> None:
    with pytest.raises(UnexpectedModelBehavior) as raised:
        decode(body, "asked")
    assert raised.value.body is not None


def test_a_stream_has_to_begin_and_to_end() -> None:
    events = streamed(message(text("Hi")))
    assert MessageReply("asked").lacks == "holds no message"
    assert put_together(events[:-2]).lacks == "is cut off"
    assert put_together(events[:-1]).lacks is None
    assert put_together(events).ended


words = st.text('ab {"}é', max_size=9)
blocks = st.one_of(
    words.map(text),
    st.builds(thought, words, st.text("xy", min_size=1, max_size=3)),
    st.builds(call, st.just("f"), st.dictionaries(st.sampled_from("xy"), words), st.sampled_from(["a", "b"])),
    st.just(SEARCH),
    st.just(FOUND),
)


@given(st.lists(blocks, max_size=5), st.integers(1, 5))
def test_a_streamed_reply_equals_the_whole_one(content: list[JSON], size: int) -> None:
    whole = message(*content)
    reply, usage = decode(json.dumps(whole), "asked")
    put = put_together(streamed(whole, size))
    assert put.usage() == usage
    assert _comparable(put.response()) == _comparable(reply)


def _comparable(reply: ModelResponse) -> list[object]:
    calls = [part.args_as_dict() if isinstance(part, ToolCallPart) else part for part in reply.parts]
    return [*calls, reply.provider_details, reply.finish_reason, reply.provider_response_id]


def counted(**usage: object) -> Usage:
    return decode(json.dumps(message(text("Hi"), usage=usage)), "asked")[1]


def test_usage_includes_what_was_cached() -> None:
    usage = counted(
        input_tokens=3,
        cache_read_input_tokens=10,
        cache_creation_input_tokens=20,
        cache_creation={"ephemeral_1h_input_tokens": 5, "ephemeral_5m_input_tokens": 15},
        output_tokens=7,
        output_tokens_details={"thinking_tokens": 4},
        server_tool_use={"web_search_requests": 2, "web_fetch_requests": 0},
        service_tier="standard",
    )
    details = {
        "cache_read_tokens": 10,
        "cache_write_tokens": 20,
        "cache_write_1h_tokens": 5,
        "reasoning_tokens": 4,
        "web_search_requests": 2,
    }
    assert usage == Usage(0, 33, 7, 40, details)


def test_turns_of_other_models_are_told_apart() -> None:
    turns = [
        {"type": "message", "input_tokens": 3, "output_tokens": 2},
        {"type": "compaction", "input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 50},
        {"type": "advisor_message", "input_tokens": 40, "output_tokens": 4},
    ]
    details = {"cache_read_tokens": 50, "advisor_input_tokens": 40, "advisor_output_tokens": 4}
    assert counted(input_tokens=3, output_tokens=2, iterations=turns) == Usage(0, 153, 12, 165, details)


def test_usage_may_tell_little() -> None:
    assert counted() == Usage()
    assert counted(input_tokens=3, iterations=None) == Usage(0, 3, 0, 3)
