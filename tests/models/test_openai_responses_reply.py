from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import (
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from agentgraph.models.openai_responses_reply import ResponsesReply, decode
from agentgraph.usage import Usage

JSON = dict[str, Any]  # Any: JSON

SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "x"}}


def message(*texts: str, **content: object) -> JSON:
    return {"type": "message", "content": [{"type": "output_text", "text": text, **content} for text in texts]}


def call(name: str, arguments: str | None = "{}", **ids: str) -> JSON:
    return {"type": "function_call", "name": name, "arguments": arguments, **ids}


def thought(item_id: str, *summary: str, sealed: str | None = None, content: str | None = None) -> JSON:
    item = {"type": "reasoning", "id": item_id, "summary": [{"type": "summary_text", "text": text} for text in summary]}
    raw = {"content": [{"type": "reasoning_text", "text": content}]} if content else {}
    return {**item, **raw, **({"encrypted_content": sealed} if sealed else {})}


def decoded(*items: JSON, **fields: object) -> ModelResponse:
    return decode(json.dumps({"id": "r1", "status": "completed", "output": items, **fields}), "asked", "openai")[0]


def event(kind: str, **fields: object) -> str:
    return json.dumps({"type": f"response.{kind}", **fields})


def streamed(*events: str) -> ResponsesReply:
    reply = ResponsesReply("asked", "openai")
    for each in events:
        reply.add(each)
    return reply


def test_a_reply_tells_who_made_it_and_when() -> None:
    reply = decoded(message("Hi"), model="gpt", created_at=1_700_000_000)
    made = datetime.fromtimestamp(1_700_000_000, UTC)
    assert reply == ModelResponse([TextPart("Hi")], "gpt", made, finish_reason="stop", provider_response_id="r1")


def test_a_reply_that_does_not_tell_was_made_by_the_model_asked() -> None:
    before = datetime.now(UTC)
    reply = decoded(message("Hi"), created_at=1e300)
    assert reply.model_name == "asked"
    assert before <= reply.timestamp <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("status", "reason", "ours"),
    [
        ("completed", None, "stop"),
        ("incomplete", "max_output_tokens", "length"),
        ("incomplete", "content_filter", "content_filter"),
        ("incomplete", None, None),
        ("cancelled", None, "error"),
        (None, None, None),
    ],
)
def test_finish_reasons_have_one_word_for_all_services(status: str, reason: str | None, ours: str | None) -> None:
    details = None if reason is None else {"reason": reason}
    assert decoded(message("Hi"), status=status, incomplete_details=details).finish_reason == ours


def test_a_reply_that_is_still_to_come_says_so() -> None:
    reply = decoded(status="queued")
    assert (reply.parts, reply.finish_reason, reply.provider_details) == ([], None, {"status": "queued"})


def test_each_message_is_a_part() -> None:
    assert decoded(message("a", "b"), message("c"), message("")).parts == [TextPart("ab"), TextPart("c")]


def test_what_a_text_is_meant_for_is_kept() -> None:
    reply = decoded({**message("a"), "phase": "commentary"}, {**message(""), "phase": "x"}, message("b"))
    assert reply.parts == [TextPart("a"), TextPart("b")]
    assert reply.provider_details == {"origin": "openai", "phases": ["commentary", None]}


def test_a_refusal_is_text_and_said_to_be_one() -> None:
    reply = decoded({"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]})
    assert (reply.parts, reply.finish_reason) == ([TextPart("I cannot.")], "content_filter")
    assert reply.provider_details == {"refusal": "I cannot."}
    assert streamed(event("refusal.delta", delta="No")).response().parts == [TextPart("No")]


def test_citations_and_probabilities_are_kept() -> None:
    reply = decoded(message("Hi", annotations=[{"url": "u"}], logprobs=[{"token": "Hi"}]))
    assert reply.provider_details == {"annotations": [{"url": "u"}], "logprobs": [{"token": "Hi"}]}


def test_calls_keep_their_arguments_as_they_came() -> None:
    reply = decoded(call("f", "{oops", call_id="a", id="fc_1"), call("g", None, id="fc_2"))
    assert reply.parts == [ToolCallPart("f", "{oops", "a"), ToolCallPart("g", "", "fc_2")]


def test_each_summary_of_a_thought_is_a_part() -> None:
    reply = decoded(thought("rs_1", "Hm", "Ah", sealed="s"), thought("rs_2", sealed="t"), thought("rs_3"))
    assert reply.parts == [ThinkingPart("Hm", "rs_1"), ThinkingPart("Ah", "rs_1", "s"), ThinkingPart("", "rs_2", "t")]
    assert reply.provider_details == {"origin": "openai"}


def test_a_thought_without_a_summary_is_shown_itself() -> None:
    reply = decoded(thought("rs_1", content="Hm"), thought("rs_2", "sum", content="all"))
    assert reply.parts == [ThinkingPart("Hm", "rs_1"), ThinkingPart("sum", "rs_2")]
    assert reply.provider_details == {"origin": "openai", "raw_thoughts": ["rs_1"]}


def test_what_the_service_did_itself_is_told() -> None:
    reply = decoded(message("a"), {**SEARCH, "status": ["done"]}, message("b"), {"no": "type"}, {"type": ["x"]})
    first, call, back, last = reply.parts
    assert (first, last) == (TextPart("a"), TextPart("b"))
    assert call == NativeToolCallPart("web_search", {"query": "x"}, "ws_1")
    assert isinstance(back, NativeToolReturnPart)
    assert (back.tool_name, back.content, back.tool_call_id) == ("web_search", {"status": ["done"]}, "ws_1")
    kept = [{"after": 4, "block": {"no": "type"}}, {"after": 4, "block": {"type": ["x"]}}]
    assert reply.provider_details == {"origin": "openai", "service_blocks": kept}


def test_a_call_of_the_service_is_told_when_it_begins() -> None:
    added = event("output_item.added", output_index=0, item={**SEARCH, "status": "in_progress", "action": None})
    done = event("output_item.done", output_index=0, item=SEARCH)
    assert streamed(added).response().parts == [NativeToolCallPart("web_search", {}, "ws_1")]
    assert streamed(added, done).response().parts == decoded(SEARCH).parts


def test_tools_of_the_service_have_one_word_each() -> None:
    parts = decoded(
        {**SEARCH, "action": {"query": "x", "sources": ["s"]}},
        {"type": "file_search_call", "id": "f", "queries": ["q"], "results": [1]},
        {"type": "code_interpreter_call", "id": "c", "container_id": "k", "code": "1", "outputs": None},
        {"type": "image_generation_call", "id": "i", "result": "eA=="},
        {"type": "mcp_list_tools", "id": "l", "server_label": "s", "tools": []},
        {"type": "mcp_call", "id": "m", "server_label": "s", "name": "n", "arguments": '{"a": 1}', "output": "o"},
        {"type": "mcp_call", "id": "n", "server_label": "s", "name": "n", "arguments": "{oops"},
        {"type": "tool_search_call", "id": "t", "execution": "server", "arguments": {"paths": ["p"]}},
        {"type": "tool_search_output", "id": "o", "execution": "server", "tools": []},
    ).parts
    server = {"action": "call_tool", "tool_name": "n"}
    assert [(part.tool_name, part.args) for part in parts if isinstance(part, NativeToolCallPart)] == [
        ("web_search", {"query": "x"}),
        ("file_search", {"queries": ["q"]}),
        ("code_execution", {"container_id": "k", "code": "1"}),
        ("image_generation", {}),
        ("mcp_server:s", {"action": "list_tools"}),
        ("mcp_server:s", {**server, "tool_args": {"a": 1}}),
        ("mcp_server:s", {**server, "tool_args": {}}),
        ("tool_search", {"paths": ["p"]}),
    ]
    backs = {part.tool_call_id: part.content for part in parts if isinstance(part, NativeToolReturnPart)}
    assert backs == {
        "ws_1": {"status": "completed", "sources": ["s"]},
        "f": {"results": [1]},
        "c": {},
        "i": {"result": "eA=="},
        "l": {"tools": []},
        "m": {"output": "o"},
        "n": {},
        "t": {"tools": []},
    }


def test_thinking_is_streamed_piece_by_piece() -> None:
    delta = "reasoning_summary_text.delta"
    reply = streamed(
        event("output_item.added", output_index=0, item=thought("rs_1", sealed="early")),
        event(delta, output_index=0, item_id="rs_1", summary_index=0, delta="H"),
        event(delta, output_index=0, item_id="rs_1", summary_index=0, delta="m"),
        event(delta, output_index=0, item_id="rs_1", summary_index=1, delta="Ah"),
        event("output_item.done", output_index=0, item=thought("rs_1", "Hm", "Ah", sealed="s")),
        event("reasoning_text.delta", output_index=1, item_id="rs_2", content_index=0, delta="ra"),
        event("reasoning_text.delta", output_index=1, item_id="rs_2", content_index=0, delta="w"),
    )
    sealed = [ThinkingPart("Hm", "rs_1"), ThinkingPart("Ah", "rs_1", "s"), ThinkingPart("raw", "rs_2")]
    assert reply.response().parts == sealed
    assert reply.response().provider_details == {"origin": "openai", "raw_thoughts": ["rs_2"]}


def pieces(index: int, item: JSON, cuts: int) -> list[str]:
    """The events of one item of a stream."""
    kind, field = (
        ("output_text", "") if item["type"] == "message" else ("function_call_arguments", item.get("arguments"))
    )
    text = field or item["content"][0]["text"]
    begun: JSON = {**item, "content": []} if item["type"] == "message" else {**item, "arguments": ""}
    deltas = [text[:cuts], text[cuts:]]
    return [
        event("output_item.added", output_index=index, item=begun),
        *(event(f"{kind}.delta", output_index=index, delta=delta) for delta in deltas),
        event(f"{kind}.done", output_index=index, text=text),
        event("output_item.done", output_index=index, item=item),
    ]


def called(name: str, arguments: str) -> JSON:
    return call(name, arguments, call_id=name)


items = st.one_of(
    st.text("ab", min_size=1).map(message), st.builds(called, st.sampled_from("fg"), st.text("{}", min_size=1))
)


@given(st.lists(items, min_size=1, max_size=4), st.integers(0, 3), st.booleans())
def test_a_streamed_reply_equals_the_whole_one(output: list[JSON], cut: int, told: bool) -> None:  # noqa: FBT001
    events = [each for index, item in enumerate(output) for each in pieces(index, item, cut)]
    # Some services tell of an item when it is done, and of none before.
    lacking = [each for each in events if '"response.output_item.done"' in each]
    reply = streamed(*(events if told else lacking))
    reply.add(event("completed", response={"id": "r1", "status": "completed", "output": output}))
    whole = decoded(*output)
    assert (reply.response().parts, reply.ended, reply.lacks) == (whole.parts, True, None)


def test_a_stream_of_nothing_but_its_end_has_the_reply_there() -> None:
    end = {"status": "completed", "output": [message("Hi")], "usage": {"input_tokens": 3}}
    reply = streamed(event("created", response={"id": "r1"}), event("completed", response=end))
    assert (reply.response().parts, reply.usage()) == ([TextPart("Hi")], Usage(0, 3, None, 3))


def test_what_is_unknown_is_not_looked_at() -> None:
    reply = streamed(event("new.delta", delta={"x": 1}, item=7), event("output_text.delta"), "[DONE]")
    parts: list[ModelResponsePart] = []
    assert (reply.response().parts, reply.lacks) == (parts, "holds no output")


def test_usage_counts_tokens_and_says_what_they_were() -> None:
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 15,
    }
    body = json.dumps({"output": [], "usage": usage})
    details = {"cache_read_tokens": 4, "cache_write_tokens": 2, "reasoning_tokens": 3}
    assert decode(body, "asked", "openai")[1] == Usage(0, 10, 5, 15, details)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow down"}, 429),
        ({"error": {"code": "server_error"}}, 500),
        ({"error": {"code": 503}}, 503),
    ],
)
def test_an_error_event_stands_for_a_status(fields: JSON, status: int) -> None:
    with pytest.raises(ModelHTTPError) as raised:
        streamed(json.dumps({"type": "error", **fields}))
    assert raised.value.status_code == status


@pytest.mark.parametrize("response", [{"status": "failed"}, {"status": "failed", "error": {"code": "invalid_prompt"}}])
def test_a_failed_reply_is_an_error(response: JSON) -> None:
    with pytest.raises(UnexpectedModelBehavior, match="answered with an error"):
        streamed(event("failed", response=response))
    with pytest.raises(UnexpectedModelBehavior, match="answered with an error"):
        decode(json.dumps({"output": [], **response}), "asked", "openai")


def test_what_is_no_reply_says_so() -> None:
    with pytest.raises(UnexpectedModelBehavior, match="holds no output"):
        decode("{}", "asked", "openai")
    with pytest.raises(UnexpectedModelBehavior, match=r"malformed at output\.0\.message\.content"):
        decoded({"type": "message", "content": "Hi"})
    with pytest.raises(UnexpectedModelBehavior, match="malformed at type"):
        streamed("{}")
    with pytest.raises(UnexpectedModelBehavior, match="malformed"):
        streamed("7")
