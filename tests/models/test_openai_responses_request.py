from __future__ import annotations

from typing import Any

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from agentgraph.model import ModelRequestParameters
from agentgraph.models.openai_responses import OpenAIResponsesModelSettings
from agentgraph.models.openai_responses_request import ResponsesDialect, encode
from agentgraph.models.openai_settings import profile_of
from agentgraph.providers.services import SERVICES
from agentgraph.settings import ModelSettings
from tests.models.conversation import tools

JSON = dict[str, Any]  # Any: JSON

THOUGHT = ThinkingPart("Hm", "rs_1", "seal")
SEALED = {"type": "reasoning", "id": "rs_1", "encrypted_content": "seal"}


def body(
    *messages: ModelMessage,
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
    model_name: str = "gpt-5-mini",
    service: str = "openai",
) -> JSON:
    dialect = ResponsesDialect(service, profile_of(SERVICES[service].chat, model_name))
    return encode(model_name, messages, settings, parameters or ModelRequestParameters(), dialect)


def settled(settings: ModelSettings, model_name: str = "gpt-5-mini") -> JSON:
    fields = body(settings=settings, model_name=model_name)
    return {name: value for name, value in fields.items() if name not in {"model", "input", "stream"}}


def replied(*parts: ModelResponsePart, **details: object) -> list[JSON]:
    reply = ModelResponse(list(parts), provider_details={"origin": "openai", **details})
    items: list[JSON] = body(reply)["input"]
    return items


def test_a_conversation_is_a_list_of_items() -> None:
    call = ModelResponse([TextPart("Wait"), ToolCallPart("f", {"x": 1}, "a"), ToolCallPart("g", "", "b"), TextPart("")])
    answers: list[ModelRequestPart] = [RetryPromptPart("no", "g", "b"), ToolReturnPart("f", {"y": 2}, "a")]
    items = body(call, ModelRequest([UserPromptPart("And?"), RetryPromptPart("too short"), *answers]))["input"]
    assert items[:3] == [
        {"role": "assistant", "content": "Wait"},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x":1}'},
        {"type": "function_call", "call_id": "b", "name": "g", "arguments": "{}"},
    ]
    assert [(item["type"], item["call_id"]) for item in items[3:5]] == [
        ("function_call_output", "b"),
        ("function_call_output", "a"),
    ]
    assert [item["role"] for item in items[5:]] == ["user", "user"]


@pytest.mark.parametrize(
    ("content", "block"),
    [
        (DocumentUrl("https://h/a.pdf"), {"type": "input_file", "file_url": "https://h/a.pdf"}),
        (
            BinaryContent(b"a,b", "text/csv"),
            {"type": "input_text", "text": '<document media_type="text/csv">\na,b\n</document>'},
        ),
        (
            BinaryContent(b"x", "application/pdf"),
            {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,eA=="},
        ),
    ],
)
def test_documents_are_sent_by_address_or_whole(content: UserContent, block: JSON) -> None:
    assert body(ModelRequest([UserPromptPart([content])]))["input"][0]["content"] == [block]


@pytest.mark.parametrize(
    "content", [AudioUrl("https://h/a.mp3"), VideoUrl("https://h/a.mp4"), BinaryContent(b"x", "video/mp4")]
)
def test_what_the_protocol_cannot_take_is_the_callers_mistake(content: UserContent) -> None:
    with pytest.raises(UserError, match="OpenAI's Responses take"):
        body(ModelRequest([UserPromptPart([content])]))


def test_a_thought_goes_back_in_one_item() -> None:
    items = replied(ThinkingPart("Hm", "rs_1"), ThinkingPart("Ah", "rs_1", "seal"), TextPart("4"))
    summary = [{"type": "summary_text", "text": "Hm"}, {"type": "summary_text", "text": "Ah"}]
    assert items == [{**SEALED, "summary": summary}, {"role": "assistant", "content": "4"}]


def test_a_thought_that_is_no_summary_goes_back_as_it_was() -> None:
    thought, _ = replied(ThinkingPart("Hm", "rs_1"), TextPart("4"), raw_thoughts=["rs_1"])
    content = [{"type": "reasoning_text", "text": "Hm"}]
    assert thought == {"type": "reasoning", "id": "rs_1", "summary": [], "content": content}


@pytest.mark.parametrize("thought", [ThinkingPart("Hm", "rs_1"), ThinkingPart("Hm", None, "seal")])
def test_a_thought_that_the_service_cannot_know_again_is_left_out(thought: ThinkingPart) -> None:
    assert replied(thought, TextPart("4")) == [{"role": "assistant", "content": "4"}]


def test_a_thought_that_led_to_nothing_is_left_out() -> None:
    assert replied(THOUGHT, ToolCallPart("f", "{}", "a")) == []
    assert replied(TextPart("4"), THOUGHT) == [{"role": "assistant", "content": "4"}]


def test_the_service_is_reminded_what_a_text_was_meant_for() -> None:
    texts = [TextPart("a"), TextPart("b")]
    assert [item.get("phase") for item in replied(*texts, phases=["commentary", None])] == ["commentary", None]
    assert [item.get("phase") for item in replied(*texts, phases=["commentary"])] == [None, None]


def test_thoughts_of_other_services_are_left_out() -> None:
    reply = ModelResponse([THOUGHT, TextPart("4")], provider_details={"origin": "azure"})
    assert body(reply)["input"] == [{"role": "assistant", "content": "4"}]
    assert len(body(reply, service="openai")["input"]) == 1


def test_what_the_service_did_itself_goes_back_to_its_place() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    items = replied(THOUGHT, TextPart("4"), service_blocks=[{"after": 1, "block": search}])
    assert [item.get("type") for item in items] == ["reasoning", "web_search_call", None]
    assert items[1] == search


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
        thinking="low",
        extra_body={"background": True},
    )
    sampled = {"max_output_tokens": 5, "temperature": 0.5, "top_p": 0.9, "background": True}
    assert settled(settings, "gpt-4o") == sampled
    assert settled(settings) == {
        "max_output_tokens": 5,
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
        "background": True,
    }


def test_prefixed_settings_go_to_their_places() -> None:
    settings = OpenAIResponsesModelSettings(
        thinking="low",
        openai_reasoning_effort="high",
        openai_reasoning_summary="auto",
        openai_verbosity="low",
        openai_store=False,
        openai_truncation="auto",
        openai_include=["file_search_call.results", "reasoning.encrypted_content"],
        openai_logprobs=True,
        openai_top_logprobs=2,
    )
    fields = {"text": {"verbosity": "low"}, "store": False, "truncation": "auto"}
    reasoning = {"effort": "high", "summary": "auto"}
    include = ["reasoning.encrypted_content", "file_search_call.results"]
    assert settled(settings) == {**fields, "reasoning": reasoning, "include": include}
    include = ["message.output_text.logprobs", "file_search_call.results", "reasoning.encrypted_content"]
    fields |= {"top_logprobs": 2, "include": include}
    assert settled(settings, "gpt-4o") == {**fields, "reasoning": reasoning}


def test_models_that_think_if_asked_take_sampling_if_not() -> None:
    settings = OpenAIResponsesModelSettings(temperature=0, openai_top_logprobs=1)
    asked = settled(settings, "gpt-5.4")
    assert (asked["temperature"], asked["top_logprobs"], len(asked["include"])) == (0, 1, 2)
    settings["thinking"] = "low"
    thinking = settled(settings, "gpt-5.4")
    assert thinking == {"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]}


def choice(tool_choice: Any, service: str = "openai") -> tuple[Any, list[str]]:  # Any: any choice
    fields = body(settings=ModelSettings(tool_choice=tool_choice), parameters=tools("f", "g"), service=service)
    return fields["tool_choice"], [tool["name"] for tool in fields["tools"]]


def test_one_of_the_named_tools_has_to_be_called() -> None:
    f, g = ({"type": "function", "name": name} for name in ("f", "g"))
    assert choice("required") == ("required", ["f", "g"])
    assert choice(["g"]) == (g, ["f", "g"])
    assert choice(["g", "f"]) == ({"type": "allowed_tools", "mode": "required", "tools": [g, f]}, ["f", "g"])
    assert choice(["g", "f"], "openrouter") == ("required", ["f", "g"])
    assert choice(["g"], "zai") == ("auto", ["g"])


def test_a_choice_that_a_service_does_not_know_is_left_out() -> None:
    choices: list[tuple[Any, list[str]]] = [("auto", ["f", "g"]), (["g"], ["g"]), ("none", [])]  # Any: any choice
    for asked, names in choices:
        settings = ModelSettings(tool_choice=asked, thinking="high")
        fields = body(settings=settings, parameters=tools("f", "g"), service="perplexity")
        assert [tool["name"] for tool in fields.get("tools", [])] == names
        assert not {"tool_choice", "reasoning", "include"} & fields.keys()


def test_tools_of_the_service_stand_beside_ours() -> None:
    settings = OpenAIResponsesModelSettings(openai_builtin_tools=[{"type": "web_search"}], parallel_tool_calls=False)
    assert body(settings=settings)["tools"] == [{"type": "web_search"}]
    fields = body(settings=settings, parameters=tools("f"))
    assert [tool["type"] for tool in fields["tools"]] == ["function", "web_search"]
    assert (fields["tool_choice"], fields["parallel_tool_calls"]) == ("auto", False)
