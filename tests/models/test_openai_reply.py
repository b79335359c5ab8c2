from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import ModelResponse, ModelResponsePart, TextPart, ThinkingPart, ToolCallPart
from agentgraph.models.openai_reply import ChatReply, decode as decode_into
from agentgraph.usage import Usage

JSON = dict[str, Any]  # Any: JSON


def decode(body: str | bytes, model_name: str) -> tuple[ModelResponse, Usage]:
    return decode_into(body, ChatReply(model_name))


def decoded(message: JSON, **fields: object) -> ModelResponse:
    choice: JSON = {"message": message, "finish_reason": fields.pop("finish_reason", "stop")}
    choice |= {"logprobs": fields.pop("logprobs", None)}
    reply, _ = decode(json.dumps({"choices": [choice], **fields}), "asked")
    return reply


def streamed(*deltas: JSON) -> list[ModelResponsePart]:
    reply = ChatReply("asked")
    for delta in deltas:
        reply.add(json.dumps({"choices": [{"delta": delta}]}))
    return reply.response().parts


def call(name: str | None, arguments: str, index: int | None = None, call_id: str | None = None) -> JSON:
    piece: JSON = {"function": {"name": name, "arguments": arguments}, "id": call_id, "index": index}
    return {"tool_calls": [{key: value for key, value in piece.items() if value is not None}]}


def test_a_reply_tells_who_made_it_and_when() -> None:
    reply = decoded({"content": "Hi"}, id="c1", model="gpt", created=1_700_000_000)
    made = datetime.fromtimestamp(1_700_000_000, UTC)
    assert reply == ModelResponse([TextPart("Hi")], "gpt", made, finish_reason="stop", provider_response_id="c1")


def test_a_reply_that_does_not_tell_was_made_by_the_model_asked() -> None:
    before = datetime.now(UTC)
    reply = decoded({"content": "Hi"}, created=1e300)
    assert reply.model_name == "asked"
    assert before <= reply.timestamp <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_call"),
        ("function_call", "tool_call"),
        ("content_filter", "content_filter"),
        ("error", "error"),
        ("", "stop"),
        ("eos", None),
        (None, None),
    ],
)
def test_finish_reasons_have_one_word_for_all_services(wire: str | None, ours: str | None) -> None:
    assert decoded({"content": "Hi"}, finish_reason=wire).finish_reason == ours


def test_an_empty_finish_reason_beside_calls_means_calls() -> None:
    assert decoded(call("f", "{}"), finish_reason="").finish_reason == "tool_call"


def test_a_refusal_is_text_and_said_to_be_one() -> None:
    reply = decoded({"content": None, "refusal": "I cannot."})
    assert (reply.parts, reply.finish_reason) == ([TextPart("I cannot.")], "content_filter")
    assert reply.provider_details == {"refusal": "I cannot."}


def test_citations_and_probabilities_are_kept() -> None:
    reply = decoded({"content": "Hi", "annotations": [{"url": "u"}]}, logprobs={"content": [{"token": "Hi"}]})
    assert reply.provider_details == {"annotations": [{"url": "u"}], "logprobs": [{"token": "Hi"}]}


def test_calls_keep_their_arguments_as_they_came() -> None:
    reply = decoded({"tool_calls": [*call("f", "{oops", call_id="a")["tool_calls"], {"function": {"name": "g"}}]})
    assert reply.parts == [ToolCallPart("f", "{oops", "a"), ToolCallPart("g", "")]


def test_arguments_may_come_as_an_object() -> None:
    reply = decoded({"tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]})
    assert reply.parts == [ToolCallPart("f", {"x": 1})]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thinking_comes_before_text(field: str) -> None:
    assert decoded({"content": "4", field: "2+2"}).parts == [ThinkingPart("2+2"), TextPart("4")]


@pytest.mark.parametrize("finish", ["stop", None])
def test_thinking_between_tags_is_told_from_text(finish: str | None) -> None:
    assert decoded({"content": "<think>2+2</think>\n4"}, finish_reason=finish).parts == [
        ThinkingPart("2+2"),
        TextPart("4"),
    ]
    assert decoded({"content": "<"}, finish_reason=finish).parts == [TextPart("<")]


@pytest.mark.parametrize("last", ["[DONE]", json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]})])
def test_what_might_have_been_a_tag_is_text_at_the_end(last: str) -> None:
    reply = ChatReply("asked")
    events = reply.add(json.dumps({"choices": [{"delta": {"content": "<thi"}}]}))
    assert (events, len(reply.add(last)), reply.response().parts) == ([], 1, [TextPart("<thi")])


def test_blocks_of_thinking_are_kept_whole() -> None:
    pieces = [
        {"type": "reasoning.text", "index": 0, "text": "Two "},
        {"type": "reasoning.text", "index": 0, "text": "and two"},
        {"type": "reasoning.text", "index": 0, "signature": "seal", "text": None},
        {"type": "reasoning.encrypted", "index": 1, "data": "xyz", "id": "e1"},
    ]
    reply = ChatReply("asked")
    for piece in pieces:
        reply.add(json.dumps({"choices": [{"delta": {"reasoning": "ignored", "reasoning_details": [piece]}}]}))
    sealed = [ThinkingPart("Two and two", signature="seal"), ThinkingPart("", "e1", "xyz")]
    assert reply.response().parts == sealed
    assert reply.response().provider_details == {
        "reasoning_details": [
            {"type": "reasoning.text", "index": 0, "text": "Two and two", "signature": "seal"},
            {"type": "reasoning.encrypted", "index": 1, "data": "xyz", "id": "e1"},
        ]
    }


def test_pieces_of_calls_are_told_apart_by_index() -> None:
    pieces = [call("f", "", 0, "a"), call("g", "", 1, "b"), call(None, "{}", 1), call(None, '{"x":', 0)]
    parts = streamed(*pieces, call(None, "1}", 0))
    assert parts == [ToolCallPart("f", '{"x":1}', "a"), ToolCallPart("g", "{}", "b")]


def test_an_id_may_come_late_and_be_repeated() -> None:
    parts = streamed(call("f", "{", 0), call("f", "", 0, "a"), call("f", "}", 0, "a"), call(None, "", 0, ""))
    assert parts == [ToolCallPart("f", "{}", "a")]


@pytest.mark.parametrize("index", [0, None])
def test_whole_calls_may_all_have_the_same_index_or_none(index: int | None) -> None:
    parts = streamed(call("f", "{}", index, "a"), call("f", "[]", index, "b"))
    assert parts == [ToolCallPart("f", "{}", "a"), ToolCallPart("f", "[]", "b")]


def test_whole_calls_may_have_neither_index_nor_id() -> None:
    parts = streamed(call("f", "{}"), call("f", "["), call(None, "]"))
    assert parts == [ToolCallPart("f", "{}"), ToolCallPart("f", "[]")]


@given(st.lists(st.tuples(st.sampled_from(["f", "g"]), st.text("{}ab", max_size=6)), min_size=1, max_size=4), st.data())
def test_a_streamed_reply_equals_the_whole_one(calls: list[tuple[str, str]], data: st.DataObject) -> None:
    whole = [call(name, args, i, f"id{i}")["tool_calls"][0] for i, (name, args) in enumerate(calls)]
    starts = [call(name, "", i, f"id{i}") for i, (name, _) in enumerate(calls)]
    letters = [iter(args) for _, args in calls]
    order = data.draw(st.permutations([i for i, (_, args) in enumerate(calls) for _ in args]))
    pieces = [call(None, next(letters[i]), i) for i in order]
    assert streamed({"content": "Hi"}, *starts, *pieces) == decoded({"content": "Hi", "tool_calls": whole}).parts


def counted(usage: object) -> Usage:
    return decode(json.dumps({"choices": [{"message": {"content": "Hi"}}], "usage": usage}), "asked")[1]


def test_usage_counts_tokens_and_says_what_they_were() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1, "rejected_prediction_tokens": 0},
        "prompt_cache_hit_tokens": 4,
        "cost": 0.1,
        "is_byok": True,
    }
    details = {
        "cache_read_tokens": 4,
        "input_audio_tokens": 3,
        "reasoning_tokens": 2,
        "output_audio_tokens": 1,
        "prompt_cache_hit_tokens": 4,
    }
    assert counted(usage) == Usage(0, 10, 5, 15, details)


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        (None, Usage()),
        ({}, Usage()),
        ({"prompt_tokens": 3}, Usage(0, 3, None, 3)),
        ({"completion_tokens": 4, "prompt_tokens": None}, Usage(0, None, 4, 4)),
        ({"total_tokens": 9, "prompt_tokens_details": None}, Usage(0, None, None, 9)),
        ({"num_sources_used": 1}, Usage(details={"num_sources_used": 1})),
    ],
)
def test_usage_may_tell_little(wire: object, ours: Usage) -> None:
    assert counted(wire) == ours


def test_an_error_with_a_status_is_one() -> None:
    with pytest.raises(ModelHTTPError) as raised:
        decode(b'{"error": {"code": 429, "message": "slow down"}}', "asked")
    assert (raised.value.status_code, raised.value.body) == (429, {"error": {"code": 429, "message": "slow down"}})


@pytest.mark.parametrize("error", ['"no"', '{"code": 200}', '{"code": true}', '{"code": "x"}'])
def test_any_other_error_is_unexpected(error: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match="'asked' answered with an error"):
        decode(f'{{"error": {error}}}', "asked")


def test_a_malformed_reply_says_where() -> None:
    with pytest.raises(UnexpectedModelBehavior, match=r"malformed at choices\.0\.message\.content") as raised:
        decode('{"choices": [{"message": {"content": 7}}]}', "asked")
    assert '"content": 7' in (raised.value.body or "")
