from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from agentgraph.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from .strategies import conversations

NOON = datetime(2025, 3, 14, 12, tzinfo=UTC)


@given(conversations)
def test_a_conversation_survives_json(messages: list[ModelMessage]) -> None:
    stored = ModelMessagesTypeAdapter.dump_json(messages)
    assert ModelMessagesTypeAdapter.validate_json(stored) == messages


@given(conversations)
def test_a_conversation_survives_as_plain_data(messages: list[ModelMessage]) -> None:
    plain = json.loads(json.dumps(ModelMessagesTypeAdapter.dump_python(messages, mode="json")))
    assert ModelMessagesTypeAdapter.validate_python(plain) == messages


def test_json_of_march_2025_loads() -> None:
    stored = json.dumps(
        [
            {
                "kind": "request",
                "parts": [
                    {"content": "Be kind.", "dynamic_ref": None, "part_kind": "system-prompt"},
                    {"content": "Hi", "timestamp": "2025-03-14T12:00:00Z", "part_kind": "user-prompt"},
                ],
            },
            {
                "kind": "response",
                "model_name": "gpt-4o",
                "timestamp": "2025-03-14T12:00:00Z",
                "parts": [
                    {"content": "Let me see.", "part_kind": "text"},
                    {"tool_name": "f", "args": '{"a":1}', "tool_call_id": None, "part_kind": "tool-call"},
                    {"tool_name": "g", "args": {"a": 1}, "tool_call_id": "c2", "part_kind": "tool-call"},
                ],
            },
        ]
    )
    assert ModelMessagesTypeAdapter.validate_json(stored) == [
        ModelRequest([SystemPromptPart("Be kind."), UserPromptPart("Hi", NOON)]),
        ModelResponse(
            [TextPart("Let me see."), ToolCallPart("f", '{"a":1}'), ToolCallPart("g", {"a": 1}, "c2")], "gpt-4o", NOON
        ),
    ]


def test_tool_answers_of_march_2025_load() -> None:
    error = {"type": "int_type", "loc": ["a", 0], "msg": "no int", "input": "x", "url": "https://example.com"}
    common = {"tool_call_id": None, "timestamp": "2025-03-14T12:00:00+00:00"}
    returned = {"tool_name": "f", "content": {"b": [1]}, "part_kind": "tool-return", **common}
    refused = {"tool_name": "g", "content": [error], "part_kind": "retry-prompt", **common}
    [request] = ModelMessagesTypeAdapter.validate_python([{"kind": "request", "parts": [returned, refused]}])
    details = ErrorDetails(type="int_type", loc=("a", 0), msg="no int", input="x", url="https://example.com")
    assert request == ModelRequest(
        [
            ToolReturnPart("f", {"b": [1]}, timestamp=NOON),
            RetryPromptPart([details], "g", timestamp=NOON),
        ]
    )


@pytest.mark.parametrize("written", ["//77Pz4=", "__77Pz4="])
def test_both_alphabets_of_base64_load(written: str) -> None:
    binary = {"data": written, "media_type": "image/png", "kind": "binary"}
    part = {"content": ["Look:", binary], "timestamp": "2025-03-14T12:00:00Z", "part_kind": "user-prompt"}
    [request] = ModelMessagesTypeAdapter.validate_json(json.dumps([{"kind": "request", "parts": [part]}]))
    content = BinaryContent(b"\xff\xfe\xfb?>", "image/png")
    assert request == ModelRequest([UserPromptPart(["Look:", content], NOON)])


def test_unknown_keys_are_ignored() -> None:
    stored = '[{"kind":"response","new":1,"timestamp":"2025-03-14T12:00:00Z","parts":['
    stored += '{"part_kind":"text","content":"a","x":2}]}]'
    assert ModelMessagesTypeAdapter.validate_json(stored) == [ModelResponse([TextPart("a")], timestamp=NOON)]


@pytest.mark.parametrize(
    "stored",
    [
        '[{"kind":"other","parts":[]}]',
        '[{"parts":[]}]',
        '[{"kind":"request","parts":[{"part_kind":"text","content":""}]}]',
    ],
)
def test_what_is_no_message_does_not_load(stored: str) -> None:
    with pytest.raises(ValidationError):
        ModelMessagesTypeAdapter.validate_json(stored)


def test_our_fields_are_left_out_at_their_defaults() -> None:
    [stored] = ModelMessagesTypeAdapter.dump_python([ModelResponse([ThinkingPart("hm")], timestamp=NOON)], mode="json")
    assert stored == {
        "parts": [{"content": "hm", "part_kind": "thinking"}],
        "model_name": None,
        "timestamp": "2025-03-14T12:00:00Z",
        "kind": "response",
    }


def test_our_fields_are_written_where_they_say_something() -> None:
    response = ModelResponse(
        [ThinkingPart("hm", "t1", "sig")], finish_reason="length", provider_response_id="r1", state="interrupted"
    )
    [stored] = ModelMessagesTypeAdapter.dump_python([response], mode="json")
    assert stored["parts"] == [{"content": "hm", "id": "t1", "signature": "sig", "part_kind": "thinking"}]
    assert (stored["finish_reason"], stored["provider_response_id"], stored["state"]) == ("length", "r1", "interrupted")


def test_an_exception_in_error_details_becomes_text() -> None:
    details = ErrorDetails(type="value_error", loc=("a",), msg="bad", input=1, ctx={"error": ValueError("bad")})
    [stored] = ModelMessagesTypeAdapter.dump_python([ModelRequest([RetryPromptPart([details])])], mode="json")
    assert stored["parts"][0]["content"][0]["ctx"] == {"error": "bad"}


def test_bytes_in_a_tool_return_are_base64_under_any_adapter() -> None:
    @dataclass
    class Holder:
        request: ModelRequest

    held = Holder(
        ModelRequest([ToolReturnPart("f", {"raw": b"\xff"}), UserPromptPart([BinaryContent(b"\xff", "x/y")])])
    )
    written = TypeAdapter(Holder).dump_json(held)
    assert b'{"raw":"_w=="}' in written
    again = TypeAdapter(Holder).validate_json(written).request.parts[1]
    assert isinstance(again, UserPromptPart)
    assert again.content == [BinaryContent(b"\xff", "x/y")]


@pytest.mark.parametrize("content", ["text", None, 1.5, ["a"], {"a": {"b": 1}}])
def test_a_tool_return_that_is_json_keeps_its_content(content: object) -> None:
    messages: list[ModelMessage] = [ModelRequest([ToolReturnPart("f", content)])]
    assert ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages)) == messages


def test_constructors_do_not_validate() -> None:
    part = TextPart(content=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is tested
    assert repr(part.content) == "3"
