from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.models.anthropic_request import encode
from agentgraph.models.anthropic_settings import AnthropicModelSettings, encode_headers
from agentgraph.settings import ModelSettings
from tests.models.histories import histories

JSON = dict[str, Any]  # Any: JSON

TOOL, TIME, FINAL = (
    ToolDefinition(name, "Tells it.", {"type": "object", "properties": {}})
    for name in ("weather", "time", "final_result")
)
MARK = {"cache_control": {"type": "ephemeral"}}


def body(
    *messages: ModelMessage,
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
    model_name: str = "claude-sonnet-4-5",
) -> JSON:
    return encode(model_name, messages, settings, parameters or ModelRequestParameters())


def said(*content: UserContent) -> list[JSON]:
    [message] = body(ModelRequest([UserPromptPart(list(content))]))["messages"]
    blocks: list[JSON] = message["content"]
    return blocks


def settled(settings: ModelSettings, model_name: str = "claude-sonnet-4-5") -> JSON:
    fields = body(settings=settings, model_name=model_name)
    return {name: value for name, value in fields.items() if name not in {"model", "messages", "stream"}}


def reply(*parts: Any, origin: str = "anthropic", **fields: Any) -> ModelResponse:  # Any: parts and fields of a reply
    return ModelResponse(list(parts), "claude-sonnet-4-5", provider_details={"origin": origin}, **fields)


def sent_back(response: ModelResponse) -> list[JSON]:
    messages = body(response, ModelRequest([UserPromptPart("Go on")]))["messages"]
    blocks: list[JSON] = messages[0]["content"]
    return blocks if messages[0]["role"] == "assistant" else []


def test_answers_come_first_in_the_turn_after_the_calls() -> None:
    messages = body(
        ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("Weather?")]),
        ModelResponse([ToolCallPart("weather", {"x": 1}, "a"), ToolCallPart("time", "", "b")]),
        ModelRequest([UserPromptPart("And?"), ToolReturnPart("weather", {"c": 4}, "a")]),
        ModelRequest([RetryPromptPart("no", tool_name="time", tool_call_id="b"), SystemPromptPart("Be kind.")]),
    )
    assert messages["system"] == [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]
    calls, answers = messages["messages"][1]["content"], messages["messages"][2]["content"]
    assert [call["input"] for call in calls] == [{"x": 1}, {}]
    assert [(each["type"], each.get("tool_use_id"), each.get("is_error")) for each in answers] == [
        ("tool_result", "a", False),
        ("tool_result", "b", True),
        ("text", None, None),
    ]
    assert answers[0]["content"] == [{"type": "text", "text": '{"c":4}'}]


def test_a_retry_of_a_text_is_said_by_the_user() -> None:
    messages = body(ModelResponse([TextPart("12")]), ModelRequest([RetryPromptPart("too short")]))["messages"]
    assert messages[1]["role"] == "user"
    assert messages[1]["content"][0]["text"].startswith("too short")


def test_what_is_blank_is_not_sent() -> None:
    messages = body(ModelRequest([UserPromptPart(["", " "])]), reply(TextPart(" ")))["messages"]
    assert messages == []


def test_ids_of_other_services_are_made_to_fit() -> None:
    messages = body(
        ModelResponse([ToolCallPart("f", "{}", "functions.f:0")]),
        ModelRequest([ToolReturnPart("f", 1, "functions.f:0")]),
    )["messages"]
    sent = messages[0]["content"][0]["id"]
    assert re.fullmatch("[A-Za-z0-9_-]+", sent)
    assert messages[1]["content"][0]["tool_use_id"] == sent


def test_arguments_that_are_no_json_are_sent_as_an_object() -> None:
    call = ModelResponse([ToolCallPart("f", "{oops", "a")])
    messages = body(call, ModelRequest([RetryPromptPart("no", tool_name="f", tool_call_id="a")]))["messages"]
    assert messages[0]["content"][0]["input"] == {"unreadable_json": "{oops"}


def test_own_thoughts_go_back_with_their_seal() -> None:
    parts = (ThinkingPart("hm", signature="s"), ThinkingPart("", "redacted_thinking", "x"), TextPart("4"))
    assert sent_back(reply(*parts)) == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "4"},
    ]


def test_thoughts_of_others_and_those_cut_off_stay_behind() -> None:
    assert sent_back(reply(ThinkingPart("hm", signature="s"), TextPart("4"), origin="google-gla")) == [
        {"type": "text", "text": "4"}
    ]
    assert sent_back(reply(ThinkingPart("hm"))) == []
    assert sent_back(reply(ThinkingPart("", "redacted_content", "x"), origin="bedrock")) == []


def test_what_the_service_ran_goes_back_to_its_place() -> None:
    use, found = {"type": "server_tool_use", "id": "s"}, {"type": "web_search_tool_result", "tool_use_id": "s"}
    kept = [{"after": 1, "block": use}, {"after": 1, "block": found}, {"after": 9, "block": {"type": "x"}}]
    details = {"origin": "anthropic", "service_blocks": kept}
    parts = [TextPart("Wait."), TextPart("Rain.")]
    own = ModelResponse([*parts], provider_details=details)
    assert [block["type"] for block in sent_back(own)] == [
        "text",
        "server_tool_use",
        "web_search_tool_result",
        "text",
        "x",
    ]
    for other in (
        ModelResponse([*parts], provider_details={**details, "origin": "other"}),
        ModelResponse([*parts], provider_details=details, state="interrupted"),
    ):
        assert [block["type"] for block in sent_back(other)] == ["text", "text"]


def test_images_and_documents_are_sent_as_bytes_or_as_addresses() -> None:
    png = {"type": "base64", "media_type": "image/png", "data": "eA=="}
    assert said(BinaryContent(b"x", "image/png")) == [{"type": "image", "source": png}]
    assert said(BinaryContent(b"x", "image/jpg"))[0]["source"]["media_type"] == "image/jpeg"
    assert said(BinaryContent(b"x", "application/pdf"))[0]["type"] == "document"
    assert said(BinaryContent(b"a,b", "text/csv; charset=utf-8"))[0]["source"] == {
        "type": "text",
        "media_type": "text/plain",
        "data": "a,b",
    }
    assert said(ImageUrl("https://e.com/x.png"))[0]["source"] == {"type": "url", "url": "https://e.com/x.png"}
    for url in ("https://e.com/x.pdf", "https://e.com/pdf/1706.03762"):
        assert said(DocumentUrl(url)) == [{"type": "document", "source": {"type": "url", "url": url}}]


@pytest.mark.parametrize(
    "content",
    [
        AudioUrl("https://e.com/a.mp3"),
        VideoUrl("https://e.com/a.mp4"),
        DocumentUrl("https://e.com/a.docx"),
        BinaryContent(b"x", "video/mp4"),
        BinaryContent(b"x", "image/tiff"),
        BinaryContent(b"x", "application/msword"),
    ],
)
def test_what_the_protocol_cannot_take_is_the_callers_mistake(content: UserContent) -> None:
    with pytest.raises(UserError, match="Anthropic"):
        said(content)


def test_all_settings_are_mapped_or_dropped() -> None:
    settings = ModelSettings(
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
        seed=1,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logit_bias={"50256": -100},
        stop_sequences=["END"],
        parallel_tool_calls=False,
        timeout=3,
        extra_headers={"x-y": "z"},
        tool_choice="required",
    )
    assert settled(settings) == {"max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "stop_sequences": ["END"]}


def test_prefixed_settings_lose_their_prefix() -> None:
    settings = AnthropicModelSettings(
        anthropic_metadata={"user_id": "u"},
        anthropic_top_k=3,
        anthropic_service_tier="auto",
        anthropic_effort="max",
        anthropic_container="c1",
    )
    fields = {"metadata": {"user_id": "u"}, "top_k": 3, "service_tier": "auto", "container": "c1"}
    assert settled(settings) == {"max_tokens": 32_000, "output_config": {"effort": "max"}, **fields}


def test_thinking_takes_no_sampling_and_fits_into_the_bound() -> None:
    thinks = settled(ModelSettings(thinking="low", temperature=0, top_p=0.5))
    assert thinks == {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 32_000}
    assert settled(ModelSettings(thinking=50_000))["max_tokens"] == 82_000
    own = AnthropicModelSettings(thinking="low", anthropic_thinking={"type": "disabled"}, temperature=0)
    assert settled(own) == {"thinking": {"type": "disabled"}, "max_tokens": 32_000, "temperature": 0}
    assert settled(ModelSettings(temperature=0), "claude-opus-5") == {"max_tokens": 32_000}


def test_extra_body_wins_and_has_to_be_a_mapping() -> None:
    assert settled(ModelSettings(extra_body={"max_tokens": 2})) == {"max_tokens": 2}
    with pytest.raises(UserError, match="extra_body"):
        settled(ModelSettings(extra_body=[1]))


def test_headers_name_the_version_and_what_is_switched_on() -> None:
    version = {"anthropic-version": "2026-10-21"}
    plain = body(ModelRequest([UserPromptPart("Hello")]))
    assert encode_headers({}, plain) == version
    settings = AnthropicModelSettings(anthropic_betas=["a", "b"], extra_headers={"X-y": "z", "Anthropic-Beta": "c"})
    assert encode_headers(settings, plain) == {**version, "anthropic-beta": "a,b,c", "x-y": "z"}


def test_thoughts_that_no_longer_fit_are_dropped_by_the_newest_models() -> None:
    thought = ThinkingPart("hm", signature="seal")
    own = ModelResponse([thought, TextPart("So")], "claude-opus-5-5", provider_details={"origin": "anthropic"})
    drop = {"prefix_mismatch_behavior": "drop_block"}
    fields = body(own, model_name="claude-opus-5-5", settings=ModelSettings(thinking="low"))
    assert fields["thinking"] == {"type": "adaptive", "block_binding": drop}
    beta = {"anthropic-beta": "thinking-binding-controls-2026-08-01"}
    assert beta.items() <= encode_headers(AnthropicModelSettings(), fields).items()
    assert body(own, model_name="claude-opus-5-5")["thinking"] == {"type": "adaptive", "block_binding": drop}
    off = AnthropicModelSettings(anthropic_thinking={"type": "disabled"})
    assert body(own, model_name="claude-haiku-5-5", settings=off)["thinking"] == {"type": "disabled"}
    for other in ("claude-opus-5", "claude-sonnet-4-5"):
        assert "thinking" not in body(own, model_name=other)
    assert "thinking" not in body(ModelResponse([TextPart("So")]), model_name="claude-opus-5-5")


def test_what_the_newest_version_refuses_is_asked_of_the_one_before() -> None:
    older = {"anthropic-version": "2023-06-01"}
    for field in ("temperature", "top_p", "top_k"):
        assert encode_headers({}, {"model": "claude-sonnet-4-5", field: 1}) == older
    assert encode_headers({}, {"model": "minimax-m2"}) == older


def offered(settings: ModelSettings | None = None, *, text: bool = True) -> tuple[object, list[str]]:
    parameters = ModelRequestParameters([TOOL, TIME], allow_text_result=text, result_tools=[FINAL])
    fields = body(settings=settings, parameters=parameters)
    return fields["tool_choice"], [tool["name"] for tool in fields["tools"]]


ALL = ["weather", "time", "final_result"]


def test_a_tool_has_to_be_called_where_text_is_no_result() -> None:
    assert offered() == ({"type": "auto"}, ALL)
    assert offered(text=False) == ({"type": "any"}, ALL)
    assert offered({"tool_choice": "none"}) == ({"type": "none"}, ALL)
    assert offered({"tool_choice": ["time"]}) == ({"type": "tool", "name": "time"}, ALL)
    assert offered({"tool_choice": ["time", "weather"]}) == ({"type": "any"}, ["weather", "time"])
    assert offered({"thinking": "low"}, text=False) == ({"type": "auto"}, ALL)


def test_calls_can_be_kept_from_coming_side_by_side() -> None:
    one = ModelSettings(parallel_tool_calls=False)
    assert offered(one) == ({"type": "auto", "disable_parallel_tool_use": True}, ALL)
    assert offered({**one, "tool_choice": "none"}) == ({"type": "none"}, ALL)


def test_tools_of_the_service_stand_beside_ours() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    settings = AnthropicModelSettings(anthropic_service_tools=[search])
    assert body(settings=settings)["tools"] == [search]
    assert "tool_choice" not in body(settings=settings)
    assert offered(settings)[1] == ["web_search", *ALL]


def test_places_to_cache_are_marked() -> None:
    settings = AnthropicModelSettings(
        anthropic_cache_tools=True, anthropic_cache_system="1h", anthropic_cache_messages=True
    )
    fields = body(
        ModelRequest([SystemPromptPart("Be brief."), UserPromptPart(["a", "b"])]),
        settings=settings,
        parameters=ModelRequestParameters([TOOL, TIME]),
    )
    assert [MARK.items() <= tool.items() for tool in fields["tools"]] == [False, True]
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert fields["system"] == [{"type": "text", "text": "Be brief.", **hour}]
    assert [block.get("cache_control") for block in fields["messages"][0]["content"]] == [None, MARK["cache_control"]]


def test_a_reply_at_the_end_is_not_marked() -> None:
    settings = AnthropicModelSettings(anthropic_cache_messages=True)
    messages = body(ModelResponse([TextPart("So")]), settings=settings)["messages"]
    assert messages == [{"role": "assistant", "content": [{"type": "text", "text": "So"}]}]


@given(histories())
def test_any_history_is_a_conversation_that_the_service_takes(history: list[ModelMessage]) -> None:
    messages = body(*history)["messages"]
    roles = [message["role"] for message in messages]
    assert all(role != other for role, other in pairwise(roles))
    calls: list[str] = []
    for message in messages:
        assert message["content"]
        kinds = [block["type"] for block in message["content"]]
        assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")
        answered = [block["tool_use_id"] for block in message["content"] if block["type"] == "tool_result"]
        assert sorted(answered) == sorted(calls)
        calls = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        assert all(block["text"].strip() for block in message["content"] if block["type"] == "text")
    assert calls == []
