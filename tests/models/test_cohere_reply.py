from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import ModelResponse, TextPart, ThinkingPart, ToolCallPart
from agentgraph.models.cohere_reply import CohereReply, decode
from agentgraph.usage import Usage

JSON = dict[str, Any]  # Any: JSON


def decoded(message: JSON, **fields: object) -> tuple[ModelResponse, Usage]:
    return decode(
        json.dumps({"id": "r1", "message": message, "finish_reason": "COMPLETE", **fields}), "asked", "cohere"
    )


def event(kind: str, index: int | None = None, **message: object) -> str:
    return json.dumps({"type": kind, "index": index, "delta": {"message": message}})


def end(**delta: object) -> str:
    return json.dumps({"type": "message-end", "delta": {"finish_reason": "COMPLETE", **delta}})


def call(name: str | None, arguments: str, call_id: str | None = None) -> JSON:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def streamed(*events: str) -> CohereReply:
    reply = CohereReply("asked", "cohere")
    for each in events:
        reply.add(each)
    return reply


def test_a_reply_tells_its_id_and_why_it_ended() -> None:
    before = datetime.now(UTC)
    reply, usage = decoded({"content": [{"type": "text", "text": "Hi"}]})
    assert reply == ModelResponse(
        [TextPart("Hi")], "asked", reply.timestamp, finish_reason="stop", provider_response_id="r1"
    )
    assert before <= reply.timestamp <= datetime.now(UTC)
    assert usage == Usage()


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_call"),
        ("ERROR", "error"),
        ("TIMEOUT", "error"),
        ("SOMETHING_NEW", None),
    ],
)
def test_finish_reasons_have_one_word_for_all_services(wire: str, ours: str | None) -> None:
    assert decoded({"content": "Hi"}, finish_reason=wire)[0].finish_reason == ours


def test_thoughts_plans_citations_and_probabilities_are_kept() -> None:
    reply, _ = decoded(
        {
            "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}],
            "tool_calls": [call("f", "{}", "a"), {"id": "b"}],
            "tool_plan": "I will.",
            "citations": [{"text": "Hi"}],
        },
        logprobs=[{"text": "Hi"}],
    )
    assert reply.parts == [ThinkingPart("Hm"), TextPart("Hi"), ToolCallPart("f", "{}", "a")]
    assert reply.provider_details == {
        "origin": "cohere",
        "tool_plan": "I will.",
        "citations": [{"text": "Hi"}],
        "logprobs": [{"text": "Hi"}],
    }


def test_events_are_put_together() -> None:
    reply = streamed(
        json.dumps({"type": "message-start", "id": "r1", "delta": {"message": {"content": [], "tool_calls": []}}}),
        event("content-start", 0, content={"type": "thinking", "thinking": ""}),
        event("content-delta", 0, content={"thinking": "Hm"}),
        event("content-end", 0),
        event("content-start", 1, content={"type": "text", "text": ""}),
        event("content-delta", 1, content={"text": "Hi "}),
        event("content-delta", 1, content={"text": "there"}),
        event("tool-plan-delta", tool_plan="I "),
        event("tool-plan-delta", tool_plan="will."),
        event("tool-call-start", 0, tool_calls=call("f", "", "a")),
        event("tool-call-delta", 0, tool_calls={"function": {"arguments": '{"x":'}}),
        event("tool-call-delta", 0, tool_calls={"function": {"arguments": "1}"}}),
        event("tool-call-end", 0),
        event("citation-start", 0, citations={"text": "Hi"}),
        json.dumps({"type": "something-new", "delta": {"surprise": 1}}),
        end(finish_reason="TOOL_CALL", usage={"tokens": {"input_tokens": 3, "output_tokens": 4}}),
    )
    response = reply.response()
    assert response.parts == [ThinkingPart("Hm"), TextPart("Hi there"), ToolCallPart("f", '{"x":1}', "a")]
    assert (response.finish_reason, response.provider_response_id) == ("tool_call", "r1")
    assert response.provider_details == {"origin": "cohere", "tool_plan": "I will.", "citations": [{"text": "Hi"}]}
    assert reply.usage() == Usage(0, 3, 4, 7)
    assert (reply.ended, reply.lacks) == (True, None)


CALLS = st.lists(st.tuples(st.sampled_from(["f", "g"]), st.text("{}ab", max_size=6)), max_size=4)


@given(st.text("ab", max_size=5), CALLS, st.data())
def test_a_streamed_reply_equals_the_whole_one(text: str, calls: list[tuple[str, str]], data: st.DataObject) -> None:
    whole = [call(name, args, f"id{i}") for i, (name, args) in enumerate(calls)]
    starts = [event("tool-call-start", i, tool_calls=call(name, "", f"id{i}")) for i, (name, _) in enumerate(calls)]
    letters = [iter(args) for _, args in calls]
    order = data.draw(st.permutations([i for i, (_, args) in enumerate(calls) for _ in args]))
    pieces = [event("tool-call-delta", i, tool_calls={"function": {"arguments": next(letters[i])}}) for i in order]
    texts = [event("content-delta", 0, content={"text": letter}) for letter in text]
    parts = streamed(event("message-start"), *texts, *starts, *pieces, end()).response().parts
    assert parts == decoded({"content": [{"type": "text", "text": text}], "tool_calls": whole})[0].parts


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ({}, Usage()),
        ({"tokens": {"input_tokens": 5.0, "output_tokens": None}}, Usage(0, 5, None, 5)),
        (
            {"billed_units": {"input_tokens": 1, "output_tokens": 2}},
            Usage(0, 1, 2, 3, {"billed_input_tokens": 1, "billed_output_tokens": 2}),
        ),
        (
            {
                "tokens": {"input_tokens": 9, "output_tokens": 3},
                "billed_units": {"search_units": 1, "input_tokens": 0},
                "cached_tokens": 4,
            },
            Usage(0, 9, 3, 12, {"cache_read_tokens": 4, "billed_search_units": 1}),
        ),
    ],
)
def test_usage_counts_tokens_and_says_what_is_billed(wire: JSON, ours: Usage) -> None:
    assert decoded({"content": "Hi"}, usage=wire)[1] == ours


def test_a_stream_that_ends_too_early_says_what_it_lacks() -> None:
    assert streamed("[DONE]").lacks == "holds no message"
    begun = streamed(event("content-delta", 0, content={"text": "Hi"}))
    assert begun.lacks == "is cut off"
    begun.add("[DONE]")
    assert begun.lacks is None


def test_an_error_at_the_end_is_raised() -> None:
    with pytest.raises(UnexpectedModelBehavior, match="error instead of a reply") as raised:
        streamed(event("message-start"), end(finish_reason="ERROR", error="ran out of cards"))
    assert "ran out of cards" in (raised.value.body or "")


def test_a_reply_without_a_message_is_none() -> None:
    with pytest.raises(UnexpectedModelBehavior, match="'asked' holds no message"):
        decode(b"{}", "asked", "cohere")


def test_a_malformed_reply_says_where() -> None:
    with pytest.raises(UnexpectedModelBehavior, match=r"malformed at message\.tool_calls\.0\.id"):
        decoded({"tool_calls": [{"id": 7}]})
    with pytest.raises(UnexpectedModelBehavior, match=r"malformed at usage\.cached_tokens"):
        decode('{"message": {}, "usage": {"cached_tokens": 1e999}}', "asked", "cohere")
