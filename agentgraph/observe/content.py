"""Messages as OpenTelemetry's conventions for generative AI have them: roles and parts. Pure.

Bytes are left out: exporters refuse spans of megabytes, and what a picture shows is nobody's business but the model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias, assert_never

from pydantic_core import from_json, to_jsonable_python

from agentgraph.agent import RequestStarted
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
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

__all__ = ["Content", "arguments", "input_messages", "jsonable", "output_messages", "request_content"]

JSON: TypeAlias = Any  # Any: JSON
Content: TypeAlias = dict[str, JSON]
"""Attributes that hold content, by name, as JSON has them."""

Told: TypeAlias = UserPromptPart | ToolReturnPart | RetryPromptPart
"""The parts of a request that are no instructions."""


def request_content(request: RequestStarted) -> Content:
    """What the model is told: instructions, messages, tools."""
    system = [
        _text(part.content)
        for message in request.messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, SystemPromptPart)
    ]
    tools = [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters_json_schema,
        }
        for tool in (*request.parameters.function_tools, *request.parameters.result_tools)
    ]
    content = {
        "gen_ai.system_instructions": system,
        "gen_ai.input.messages": input_messages(request.messages),
        "gen_ai.tool.definitions": tools,
    }
    return {name: value for name, value in content.items() if value}


def input_messages(messages: Iterable[ModelMessage]) -> list[JSON]:
    """The conversation, without system prompts."""
    told = list[JSON]()
    for message in messages:
        if isinstance(message, ModelResponse):
            told.append({"role": "assistant", "parts": [_reply_part(part) for part in message.parts]})
            continue
        said = [part for part in message.parts if not isinstance(part, SystemPromptPart)]
        for role, parts in groupby(said, key=_role):
            told.append({"role": role, "parts": [shown for part in parts for shown in _request_part(part)]})
    return told


def output_messages(reply: ModelResponse) -> list[JSON]:
    """A reply."""
    message = {"role": "assistant", "parts": [_reply_part(part) for part in reply.parts]}
    return [message if reply.finish_reason is None else {**message, "finish_reason": reply.finish_reason}]


def arguments(call: ToolCallPart) -> JSON:
    """The arguments of a call: as an object if they are one, else as the model wrote them."""
    if isinstance(call.args, str):
        try:
            return from_json(call.args or "{}")
        except ValueError:
            return call.args
    return call.args


def jsonable(value: object) -> JSON:
    """Whatever a tool or a program gave, as JSON; what JSON cannot hold becomes text."""
    return to_jsonable_python(value, bytes_mode="base64", inf_nan_mode="null", serialize_unknown=True)


def _role(part: Told) -> str:
    asks_again = isinstance(part, RetryPromptPart) and part.tool_name is not None
    return "tool" if asks_again or isinstance(part, ToolReturnPart) else "user"


def _request_part(part: Told) -> list[JSON]:
    match part:
        case UserPromptPart():
            return _prompt(part.content)
        case ToolReturnPart():
            return [_answer(part.tool_call_id, jsonable(part.content))]
        case RetryPromptPart() if part.tool_name is None:
            return [_text(part.model_response())]
        case RetryPromptPart():
            return [_answer(part.tool_call_id, part.model_response())]
        case _ as never:  # pyright: ignore[reportUnnecessaryComparison] - the closed union is held by assert_never
            assert_never(never)


def _reply_part(part: ModelResponsePart) -> JSON:
    match part:
        case TextPart():
            return _text(part.content)
        case ThinkingPart():
            return {"type": "reasoning", "content": part.content}
        case ToolCallPart():
            return {
                "type": "tool_call",
                "id": part.tool_call_id,
                "name": part.tool_name,
                "arguments": jsonable(arguments(part)),
            }
        case NativeToolCallPart():
            return {"type": "tool_call", "id": part.tool_call_id, "name": part.tool_name, "arguments": part.args}
        case NativeToolReturnPart():
            return _answer(part.tool_call_id, jsonable(part.content))
        case _ as never:  # pyright: ignore[reportUnnecessaryComparison] - the closed union is held by assert_never
            assert_never(never)


def _prompt(content: str | Sequence[UserContent]) -> list[JSON]:
    return [_text(content)] if isinstance(content, str) else [_piece(piece) for piece in content]


def _piece(piece: UserContent) -> JSON:
    match piece:
        case str():
            return _text(piece)
        case ImageUrl():
            return _link("image", piece.url)
        case AudioUrl():
            return _link("audio", piece.url)
        case VideoUrl():
            return _link("video", piece.url)
        case DocumentUrl():
            return _link("document", piece.url)
        case BinaryContent():
            return {
                "type": "blob",
                "modality": _modality(piece),
                "mime_type": piece.media_type,
                "size": len(piece.data),
            }
        case _ as never:  # pyright: ignore[reportUnnecessaryComparison] - the closed union is held by assert_never
            assert_never(never)


def _modality(piece: BinaryContent) -> str:
    kind = piece.media_type.partition("/")[0]
    return kind if kind in {"image", "audio", "video"} else "document"


def _text(content: str) -> Mapping[str, str]:
    return {"type": "text", "content": content}


def _link(modality: str, url: str) -> Mapping[str, str]:
    return {"type": "uri", "modality": modality, "uri": url}


def _answer(call_id: str | None, response: JSON) -> JSON:
    return {"type": "tool_call_response", "id": call_id, "response": response}
