from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from agentgraph.model import ModelRequestParameters
from agentgraph.models.gemini_reply import GeminiReply, decode
from agentgraph.models.gemini_request import encode
from agentgraph.usage import Usage

JSON = dict[str, Any]  # Any: JSON


def chunk(*parts: JSON, finish: str | None = None, **fields: object) -> str:
    candidate: JSON = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **fields}
    return json.dumps({"candidates": [{**candidate, **({"finishReason": finish} if finish else {})}]})


def decoded(*parts: JSON, finish: str = "STOP", **fields: object) -> ModelResponse:
    return decode(chunk(*parts, finish=finish, **fields), "asked", "google-gla")[0]


def streamed(*chunks: str) -> ModelResponse:
    reply = GeminiReply("asked", "google-gla")
    for each in chunks:
        reply.add(each)
    assert reply.lacks is None
    return reply.response()


def sent_back(reply: ModelResponse, model_name: str = "gemini-3-pro-preview") -> list[JSON]:
    """The parts of a reply when it is sent to its own service again; its calls would need answers."""
    contents = encode(model_name, [reply], None, ModelRequestParameters(), "google-gla")["contents"]
    return [part for content in contents if content["role"] == "model" for part in content["parts"]]


def test_a_reply_tells_who_made_it_and_when() -> None:
    body = {
        **json.loads(chunk({"text": "Hi"}, finish="STOP")),
        "modelVersion": "gemini-x",
        "responseId": "r1",
        "createTime": "2026-02-17T04:28:29.578802Z",
    }
    reply, _ = decode(json.dumps(body), "asked", "google-gla")
    made = datetime(2026, 2, 17, 4, 28, 29, 578802, UTC)
    assert reply == ModelResponse([TextPart("Hi")], "gemini-x", made, finish_reason="stop", provider_response_id="r1")


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("OTHER", "error"),
        ("SOMETHING_NEW", None),
    ],
)
def test_finish_reasons_have_one_word_for_all_services(wire: str, ours: str | None) -> None:
    reply = decoded({"text": "Hi"}, finish=wire)
    assert reply.finish_reason == ours
    kept = (reply.provider_details or {}).get("finishReason")
    assert kept == (None if wire in {"STOP", "MAX_TOKENS"} else wire)


def test_a_refused_prompt_is_a_reply_without_parts() -> None:
    body = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}})
    reply, usage = decode(body, "asked", "google-gla")
    assert (reply.parts, reply.finish_reason) == ([], "content_filter")
    assert (reply.provider_details or {})["promptFeedback"] == {"blockReason": "SAFETY"}
    assert usage == Usage(0, 3, 0, 3)
    assert streamed(body).finish_reason == "content_filter"


def test_thoughts_texts_and_calls_are_parts() -> None:
    reply = decoded(
        {"text": "Hm", "thought": True},
        {"text": "Let me see. "},
        {"text": ""},
        {"text": "Now."},
        {"functionCall": {"name": "f", "args": {"x": 1}, "id": "a"}},
        {"functionCall": {"name": "g"}},
        {},
    )
    calls = [ToolCallPart("f", {"x": 1}, "a"), ToolCallPart("g", {})]
    assert reply.parts == [ThinkingPart("Hm"), TextPart("Let me see. Now."), *calls]
    assert reply.provider_details == {"origin": "google-gla"}


def test_what_a_candidate_tells_beside_its_content_is_kept() -> None:
    reply = decoded({"text": "Hi"}, groundingMetadata={"webSearchQueries": ["x"]}, safetyRatings=[], avgLogprobs=-0.5)
    assert reply.provider_details == {
        "origin": "google-gla",
        "groundingMetadata": {"webSearchQueries": ["x"]},
        "avgLogprobs": -0.5,
    }


def test_signatures_come_back_on_their_parts() -> None:
    parts: list[JSON] = [
        {"text": "Hm", "thought": True, "thoughtSignature": "s0"},
        {"text": "A", "thoughtSignature": "s1"},
        {"text": "B"},
        {"functionCall": {"name": "f", "args": {}, "id": "a"}, "thoughtSignature": "s2"},
        {"functionCall": {"name": "g", "args": {}, "id": "b"}},
    ]
    reply = decoded(*parts)
    assert reply.parts[0] == ThinkingPart("Hm", signature="s0")
    assert [part.content for part in reply.parts if isinstance(part, TextPart)] == ["A", "B"]
    assert sent_back(reply) == parts[:3]  # calls without answers are left out


def test_a_signature_that_comes_late_is_sent_back_late() -> None:
    late = {"text": "", "thoughtSignature": "s"}
    reply = streamed(chunk({"text": "A"}), chunk({"text": "B"}), chunk(late, finish="STOP"))
    assert reply.parts == [TextPart("AB")]
    assert sent_back(reply) == [{"text": "AB"}, late]


def test_tools_of_the_service_and_images_are_sent_back_where_they_were() -> None:
    code = {"executableCode": {"code": "1", "language": "PYTHON"}, "thoughtSignature": "s"}
    image = {"inlineData": {"mimeType": "image/png", "data": "eA=="}}
    reply = decoded({"text": "A"}, code, {"codeExecutionResult": {"output": "1"}}, {"text": "B"}, image)
    assert [part.part_kind for part in reply.parts] == ["text", "native-tool-call", "native-tool-return", "text"]
    assert sent_back(reply) == [{"text": "A"}, code, {"codeExecutionResult": {"output": "1"}}, {"text": "B"}, image]


def test_tools_of_the_service_are_told() -> None:
    search = {"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["x"]}}}
    found = {"toolResponse": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "response": {"a": 1}}}
    nothing = {"toolResponse": {"id": 3, "toolType": "GOOGLE_MAPS"}}
    call, back, empty = (reply := decoded(search, found, nothing)).parts
    assert isinstance(call, NativeToolCallPart)
    assert (call.tool_name, call.args, call.tool_call_id) == ("web_search", {"queries": ["x"]}, "t")
    assert isinstance(back, NativeToolReturnPart)
    assert isinstance(empty, NativeToolReturnPart)
    assert (back.tool_call_id, empty.tool_call_id) == ("t", None)
    assert (back.tool_name, back.content, empty.tool_name, empty.content) == (
        "web_search",
        {"a": 1},
        "google_maps",
        None,
    )
    assert sent_back(reply) == [search, found, nothing]


def test_searches_and_pages_are_told_after_the_text() -> None:
    web, file = {"uri": "u", "title": "t"}, {"text": "f"}
    grounding = {"webSearchQueries": ["x"], "groundingChunks": [{"web": web}, {"retrievedContext": file}]}
    pages = [{"retrievedUrl": "u"}]
    told = {"groundingMetadata": grounding, "urlContextMetadata": {"urlMetadata": pages}}
    reply = GeminiReply("asked", "google-gla")
    for fields in (told, {"finishReason": "STOP"}, {"finishReason": "STOP"}):
        reply.add(json.dumps({"candidates": [{"content": {"parts": [{"text": "A"}]}, **fields}]}))
    text, *parts = reply.response().parts
    assert text == TextPart("AA")
    calls = [(part.tool_name, part.args) for part in parts if isinstance(part, NativeToolCallPart)]
    backs = [(part.tool_name, part.content) for part in parts if isinstance(part, NativeToolReturnPart)]
    assert calls == [("web_search", {"queries": ["x"]}), ("file_search", {}), ("web_fetch", {"urls": ["u"]})]
    assert backs == [("web_search", [web]), ("file_search", [file]), ("web_fetch", pages)]


def test_another_service_gets_neither_thoughts_nor_signatures() -> None:
    reply = decoded({"text": "Hm", "thought": True}, {"text": "A", "thoughtSignature": "s"}, {"inlineData": {}})
    contents = encode("gemini-2.5-pro", [reply], None, ModelRequestParameters(), "google-vertex")["contents"]
    assert contents[1] == {"role": "model", "parts": [{"text": "A"}]}


def test_a_model_of_another_generation_gets_neither_thoughts_nor_signatures() -> None:
    call: JSON = {"functionCall": {"name": "f", "id": "c", "args": {}}, "thoughtSignature": "s"}
    thought = {"text": "Hm", "thought": True}
    reply = replace(decoded(thought, call), model_name="gemini-3.8-flash")

    def sent(model_name: str) -> list[JSON]:
        messages: list[ModelMessage] = [reply, ModelRequest([ToolReturnPart("f", 1, "c")])]
        contents = encode(model_name, messages, None, ModelRequestParameters(), "google-gla")["contents"]
        parts: list[JSON] = contents[1]["parts"]
        return parts

    assert sent("gemini-3.8-flash") == sent("gemini-flash-latest") == [thought, call]
    [other] = sent("gemini-4-argon")
    assert other["thoughtSignature"] not in {None, "s"}


PIECES: st.SearchStrategy[JSON] = st.one_of(
    st.fixed_dictionaries({"text": st.text("ab", max_size=3)}),
    st.fixed_dictionaries({"text": st.text("ab", min_size=1, max_size=3), "thought": st.just(value=True)}),
    st.fixed_dictionaries(
        {"text": st.text("ab", max_size=2), "thoughtSignature": st.text("xy", min_size=1, max_size=2)}
    ),
    st.fixed_dictionaries({"functionCall": st.fixed_dictionaries({"name": st.sampled_from("fg")})}),
    st.fixed_dictionaries({"inlineData": st.fixed_dictionaries({"data": st.text("xy", max_size=2)})}),
)


@given(st.lists(PIECES, max_size=8), st.data())
def test_a_streamed_reply_equals_the_whole_one(pieces: list[JSON], data: st.DataObject) -> None:
    chunks: list[str] = []
    left = pieces
    while left:
        size = data.draw(st.integers(1, len(left)))
        chunks.append(chunk(*left[:size]))
        left = left[size:]
    whole, parts = decoded(*pieces), streamed(*chunks, chunk(finish="STOP"))
    assert (parts.parts, parts.provider_details) == (whole.parts, whole.provider_details)


def counted(usage: JSON) -> Usage:
    return decode(json.dumps({**json.loads(chunk({"text": "Hi"})), "usageMetadata": usage}), "asked", "google-gla")[1]


def test_usage_counts_tokens_and_says_what_they_were() -> None:
    usage = {
        "promptTokenCount": 100,
        "toolUsePromptTokenCount": 20,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 3,
        "cachedContentTokenCount": 40,
        "totalTokenCount": 130,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 60}, {"modality": "AUDIO", "tokenCount": 40}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 5}, {}],
    }
    details = {
        "cache_read_tokens": 40,
        "reasoning_tokens": 3,
        "tool_use_prompt_tokens": 20,
        "input_audio_tokens": 40,
        "output_image_tokens": 5,
    }
    assert counted(usage) == Usage(0, 120, 10, 130, details)


@pytest.mark.parametrize(
    ("wire", "ours"),
    [
        ({}, Usage()),
        ({"promptTokenCount": 3}, Usage(0, 3, 0, 3)),
        ({"candidatesTokenCount": 3}, Usage(0, None, 3, 3)),
        ({"totalTokenCount": 9}, Usage(0, None, 0, 9)),
        ({"trafficType": "ON_DEMAND"}, Usage(0, None, 0, None)),
    ],
)
def test_usage_may_tell_little(wire: JSON, ours: Usage) -> None:
    assert counted(wire) == ours


def test_the_last_count_of_a_stream_holds() -> None:
    reply = GeminiReply("asked", "google-gla")
    for tokens in (1, 5):
        reply.add(json.dumps({"usageMetadata": {"promptTokenCount": tokens, "candidatesTokenCount": tokens}}))
    assert reply.usage() == Usage(0, 5, 5, 10)


def test_a_stream_that_ends_too_early_says_what_it_lacks() -> None:
    reply = GeminiReply("asked", "google-gla")
    assert reply.lacks == "holds no candidates"
    reply.add(chunk({"text": "A"}))
    assert reply.lacks == "is cut off"


def test_a_reply_without_candidates_is_none() -> None:
    with pytest.raises(UnexpectedModelBehavior, match="'asked' holds no candidates"):
        decode(b"{}", "asked", "google-gla")


def test_an_error_with_a_status_is_one() -> None:
    with pytest.raises(ModelHTTPError) as raised:
        decode('{"error": {"code": 503, "message": "overloaded"}}', "asked", "google-gla")
    assert raised.value.status_code == 503


def test_a_malformed_reply_says_where() -> None:
    with pytest.raises(UnexpectedModelBehavior, match=r"malformed at candidates\.0\.content\.parts\.0\.text") as raised:
        decoded({"text": 7})
    assert '"text": 7' in (raised.value.body or "")
