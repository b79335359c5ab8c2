from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

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
from agentgraph.models.bedrock_request import encode
from agentgraph.models.bedrock_settings import BedrockModelSettings
from agentgraph.settings import ModelSettings
from tests.models.histories import histories

JSON = dict[str, Any]  # Any: JSON

CLAUDE, NOVA, LLAMA = "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "us.amazon.nova-2-lite-v1:0", "meta.llama4"
TOOL, TIME, FINAL = (
    ToolDefinition(name, description, {"type": "object", "properties": {}})
    for name, description in (("weather", "Tells it."), ("time", ""), ("final_result", "Ends it."))
)
CALLED: list[ModelMessage] = [
    ModelRequest([UserPromptPart("Weather?")]),
    ModelResponse([TextPart("Wait."), ToolCallPart("weather", "{}", "a")]),
    ModelRequest([UserPromptPart("And?"), ToolReturnPart("weather", "rain", "a")]),
]


def body(
    *messages: ModelMessage,
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
    model_name: str = CLAUDE,
) -> JSON:
    return encode(model_name, messages, settings, parameters or ModelRequestParameters())


def said(*content: UserContent) -> list[JSON]:
    [message] = body(ModelRequest([UserPromptPart(list(content))]))["messages"]
    blocks: list[JSON] = message["content"]
    return blocks


def settled(settings: ModelSettings, model_name: str = CLAUDE) -> JSON:
    fields = body(settings=settings, model_name=model_name)
    return {name: value for name, value in fields.items() if name != "messages"}


def test_answers_come_first_in_the_turn_after_the_calls() -> None:
    retry = RetryPromptPart("no", tool_name="time", tool_call_id="functions.time:0")
    messages = body(
        ModelResponse([ToolCallPart("weather", {"x": 1}, "a"), ToolCallPart("time", "", "functions.time:0")]),
        ModelRequest([UserPromptPart("And?"), ToolReturnPart("weather", "", "a"), retry]),
        parameters=ModelRequestParameters([TOOL]),
    )["messages"]
    calls, answers = messages[0]["content"], messages[1]["content"]
    assert [call["toolUse"]["input"] for call in calls] == [{"x": 1}, {}]
    assert [next(iter(block)) for block in answers] == ["toolResult", "toolResult", "text"]
    results = [block["toolResult"] for block in answers[:2]]
    assert [result["status"] for result in results] == ["success", "error"]
    assert [result["toolUseId"] for result in results] == [call["toolUse"]["toolUseId"] for call in calls]
    assert results[0]["content"] == []


def test_where_no_tool_is_offered_results_are_said_by_the_user() -> None:
    for fields in (
        body(*CALLED),
        body(*CALLED, settings={"tool_choice": "none"}, parameters=ModelRequestParameters([TOOL])),
    ):
        assert "toolConfig" not in fields
        assert fields["messages"] == [
            {"role": "user", "content": [{"text": "Weather?"}]},
            {"role": "assistant", "content": [{"text": "Wait."}]},
            {"role": "user", "content": [{"text": "And?"}, {"text": "The tool 'weather' returned: rain"}]},
        ]


def test_a_retry_of_a_text_is_said_by_the_user() -> None:
    messages = body(ModelResponse([TextPart("12")]), ModelRequest([RetryPromptPart("too short")]))["messages"]
    assert messages[1]["content"][0]["text"].startswith("too short")


def sent_back(*parts: Any, origin: str = "bedrock", details: JSON | None = None) -> list[JSON]:  # Any: parts of a reply
    reply = ModelResponse(list(parts), CLAUDE, provider_details={"origin": origin, **(details or {})})
    messages = body(reply, ModelRequest([UserPromptPart("Go on")]))["messages"]
    blocks: list[JSON] = messages[0]["content"]
    return blocks if messages[0]["role"] == "assistant" else []


def test_own_thoughts_go_back_with_their_seal() -> None:
    hidden = {"reasoningContent": {"redactedContent": "eA=="}}
    sealed = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}
    parts = (ThinkingPart("hm", signature="s"), ThinkingPart("", "redacted_content", "eA=="), TextPart("4"))
    assert sent_back(*parts) == [sealed, hidden, {"text": "4"}]
    assert sent_back(*parts[:1], origin="anthropic") == [sealed]


def test_other_thoughts_stay_behind() -> None:
    assert sent_back(ThinkingPart("hm", signature="s"), origin="google-gla") == []
    assert sent_back(ThinkingPart("hm"), TextPart(" ")) == []
    assert sent_back(ThinkingPart("", "redacted_thinking", "x"), origin="anthropic") == []


def test_what_the_service_ran_goes_back_to_its_place() -> None:
    run: JSON = {"toolUse": {"toolUseId": "s", "name": "x", "input": {}, "type": "server_tool_use"}}
    details: JSON = {"service_blocks": [{"after": 0, "block": run}]}
    assert sent_back(TextPart("Two."), details=details) == [run, {"text": "Two."}]


def test_media_are_sent_as_bytes() -> None:
    source = {"bytes": "eA=="}
    assert said(BinaryContent(b"x", "image/jpg")) == [{"image": {"format": "jpeg", "source": source}}]
    assert said(BinaryContent(b"x", "video/mp4; codecs=x")) == [{"video": {"format": "mp4", "source": source}}]
    assert said(BinaryContent(b"x", "audio/flac")) == [{"audio": {"format": "flac", "source": source}}]
    documents = said(BinaryContent(b"x", "text/csv"), "", BinaryContent(b"x", "application/pdf"))
    assert documents == [
        {"document": {"name": "Document 1", "format": "csv", "source": source}},
        {"document": {"name": "Document 2", "format": "pdf", "source": source}},
    ]


def test_media_may_lie_in_a_bucket() -> None:
    assert said(ImageUrl("s3://b/x.png")) == [
        {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/x.png"}}}}
    ]
    assert said(AudioUrl("s3://b/x.mp3"))[0]["audio"]["format"] == "mp3"
    assert said(VideoUrl("s3://b/x.3gp"))[0]["video"]["format"] == "three_gp"
    assert said(DocumentUrl("s3://b/x.pdf"))[0]["document"]["format"] == "pdf"


@pytest.mark.parametrize(
    "content",
    [
        AudioUrl("https://e.com/a.mp3"),
        DocumentUrl("https://e.com/a.docx"),
        ImageUrl("s3://b/x"),
        VideoUrl("s3://b/x"),
        BinaryContent(b"x", "image/tiff"),
        BinaryContent(b"x", "application/zip"),
    ],
)
def test_what_the_protocol_cannot_take_is_the_callers_mistake(content: UserContent) -> None:
    with pytest.raises(UserError, match="Bedrock"):
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
        extra_body={"modelField": 1},
    )
    inference = {"maxTokens": 5, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]}
    assert settled(settings) == {"inferenceConfig": inference, "modelField": 1}
    assert settled({}) == {}


def test_prefixed_settings_are_fields_of_the_service() -> None:
    settings = BedrockModelSettings(
        bedrock_guardrail_config={"guardrailIdentifier": "g"},
        bedrock_service_tier="flex",
        bedrock_additional_model_requests_fields={"top_k": 3},
        bedrock_additional_model_response_fields_paths=["/stop_sequence"],
        bedrock_request_metadata={"team": "blue"},
    )
    assert settled(settings) == {
        "guardrailConfig": {"guardrailIdentifier": "g"},
        "serviceTier": {"type": "flex"},
        "additionalModelRequestFields": {"top_k": 3},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "requestMetadata": {"team": "blue"},
    }


def test_each_model_is_asked_to_think_in_its_own_words() -> None:
    asked = ModelSettings(thinking="high", temperature=0, max_tokens=40_000)
    budget = {"thinking": {"type": "enabled", "budget_tokens": 24_576}}
    assert settled(asked) == {"inferenceConfig": {"maxTokens": 40_000}, "additionalModelRequestFields": budget}
    effort = {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}
    assert settled(asked, NOVA) == {"additionalModelRequestFields": effort}
    low = settled({**asked, "thinking": "low"}, NOVA)
    assert low["inferenceConfig"] == {"maxTokens": 40_000, "temperature": 0}
    assert settled(asked, "openai.gpt-oss-120b")["additionalModelRequestFields"] == {"reasoning_effort": "high"}
    assert "additionalModelRequestFields" not in settled(asked, LLAMA)


def offered(
    settings: ModelSettings | None = None, *, text: bool = True, model_name: str = CLAUDE
) -> tuple[object, list[str]]:
    parameters = ModelRequestParameters([TOOL, TIME], allow_text_result=text, result_tools=[FINAL])
    fields = body(settings=settings, parameters=parameters, model_name=model_name)["toolConfig"]
    return fields.get("toolChoice"), [tool["toolSpec"]["name"] for tool in fields["tools"]]


ALL = ["weather", "time", "final_result"]


def test_a_tool_has_to_be_called_where_text_is_no_result() -> None:
    assert offered() == (None, ALL)
    assert offered(text=False) == ({"any": {}}, ALL)
    assert offered({"tool_choice": ["time"]}) == ({"tool": {"name": "time"}}, ALL)
    assert offered({"tool_choice": ["time", "weather"]}) == ({"any": {}}, ["weather", "time"])
    assert offered({"tool_choice": ["time"]}, model_name="mistral.mistral-large") == ({"any": {}}, ["time"])
    assert offered({"tool_choice": ["time"]}, model_name=LLAMA) == (None, ["time"])
    assert offered({"thinking": "low"}, text=False) == (None, ALL)


def test_a_tool_may_have_no_description() -> None:
    parameters = ModelRequestParameters([TOOL, TIME])
    tools = body(parameters=parameters)["toolConfig"]["tools"]
    assert ["description" in tool["toolSpec"] for tool in tools] == [True, False]


def test_tools_of_the_service_stand_beside_ours() -> None:
    settings = BedrockModelSettings(bedrock_service_tools=["nova_code_interpreter"])
    tools = [{"systemTool": {"name": "nova_code_interpreter"}}]
    assert body(settings=settings, model_name=NOVA)["toolConfig"] == {"tools": tools}


def test_places_to_cache_are_marked() -> None:
    settings = BedrockModelSettings(bedrock_cache_tools=True, bedrock_cache_system="1h", bedrock_cache_messages=True)
    fields = body(
        ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("a")]),
        settings=settings,
        parameters=ModelRequestParameters([TOOL]),
    )
    point = {"cachePoint": {"type": "default"}}
    assert fields["toolConfig"]["tools"][-1] == point
    assert fields["system"] == [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    assert fields["messages"][0]["content"] == [{"text": "a"}, point]
    assert body(ModelResponse([TextPart("So")]), settings=settings)["messages"][0]["content"] == [{"text": "So"}]


@given(history=histories(), tools=st.booleans())
def test_any_history_is_a_conversation_that_the_service_takes(history: list[ModelMessage], *, tools: bool) -> None:
    messages = body(*history, parameters=ModelRequestParameters([TOOL] if tools else []))["messages"]
    assert all(one["role"] != other["role"] for one, other in pairwise(messages))
    calls: list[str] = []
    for message in messages:
        kinds = [next(iter(block)) for block in message["content"]]
        assert kinds == sorted(kinds, key=lambda kind: kind != "toolResult")
        assert tools or not {"toolUse", "toolResult"} & set(kinds)
        answered = [block["toolResult"]["toolUseId"] for block in message["content"] if "toolResult" in block]
        assert sorted(answered) == sorted(calls)
        calls = [block["toolUse"]["toolUseId"] for block in message["content"] if "toolUse" in block]
        assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", call) for call in calls)
        assert all(block["text"].strip() for block in message["content"] if "text" in block)
    assert calls == []
