from __future__ import annotations

from typing import Any

import pytest

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
from agentgraph.model import ModelRequestParameters
from agentgraph.models.gemini_request import STAND_IN, encode
from agentgraph.models.gemini_settings import GeminiModelSettings
from agentgraph.settings import ModelSettings
from tests.models.conversation import tool, tools

JSON = dict[str, Any]  # Any: JSON
GEMINI_2, GEMINI_3 = "gemini-2.5-flash", "gemini-3-pro-preview"


def body(
    *messages: ModelMessage,
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
    model_name: str = GEMINI_2,
    system: str = "google-gla",
) -> JSON:
    return encode(model_name, messages, settings, parameters or ModelRequestParameters(), system)


def said(item: UserContent, model_name: str = GEMINI_2, system: str = "google-gla") -> JSON:
    request = ModelRequest([UserPromptPart([item])])
    [content] = body(request, model_name=model_name, system=system)["contents"]
    [part] = content["parts"]
    found: JSON = part
    return found


def settled(settings: ModelSettings, model_name: str = GEMINI_2) -> JSON:
    fields = body(settings=settings, model_name=model_name)
    return {name: value for name, value in fields.items() if name != "contents"}


def generated(settings: ModelSettings, model_name: str = GEMINI_2) -> JSON:
    found: JSON = settled(settings, model_name).get("generationConfig", {})
    return found


def called(*calls: ToolCallPart, details: JSON | None = None) -> list[ModelMessage]:
    """A reply with calls, and their answers."""
    answers = [ToolReturnPart(call.tool_name, 1, call.tool_call_id) for call in calls]
    return [ModelResponse([*calls], provider_details=details), ModelRequest([*answers])]


def test_answers_stand_alone_before_what_else_is_said() -> None:
    contents = body(
        ModelRequest([SystemPromptPart("Be brief."), UserPromptPart("Weather?")]),
        ModelResponse([ToolCallPart("weather", '{"city": "Oslo"}')]),
        ModelRequest([UserPromptPart("And?"), ToolReturnPart("weather", "4 degrees")]),
        ModelRequest([SystemPromptPart("Now in French."), UserPromptPart(["Well?"])]),
    )["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user", "user"]
    call_id = contents[1]["parts"][0]["functionCall"]["id"]
    answer = {"id": call_id, "name": "weather", "response": {"return_value": "4 degrees"}}
    assert contents[2]["parts"] == [{"functionResponse": answer}]
    assert contents[3]["parts"] == [{"text": "And?"}, {"text": "Well?"}]


def test_system_prompts_stand_apart() -> None:
    fields = body(ModelRequest([SystemPromptPart("A"), UserPromptPart("Hi")]), ModelRequest([SystemPromptPart("B")]))
    assert fields["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "B"}]}


@pytest.mark.parametrize("messages", [[], [ModelRequest([SystemPromptPart("A")])]])
def test_the_user_speaks_first_even_without_a_word(messages: list[ModelMessage]) -> None:
    contents = body(*messages, ModelResponse([TextPart("Hi")]), ModelResponse([TextPart("")]))["contents"]
    assert contents == [
        {"role": "user", "parts": [{"text": ""}]},
        {"role": "model", "parts": [{"text": "Hi"}]},
    ]
    assert body(*messages)["contents"] == contents[:1]


def test_a_retry_of_a_call_is_an_error_and_one_of_a_text_is_said() -> None:
    contents = body(
        ModelResponse([ToolCallPart("f", {}, "a")]),
        ModelRequest([RetryPromptPart("no", tool_name="f", tool_call_id="a"), RetryPromptPart("too short")]),
    )["contents"]
    assert contents[2]["parts"][0]["functionResponse"]["response"]["error"].startswith("no")
    assert contents[3]["parts"][0]["text"].startswith("too short")


def test_arguments_that_are_no_object_are_still_sent() -> None:
    contents = body(*called(ToolCallPart("f", "{oops", "a")))["contents"]
    assert contents[1]["parts"][0]["functionCall"]["args"] == {"unreadable_json": "{oops"}


def test_a_call_of_another_model_gets_a_stand_in_where_signatures_are_demanded() -> None:
    messages = called(ToolCallPart("f", {}, "a"), ToolCallPart("g", {}, "b"))
    first, second = body(*messages, model_name=GEMINI_3)["contents"][1]["parts"]
    assert (first["thoughtSignature"], "thoughtSignature" in second) == (STAND_IN, False)
    assert "thoughtSignature" in body(*messages, model_name="gemini-flash-latest")["contents"][1]["parts"][0]
    assert "thoughtSignature" not in body(*messages)["contents"][1]["parts"][0]


def test_signatures_stay_with_their_parts_when_calls_are_left_out() -> None:
    details = {"origin": "google-gla", "signatures": {"0": "s0", "2": "s2"}}
    reply = ModelResponse(
        [TextPart("Hm"), ToolCallPart("f", {}, "a"), ToolCallPart("g", {}, "b")], provider_details=details
    )
    contents = body(reply, ModelRequest([ToolReturnPart("g", 1, "b")]), model_name=GEMINI_3)["contents"]
    call: JSON = {"functionCall": {"id": "b", "name": "g", "args": {}}, "thoughtSignature": "s2"}
    assert contents[1]["parts"] == [{"text": "Hm", "thoughtSignature": "s0"}, call]


def test_thoughts_go_back_to_where_they_came_from() -> None:
    thought = ThinkingPart("Hm", signature="s")
    own = ModelResponse([thought, TextPart("Hi")], provider_details={"origin": "google-gla"})
    other = ModelResponse([thought, TextPart("Hi")], provider_details={"origin": "anthropic"})
    contents = body(own, ModelRequest([UserPromptPart("?")]), other)["contents"]
    assert contents[1]["parts"][0] == {"text": "Hm", "thought": True, "thoughtSignature": "s"}
    assert contents[3]["parts"] == [{"text": "Hi"}]


@pytest.mark.parametrize("media_type", ["image/png", "audio/wav", "application/pdf", "video/mp4", "text/csv"])
def test_media_of_all_kinds_are_sent_as_bytes(media_type: str) -> None:
    assert said(BinaryContent(b"x", media_type)) == {"inlineData": {"mimeType": media_type, "data": "eA=="}}


def test_the_service_fetches_images_and_documents() -> None:
    file = {"mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf"}
    assert said(DocumentUrl("https://example.com/a.pdf")) == {"fileData": file}
    assert said(ImageUrl("https://example.com/a.png"))["fileData"]["mimeType"] == "image/png"


@pytest.mark.parametrize(
    ("item", "model_name"),
    [
        (AudioUrl("https://example.com/a.mp3"), GEMINI_3),
        (VideoUrl("https://example.com/a.mp4"), GEMINI_3),
        (ImageUrl("https://example.com/a.png"), "gemini-2.0-flash"),
        (DocumentUrl("https://example.com/a"), GEMINI_3),
    ],
)
def test_what_it_cannot_fetch_is_the_callers_mistake(item: UserContent, model_name: str) -> None:
    with pytest.raises(UserError, match=r"https://example\.com/a"):
        said(item, model_name=model_name)


def test_vertex_fetches_all_kinds() -> None:
    file = said(AudioUrl("https://example.com/a.mp3"), system="google-vertex", model_name="gemini-2.0-flash")
    assert file == {"fileData": {"mimeType": "audio/mpeg", "fileUri": "https://example.com/a.mp3"}}


@pytest.mark.parametrize(
    "url", ["https://generativelanguage.googleapis.com/v1beta/files/x", "https://www.youtube.com/watch?v=x"]
)
def test_files_of_google_need_no_type(url: str) -> None:
    assert said(DocumentUrl(url), model_name="gemini-2.0-flash") == {"fileData": {"fileUri": url}}


def test_tools_are_declared() -> None:
    fields = body(parameters=ModelRequestParameters([tool("f", x={"type": "string", "minLength": 1})]))
    [declared] = fields["tools"][0]["functionDeclarations"]
    assert (declared["name"], declared["description"]) == ("f", "The tool f.")
    assert declared["parametersJsonSchema"]["properties"] == {"x": {"type": "string", "description": "(minLength: 1)"}}
    assert "toolConfig" not in fields


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("required", {"mode": "ANY"}),
        ("none", {"mode": "NONE"}),
        (["f"], {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_the_choice_of_tools_is_sent(choice: Any, config: JSON) -> None:  # Any: each form of the setting
    fields = body(settings={"tool_choice": choice}, parameters=tools("f", "g"))
    assert fields["toolConfig"] == {"functionCallingConfig": config}


def test_a_result_that_is_no_text_demands_a_call() -> None:
    parameters = ModelRequestParameters([], allow_text_result=False, result_tools=[tool("final")])
    assert body(parameters=parameters)["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}


def test_tools_of_the_service_stand_beside_ours() -> None:
    settings = GeminiModelSettings(gemini_builtin_tools=[{"googleSearch": {}}])
    assert body(settings=settings)["tools"] == [{"googleSearch": {}}]
    search, own = body(settings=settings, parameters=tools("f"))["tools"]
    assert (search, list(own)) == ({"googleSearch": {}}, ["functionDeclarations"])


@pytest.mark.parametrize(
    ("model_name", "system", "told"),
    [(GEMINI_3, "google-gla", True), (GEMINI_2, "google-gla", False), (GEMINI_3, "google-vertex", False)],
)
def test_both_kinds_of_tools_at_once_are_announced_where_that_is_demanded(
    model_name: str, system: str, *, told: bool
) -> None:
    settings = GeminiModelSettings(gemini_builtin_tools=[{"googleSearch": {}}])
    fields = body(settings=settings, parameters=tools("f"), model_name=model_name, system=system)
    assert fields.get("toolConfig") == ({"includeServerSideToolInvocations": True} if told else None)


def test_all_settings_are_mapped_or_dropped() -> None:
    settings = GeminiModelSettings(
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
        seed=1,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logit_bias={"1": 1},
        stop_sequences=["END"],
        parallel_tool_calls=False,
        timeout=3,
        extra_headers={"x-y": "z"},
        gemini_response_modalities=["TEXT", "IMAGE"],
        gemini_media_resolution="MEDIA_RESOLUTION_LOW",
        gemini_safety_settings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        gemini_labels={"team": "blue"},
    )
    assert settled(settings) == {
        "generationConfig": {
            "maxOutputTokens": 5,
            "temperature": 0.5,
            "topP": 0.9,
            "seed": 1,
            "presencePenalty": 0.1,
            "frequencyPenalty": 0.2,
            "stopSequences": ["END"],
            "responseModalities": ["TEXT", "IMAGE"],
            "mediaResolution": "MEDIA_RESOLUTION_LOW",
        },
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "labels": {"team": "blue"},
    }


def test_cached_content_brings_its_own_tools_and_prompts() -> None:
    fields = body(
        ModelRequest([SystemPromptPart("A"), UserPromptPart("Hi")]),
        settings=GeminiModelSettings(gemini_cached_content="cachedContents/x"),
        parameters=tools("f"),
    )
    assert sorted(fields) == ["cachedContent", "contents"]


@pytest.mark.parametrize(
    ("model_name", "asked", "config"),
    [
        (GEMINI_2, "low", {"includeThoughts": True, "thinkingBudget": 2048}),
        (GEMINI_2, "high", {"includeThoughts": True, "thinkingBudget": 24576}),
        (GEMINI_2, 0, {"includeThoughts": False, "thinkingBudget": 0}),
        (GEMINI_3, "low", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        (GEMINI_3, "medium", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        (GEMINI_3, 100, {"includeThoughts": True, "thinkingBudget": 100}),
        ("gemini-3-flash-preview", "medium", {"includeThoughts": True, "thinkingLevel": "MEDIUM"}),
        ("gemini-flash-latest", "medium", {"includeThoughts": True, "thinkingBudget": 8192}),
        ("gemini-2.0-flash", "high", None),
        ("gemma-3-27b-it", "high", None),
    ],
)
def test_thinking_is_asked_for_as_the_model_takes_it(model_name: str, asked: Any, config: JSON | None) -> None:
    # Any: an effort or a number
    assert generated(ModelSettings(thinking=asked), model_name).get("thinkingConfig") == config


def test_newer_models_take_neither_penalties_nor_budgets() -> None:
    settings = ModelSettings(presence_penalty=1, frequency_penalty=1, thinking=20_000)
    thinking = {"includeThoughts": True, "thinkingLevel": "HIGH"}
    assert generated(settings, "gemini-4-argon") == {"thinkingConfig": thinking}
    budget = {"includeThoughts": True, "thinkingBudget": 20_000}
    older = {"presencePenalty": 1, "frequencyPenalty": 1, "thinkingConfig": budget}
    assert generated(settings, "gemini-3.8-flash") == older


def test_the_services_own_thinking_fields_win() -> None:
    settings = GeminiModelSettings(thinking="low", gemini_thinking_config={"thinkingBudget": 7})
    assert generated(settings)["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 7}


def test_extra_body_wins_and_leaves_the_other_settings() -> None:
    settings = ModelSettings(seed=1, max_tokens=5, extra_body={"generationConfig": {"seed": 2, "topK": 3}, "x": 1})
    assert settled(settings) == {"generationConfig": {"seed": 2, "maxOutputTokens": 5, "topK": 3}, "x": 1}
    assert settled(ModelSettings(extra_body={"generationConfig": {"topK": 3}})) == {"generationConfig": {"topK": 3}}
    assert settled(ModelSettings(seed=1, extra_body={"generationConfig": None})) == {"generationConfig": None}
    with pytest.raises(UserError, match="extra_body"):
        settled(ModelSettings(extra_body=[1]))
