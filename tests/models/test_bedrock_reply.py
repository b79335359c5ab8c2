from __future__ import annotations

import base64
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
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from agentgraph.models.bedrock_reply import ConverseReply, decode
from agentgraph.usage import Usage
from tests.models.bedrock_service import call, converse, streamed, thought

JSON = dict[str, Any]  # Any: JSON

RUN = call("nova_code_interpreter", {"snippet": "1+1"}, "s1", type="server_tool_use")
RESULT: JSON = {
    "toolResult": {"toolUseId": "s1", "status": "success", "content": [{"json": {"stdOut": "2"}}, {"text": "x"}]}
}
SECRET = base64.b64encode(b"thought").decode()
HIDDEN: JSON = {"reasoningContent": {"redactedContent": SECRET}}


def decoded(*blocks: JSON, **fields: object) -> ModelResponse:
    return decode(json.dumps(converse(*blocks, **fields)), "asked")[0]


def put_together(events: list[JSON]) -> ConverseReply:
    reply = ConverseReply("asked")
    for event in events:
        reply.add(json.dumps(event))
    return reply


def said(text: str) -> JSON:
    return {"text": text}


def delta(**piece: object) -> JSON:
    return {"contentBlockDelta": {"contentBlockIndex": 0, "delta": piece}}


def test_a_reply_was_made_by_the_model_asked() -> None:
    before = datetime.now(UTC)
    reply = decoded({"text": "Hi"})
    assert (reply.parts, reply.finish_reason, reply.model_name) == ([TextPart("Hi")], "stop", "asked")
    assert before <= reply.timestamp <= datetime.now(UTC)
    assert reply.provider_details is None


@pytest.mark.parametrize(
    ("wire", "ours", "told"),
    [
        ("stop_sequence", "stop", False),
        ("max_tokens", "length", False),
        ("tool_use", "tool_call", False),
        ("guardrail_intervened", "content_filter", True),
        ("malformed_tool_use", "error", True),
        ("new_reason", None, False),
        (None, None, False),
    ],
)
def test_finish_reasons_have_one_word_for_all_services(wire: str | None, ours: str | None, *, told: bool) -> None:
    reply = decoded({"text": "Hi"}, stopReason=wire)
    assert reply.finish_reason == ours
    assert reply.provider_details == ({"origin": "bedrock", "stop_reason": wire} if told else None)


def test_blocks_become_parts() -> None:
    reply = decoded(thought("hm"), {"text": "Let me see."}, call("f", {"x": 1}))
    calls = ToolCallPart("f", {"x": 1}, "tooluse_1")
    assert reply.parts == [ThinkingPart("hm", signature="seal"), TextPart("Let me see."), calls]
    assert reply.provider_details == {"origin": "bedrock"}
    assert decoded({"reasoningContent": {"reasoningText": {"text": "hm"}}}).provider_details is None


def test_thoughts_may_be_hidden_and_come_in_pieces() -> None:
    parts = [ThinkingPart("", "redacted_content", SECRET)]
    assert decoded(HIDDEN).parts == parts
    pieces = [base64.b64encode(piece).decode() for piece in (b"tho", b"ught")]
    reply = put_together([delta(reasoningContent={"redactedContent": piece}) for piece in pieces])
    assert reply.response().parts == parts


def test_what_the_service_ran_itself_is_told_and_not_called() -> None:
    blocks: list[JSON] = [{"text": "Wait."}, RUN, RESULT, {"text": "Two."}]
    for reply in (decoded(*blocks), put_together(streamed(converse(*blocks))).response()):
        wait, run, result, two = reply.parts
        assert (wait, two) == (TextPart("Wait."), TextPart("Two."))
        assert isinstance(run, NativeToolCallPart)
        assert (run.tool_name, run.args, run.tool_call_id) == ("code_execution", {"snippet": "1+1"}, "s1")
        assert isinstance(result, NativeToolReturnPart)
        assert (result.tool_name, result.tool_call_id) == ("code_execution", "s1")
        assert result.content == [{"json": {"stdOut": "2"}}, {"text": "x"}]
        assert reply.provider_details == {"origin": "bedrock"}


def test_a_result_of_the_service_that_is_one_object_is_told_as_that() -> None:
    one: JSON = {"toolResult": {"toolUseId": "s2", "type": "nova_grounding_result", "content": [{"json": {"a": 1}}]}}
    none: JSON = {"toolResult": {"toolUseId": "s3", "type": "x"}}
    parts = decoded(one, none).parts
    assert [(part.tool_name, part.content) for part in parts if isinstance(part, NativeToolReturnPart)] == [
        ("web_search", {"a": 1}),
        ("x", None),
    ]


def test_arguments_that_the_service_took_have_to_be_json() -> None:
    begun = {"toolUse": {"toolUseId": "s", "name": "x", "type": "server_tool_use"}}
    start = {"contentBlockStart": {"contentBlockIndex": 0, "start": begun}}
    with pytest.raises(UnexpectedModelBehavior, match="no JSON"):
        put_together([start, delta(toolUse={"input": "{oops"}), {"contentBlockStop": {"contentBlockIndex": 0}}])


def test_sources_are_kept() -> None:
    cited = {"citationsContent": {"content": [{"text": "Rain."}], "citations": [{"title": "t"}]}}
    reply = decoded(cited)
    assert reply.parts == [TextPart("Rain.")]
    assert reply.provider_details == {"origin": "bedrock", "citations": [{"title": "t"}]}
    pieces = put_together([delta(text="Rain."), delta(citation={"title": "t"})]).response()
    assert (pieces.parts, pieces.provider_details) == (reply.parts, reply.provider_details)
    assert decoded({"citationsContent": {"content": [{"text": "Rain."}]}}).parts == reply.parts


def test_what_else_was_told_is_kept() -> None:
    fields: JSON = {"additionalModelResponseFields": {"stop_sequence": "END"}, "trace": {"guardrail": {}}}
    kept: JSON = {"origin": "bedrock", "additional_fields": {"stop_sequence": "END"}, "trace": {"guardrail": {}}}
    assert decoded({"text": "Hi"}, **fields).provider_details == kept
    assert put_together(streamed(converse({"text": "Hi"}, **fields))).response().provider_details == kept


def test_unknown_events_and_pieces_are_ignored() -> None:
    odd: list[JSON] = [{"newEvent": 7}, {"contentBlockStop": {"contentBlockIndex": 9}}, delta(newPiece={"x": 1})]
    events = streamed(converse({"text": "Hi"}))
    reply = put_together([*events[:1], *odd, *events[1:]]).response()
    assert (reply.parts, reply.provider_details) == ([TextPart("Hi")], None)


def test_unknown_blocks_are_kept() -> None:
    kept = [{"after": 0, "block": {"newBlock": {"x": 1}}}, {"after": 0, "block": {"other": "y"}}]
    assert decoded({"newBlock": {"x": 1}}, {"other": "y"}).provider_details == {
        "origin": "bedrock",
        "service_blocks": kept,
    }


@pytest.mark.parametrize(
    "event", ["7", '{"contentBlockDelta": {}}', '{"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": 7}}}']
)
def test_what_is_no_event_is_an_error(event: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match="'asked' is malformed"):
        ConverseReply("asked").add(event)


@pytest.mark.parametrize("hidden", ["x", 7])
def test_a_hidden_thought_has_to_be_bytes(hidden: object) -> None:
    with pytest.raises(UnexpectedModelBehavior, match="'asked' is malformed"):
        decoded({"reasoningContent": {"redactedContent": hidden}})


@pytest.mark.parametrize("body", ["{}", "[]", '{"output": {}}', '{"output": {"message": {}}}'])
def test_what_is_no_reply_is_an_error(body: str) -> None:
    with pytest.raises(UnexpectedModelBehavior) as raised:
        decode(body, "asked")
    assert raised.value.body is not None


def test_an_exception_inside_a_stream_has_the_status_of_its_type() -> None:
    event = {"exception": {"type": "throttlingException", "body": {"message": "slow down"}}}
    with pytest.raises(ModelHTTPError, match="slow down") as raised:
        put_together([event])
    assert raised.value.status_code == 429
    with pytest.raises(UnexpectedModelBehavior, match="answered with an error"):
        put_together([{"exception": {"type": "newException"}}])


def test_a_stream_has_to_begin_and_to_end() -> None:
    events = streamed(converse({"text": "Hi"}))
    assert ConverseReply("asked").lacks == "holds no message"
    assert put_together(events[:-2]).lacks == "is cut off"
    assert put_together(events[:-1]).lacks is None
    assert not put_together(events[:-1]).ended
    assert put_together(events).ended


words = st.text('ab {"}é', max_size=9)
blocks: st.SearchStrategy[JSON] = st.one_of(
    words.map(said),
    st.builds(thought, words, st.text("xy", min_size=1, max_size=3)),
    st.builds(call, st.just("f"), st.dictionaries(st.sampled_from("xy"), words), st.sampled_from(["a", "b"])),
    st.sampled_from([RUN, RESULT, HIDDEN]),
)


@given(st.lists(blocks, max_size=5), st.integers(1, 5))
def test_a_streamed_reply_equals_the_whole_one(content: list[JSON], size: int) -> None:
    whole = converse(*content)
    reply, usage = decode(json.dumps(whole), "asked")
    put = put_together(streamed(whole, size))
    assert put.usage() == usage
    assert _comparable(put.response()) == _comparable(reply)


def _comparable(reply: ModelResponse) -> list[object]:
    calls = [part.args_as_dict() if isinstance(part, ToolCallPart) else part for part in reply.parts]
    return [*calls, reply.provider_details, reply.finish_reason]


def counted(usage: object) -> Usage:
    return decode(json.dumps(converse({"text": "Hi"}, usage=usage)), "asked")[1]


def test_usage_includes_what_was_cached() -> None:
    usage = {
        "inputTokens": 3,
        "cacheReadInputTokens": 10,
        "cacheWriteInputTokens": 20,
        "cacheDetails": [{"inputTokens": 5, "ttl": "1h"}, {"inputTokens": 15, "ttl": "5m"}],
        "outputTokens": 7,
        "totalTokens": 40,
        "serverToolUsage": {"calls": 2, "name": "x"},
    }
    details = {"cache_read_tokens": 10, "cache_write_tokens": 20, "cache_write_1h_tokens": 5, "calls": 2}
    assert counted(usage) == Usage(0, 33, 7, 40, details)


def test_usage_may_tell_little() -> None:
    assert counted(None) == Usage()
    assert counted({"inputTokens": 3, "cacheDetails": None}) == Usage(0, 3, 0, 3)


def test_pieces_of_another_form_are_kept_as_they_are() -> None:
    start = {"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolResult": 3}}}
    stop = {"contentBlockStop": {"contentBlockIndex": 0}}
    begun = {"messageStart": {"role": "assistant"}}
    result = put_together([begun, start, delta(toolResult=[{"text": "2"}]), delta(toolResult=[{"text": "3"}]), stop])
    [part] = result.response().parts
    assert isinstance(part, NativeToolReturnPart)
    assert part.content == [{"text": "2"}, {"text": "3"}]
    start["contentBlockStart"]["start"] = {"citations": 1}
    [call_part] = put_together([begun, start, delta(toolUse={"input": '{"a": 1}'}), stop]).response().parts
    assert isinstance(call_part, NativeToolCallPart)
    assert call_part.args == {"a": 1}
