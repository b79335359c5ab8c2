"""What was stored in March 2025: each kind of message loads, and is written again as it was."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

import pytest
from pydantic import TypeAdapter

from agentgraph import messages
from agentgraph.messages import (
    AgentStreamEvent,
    BinaryContent,
    HandleResponseEvent,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    ToolCallPart,
    UserPromptPart,
)

JSON = dict[str, Any]  # Any: JSON
NOON = "2025-03-14T12:00:00Z"
ERROR = {"type": "int_parsing", "loc": ["seat", 0, "row"], "msg": "not a number", "input": "five", "ctx": {"n": 1}}

REQUEST_PARTS: dict[str, JSON] = {
    "system prompt": {"content": "Be brief.", "dynamic_ref": None, "part_kind": "system-prompt"},
    "dynamic system prompt": {"content": "It is noon.", "dynamic_ref": "now", "part_kind": "system-prompt"},
    "user prompt": {"content": "Which seat?", "timestamp": NOON, "part_kind": "user-prompt"},
    "user prompt of several pieces": {
        "content": [
            "What are these?",
            {"url": "https://example.com/a.png", "kind": "image-url"},
            {"url": "https://example.com/a.mp3", "kind": "audio-url"},
            {"url": "https://example.com/a.pdf", "kind": "document-url"},
            {"data": "-_8=", "media_type": "image/jpeg", "kind": "binary"},
        ],
        "timestamp": NOON,
        "part_kind": "user-prompt",
    },
    "tool return": {
        "tool_name": "seats",
        "content": {"free": ["12A", None, 3.5], "full": False},
        "tool_call_id": "call_1",
        "timestamp": NOON,
        "part_kind": "tool-return",
    },
    "tool return without an id": {
        "tool_name": "seats",
        "content": "none",
        "tool_call_id": None,
        "timestamp": NOON,
        "part_kind": "tool-return",
    },
    "retry prompt of a tool": {
        "content": "Ask again.",
        "tool_name": "seats",
        "tool_call_id": "call_2",
        "timestamp": NOON,
        "part_kind": "retry-prompt",
    },
    "retry prompt of errors": {
        "content": [ERROR],
        "tool_name": "final_result",
        "tool_call_id": None,
        "timestamp": NOON,
        "part_kind": "retry-prompt",
    },
    "retry prompt of text": {
        "content": "Text is not wanted.",
        "tool_name": None,
        "tool_call_id": None,
        "timestamp": NOON,
        "part_kind": "retry-prompt",
    },
}
RESPONSE_PARTS: dict[str, JSON] = {
    "text": {"content": "Seat 12A.", "part_kind": "text"},
    "call with text": {"tool_name": "f", "args": '{"x": 1}', "tool_call_id": "call_1", "part_kind": "tool-call"},
    "call with an object": {"tool_name": "f", "args": {"x": [1, {}]}, "tool_call_id": None, "part_kind": "tool-call"},
}
EVENTS: dict[str, JSON] = {
    "start": {"index": 0, "part": RESPONSE_PARTS["text"], "event_kind": "part_start"},
    "start of a call": {"index": 1, "part": RESPONSE_PARTS["call with text"], "event_kind": "part_start"},
    "text": {"index": 0, "delta": {"content_delta": "a", "part_delta_kind": "text"}, "event_kind": "part_delta"},
    "call": {
        "index": 1,
        "delta": {
            "tool_name_delta": None,
            "args_delta": '{"x',
            "tool_call_id": "call_1",
            "part_delta_kind": "tool_call",
        },
        "event_kind": "part_delta",
    },
    "result": {"tool_name": "final_result", "tool_call_id": None, "event_kind": "final_result"},
    "call of a tool": {
        "part": RESPONSE_PARTS["call with text"],
        "call_id": "call_1",
        "event_kind": "function_tool_call",
    },
    "its result": {
        "result": REQUEST_PARTS["tool return"],
        "tool_call_id": "call_1",
        "event_kind": "function_tool_result",
    },
    "its refusal": {
        "result": REQUEST_PARTS["retry prompt of a tool"],
        "tool_call_id": "call_2",
        "event_kind": "function_tool_result",
    },
}

FIELDS = {
    "ModelRequest": "parts kind='request'",
    "SystemPromptPart": "content dynamic_ref=None part_kind='system-prompt'",
    "UserPromptPart": "content timestamp=… part_kind='user-prompt'",
    "ToolReturnPart": "tool_name content tool_call_id=None timestamp=… part_kind='tool-return'",
    "RetryPromptPart": "content tool_name=None tool_call_id=None timestamp=… part_kind='retry-prompt'",
    "TextPart": "content part_kind='text'",
    "ToolCallPart": "tool_name args tool_call_id=None part_kind='tool-call'",
    "ImageUrl": "url kind='image-url'",
    "AudioUrl": "url kind='audio-url'",
    "DocumentUrl": "url kind='document-url'",
    "BinaryContent": "data media_type kind='binary'",
    "PartStartEvent": "index part event_kind='part_start'",
    "PartDeltaEvent": "index delta event_kind='part_delta'",
    "TextPartDelta": "content_delta part_delta_kind='text'",
    "ToolCallPartDelta": ("tool_name_delta=None args_delta=None tool_call_id=None part_delta_kind='tool_call'"),
    "FinalResultEvent": "tool_name tool_call_id event_kind='final_result'",
    "FunctionToolCallEvent": "part call_id='' event_kind='function_tool_call'",
    "FunctionToolResultEvent": "result tool_call_id event_kind='function_tool_result'",
}
"""Their order is that of the arguments, which programs give by position."""


def written(kind: type) -> str:
    shown = list[str]()
    for field in fields(kind):
        default = "=…" if field.default_factory is not MISSING else f"={field.default!r}"
        required = field.default is MISSING and field.default_factory is MISSING
        shown.append(field.name + ("" if required else default))
    return " ".join(shown)


@pytest.mark.parametrize(("name", "expected"), FIELDS.items(), ids=FIELDS)
def test_a_class_has_exactly_its_fields_and_defaults(name: str, expected: str) -> None:
    assert written(getattr(messages, name)) == expected


def test_a_response_has_its_fields_first_and_ours_after_them_with_defaults() -> None:
    ours = "finish_reason=None provider_response_id=None provider_details=None state='complete'"
    assert written(ModelResponse) == f"parts model_name=None timestamp=… kind='response' {ours}"


def check_message(stored: JSON) -> None:
    text = json.dumps([stored])
    loaded = ModelMessagesTypeAdapter.validate_json(text)
    assert json.loads(ModelMessagesTypeAdapter.dump_json(loaded)) == [stored]
    assert ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(loaded)) == loaded
    assert ModelMessagesTypeAdapter.validate_python(json.loads(text)) == loaded


@pytest.mark.parametrize("part", REQUEST_PARTS.values(), ids=REQUEST_PARTS)
def test_a_part_of_a_request_is_written_as_it_was(part: JSON) -> None:
    check_message({"parts": [part], "kind": "request"})


@pytest.mark.parametrize("part", RESPONSE_PARTS.values(), ids=RESPONSE_PARTS)
@pytest.mark.parametrize("model", [None, "gpt-4o-2024-08-06"])
def test_a_part_of_a_response_is_written_as_it_was(part: JSON, model: str | None) -> None:
    check_message({"parts": [part], "model_name": model, "timestamp": NOON, "kind": "response"})


def test_a_whole_conversation_is_written_as_it_was() -> None:
    request = {"parts": list(REQUEST_PARTS.values()), "kind": "request"}
    response = {"parts": list(RESPONSE_PARTS.values()), "model_name": None, "timestamp": NOON, "kind": "response"}
    text = json.dumps([request, response, request])
    loaded = ModelMessagesTypeAdapter.validate_json(text)
    assert json.loads(ModelMessagesTypeAdapter.dump_json(loaded)) == json.loads(text)


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_is_written_as_it_was(event: JSON) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(AgentStreamEvent | HandleResponseEvent)  # Any: a union is no type
    assert adapter.dump_python(adapter.validate_json(json.dumps(event)), mode="json") == event


def test_what_was_loaded_is_of_the_right_kind() -> None:
    stored = {"parts": [REQUEST_PARTS["user prompt of several pieces"], REQUEST_PARTS["retry prompt of errors"]]}
    [request] = ModelMessagesTypeAdapter.validate_python([{**stored, "kind": "request"}])
    assert isinstance(request, ModelRequest)
    prompt, retry = request.parts
    assert isinstance(prompt, UserPromptPart)
    assert prompt.content[4] == BinaryContent(b"\xfb\xff", "image/jpeg")
    assert isinstance(retry, RetryPromptPart)
    assert "not a number" in retry.model_response()


def test_a_call_that_was_stored_can_be_read() -> None:
    stored = {"parts": [RESPONSE_PARTS["call with text"]], "model_name": None, "timestamp": NOON, "kind": "response"}
    [response] = ModelMessagesTypeAdapter.validate_python([stored])
    [part] = response.parts
    assert isinstance(part, ToolCallPart)
    assert part.args_as_dict() == {"x": 1}
