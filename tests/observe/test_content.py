"""Messages as the conventions have them."""

from __future__ import annotations

from typing import Any

import pytest

from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
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
from agentgraph.observe.content import arguments, input_messages, jsonable, output_messages


def text(content: str) -> dict[str, str]:
    return {"type": "text", "content": content}


def test_parts_of_a_request_are_told_by_role() -> None:
    parts: list[ModelRequestPart] = [
        SystemPromptPart("Be brief."),
        ToolReturnPart("one", {"x": 1}, "a"),
        RetryPromptPart("No.", "two", "b"),
        UserPromptPart("And now?"),
        RetryPromptPart("Use a tool."),
    ]
    tool, user = input_messages([ModelRequest(parts)])
    assert tool["role"] == "tool"
    assert tool["parts"][0] == {"type": "tool_call_response", "id": "a", "response": {"x": 1}}
    assert tool["parts"][1]["response"].startswith("No.")
    assert user["role"] == "user"
    assert user["parts"][0] == text("And now?")
    assert user["parts"][1]["content"].startswith("Use a tool.")


def test_tools_of_the_service_are_told_as_calls_and_returns() -> None:
    parts: list[ModelResponsePart] = [
        NativeToolCallPart("web_search", {"query": "x"}, "n"),
        NativeToolReturnPart("web_search", [1], "n"),
    ]
    [message] = output_messages(ModelResponse(parts))
    assert message["parts"] == [
        {"type": "tool_call", "id": "n", "name": "web_search", "arguments": {"query": "x"}},
        {"type": "tool_call_response", "id": "n", "response": [1]},
    ]


def test_a_prompt_is_told_piece_by_piece() -> None:
    pieces: list[UserContent] = [
        "Look",
        ImageUrl("https://e.com/a.png"),
        AudioUrl("https://e.com/a.mp3"),
        VideoUrl("https://e.com/a.mp4"),
        DocumentUrl("https://e.com/a.pdf"),
        BinaryContent(b"123", "image/png"),
        BinaryContent(b"12", "audio/wav"),
        BinaryContent(b"", "video/mp4"),
        BinaryContent(b"1", "application/pdf"),
    ]
    (message,) = input_messages([ModelRequest([UserPromptPart(pieces)])])
    assert message["parts"] == [
        text("Look"),
        {"type": "uri", "modality": "image", "uri": "https://e.com/a.png"},
        {"type": "uri", "modality": "audio", "uri": "https://e.com/a.mp3"},
        {"type": "uri", "modality": "video", "uri": "https://e.com/a.mp4"},
        {"type": "uri", "modality": "document", "uri": "https://e.com/a.pdf"},
        {"type": "blob", "modality": "image", "mime_type": "image/png", "size": 3},
        {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "size": 2},
        {"type": "blob", "modality": "video", "mime_type": "video/mp4", "size": 0},
        {"type": "blob", "modality": "document", "mime_type": "application/pdf", "size": 1},
    ]


def test_a_reply_is_told_with_its_reason() -> None:
    parts: list[ModelResponsePart] = [ThinkingPart("Hm"), TextPart("Well"), ToolCallPart("one", '{"x": 1}', "a")]
    asked = {"type": "tool_call", "id": "a", "name": "one", "arguments": {"x": 1}}
    told = {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm"}, text("Well"), asked]}
    assert output_messages(ModelResponse(parts)) == [told]
    assert output_messages(ModelResponse(parts, finish_reason="length")) == [{**told, "finish_reason": "length"}]


@pytest.mark.parametrize(
    ("args", "told"), [("", {}), ('{"x": 1}', {"x": 1}), ('{"x": 1', '{"x": 1'), ({"x": 1}, {"x": 1})]
)
def test_arguments_are_told_as_far_as_they_can_be_read(args: Any, told: object) -> None:
    assert arguments(ToolCallPart("one", args)) == told


def test_what_json_cannot_hold_becomes_text() -> None:
    assert jsonable({"x": len, "y": b"1", "z": float("nan")}) == {
        "x": "<built-in function len>",
        "y": "MQ==",
        "z": None,
    }
