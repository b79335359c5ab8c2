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
from agentgraph.models.cohere_request import encode
from agentgraph.models.cohere_settings import CohereModelSettings
from agentgraph.settings import ModelSettings
from tests.models.conversation import tools

JSON = dict[str, Any]  # Any: JSON
THINKS = "command-a-reasoning-08-2025"


def body(
    *messages: ModelMessage,
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
    model_name: str = "command-a-03-2025",
) -> JSON:
    return encode(model_name, messages, settings, parameters or ModelRequestParameters(), "cohere")


def settled(settings: ModelSettings, model_name: str = "command-a-03-2025") -> JSON:
    fields = body(settings=settings, model_name=model_name)
    return {name: value for name, value in fields.items() if name not in {"model", "messages", "stream"}}


def test_answers_come_right_after_their_calls() -> None:
    messages = body(
        ModelResponse([TextPart("Wait"), ToolCallPart("f", {"x": 1}, "a"), TextPart("")]),
        ModelRequest([UserPromptPart("And?"), SystemPromptPart("Be brief."), ToolReturnPart("f", {"c": 4}, "a")]),
    )["messages"]
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
    assert messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": [{"type": "text", "text": "Wait"}], "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": '{"c":4}'},
        {"role": "user", "content": "And?"},
    ]


def test_retries_answer_calls_or_are_said() -> None:
    messages = body(
        ModelResponse([ToolCallPart("f", "", "a")]),
        ModelRequest([RetryPromptPart("too short"), RetryPromptPart("no x", tool_name="f", tool_call_id="a")]),
    )["messages"]
    assert [(message["role"], message.get("content", "")[:4]) for message in messages[1:]] == [
        ("tool", "no x"),
        ("user", "too "),
    ]


@pytest.mark.parametrize("origin", ["cohere", "other"])
def test_thoughts_and_plans_go_back_to_where_they_came_from(origin: str) -> None:
    details = {"origin": origin, "tool_plan": "I will call f."}
    reply = ModelResponse([ThinkingPart("Hm"), ThinkingPart(""), ToolCallPart("f", {}, "a")], provider_details=details)
    message = body(reply, ModelRequest([ToolReturnPart("f", 1, "a")]))["messages"][0]
    own = {"content": [{"type": "thinking", "thinking": "Hm"}], "tool_plan": "I will call f."}
    assert {key: message[key] for key in message if key not in {"role", "tool_calls"}} == (
        own if origin == "cohere" else {}
    )


def test_an_empty_reply_is_not_sent() -> None:
    assert body(ModelResponse([TextPart(""), ThinkingPart("Hm")]))["messages"] == []


def said(*content: UserContent) -> Any:  # Any: JSON
    return body(ModelRequest([UserPromptPart(list(content))]))["messages"][0]["content"]


def test_images_and_documents_that_are_text_are_sent() -> None:
    text, image, document = said("See", BinaryContent(b"x", "image/png"), BinaryContent(b"a,b", "text/csv"))
    assert text == {"type": "text", "text": "See"}
    assert image == {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}
    assert document == {"type": "text", "text": '<document media_type="text/csv">\na,b\n</document>'}


@pytest.mark.parametrize(
    "content",
    [
        AudioUrl("https://example.com/a.mp3"),
        VideoUrl("https://example.com/a.mp4"),
        DocumentUrl("https://example.com/a.pdf"),
        BinaryContent(b"x", "video/mp4"),
        BinaryContent(b"x", "application/pdf"),
    ],
)
def test_what_the_protocol_cannot_take_is_the_callers_mistake(content: UserContent) -> None:
    with pytest.raises(UserError, match="Cohere takes images"):
        said(content)


@pytest.mark.parametrize(
    ("choice", "offered", "demanded"),
    [
        ("auto", ["f", "g"], None),
        ("required", ["f", "g"], "REQUIRED"),
        ("none", ["f", "g"], "NONE"),
        (["g"], ["g"], "REQUIRED"),
    ],
)
def test_the_choice_of_tools_is_sent(choice: Any, offered: list[str], demanded: str | None) -> None:
    # Any: each form of the setting
    fields = body(settings={"tool_choice": choice}, parameters=tools("f", "g"))
    assert [tool["function"]["name"] for tool in fields["tools"]] == offered
    assert fields.get("tool_choice") == demanded


def test_a_choice_of_a_tool_that_is_not_there_is_the_callers_mistake() -> None:
    with pytest.raises(UserError, match="names h; there are f"):
        body(settings={"tool_choice": ["f", "h"]}, parameters=tools("f"))
    with pytest.raises(UserError, match="names no tool"):
        body(settings={"tool_choice": []}, parameters=tools("f"))
    assert "tool_choice" not in body(settings={"tool_choice": ["f"]})


def test_all_settings_are_mapped_or_dropped() -> None:
    settings = CohereModelSettings(
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
        extra_body={"new": True},
        cohere_k=4,
        cohere_safety_mode="STRICT",
    )
    assert settled(settings) == {
        "max_tokens": 5,
        "temperature": 0.5,
        "p": 0.9,
        "seed": 1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "stop_sequences": ["END"],
        "k": 4,
        "safety_mode": "STRICT",
        "new": True,
    }


@pytest.mark.parametrize(
    ("model_name", "asked", "thinking"),
    [
        (THINKS, "low", {"type": "enabled", "token_budget": 2048}),
        (THINKS, 99, {"type": "enabled", "token_budget": 99}),
        (THINKS, 0, {"type": "disabled"}),
        ("command-r-plus", "high", None),
        ("command-a-03-2025", "high", None),
    ],
)
def test_thinking_is_asked_of_models_that_think(model_name: str, asked: Any, thinking: JSON | None) -> None:
    # Any: an effort or a number
    assert settled(ModelSettings(thinking=asked), model_name).get("thinking") == thinking
