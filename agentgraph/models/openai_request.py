"""A conversation as the body of a chat completion request. Pure: the same arguments, the same body."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import groupby
from typing import Any, TypeAlias, assert_never

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.providers.services import ChatProfile
from agentgraph.settings import ModelSettings

from .openai_settings import encode_settings
from .transcript import answers_call, transcript

__all__ = ["encode", "streamed"]

JSON: TypeAlias = dict[str, Any]  # Any: JSON


def encode(
    model_name: str,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
    profile: ChatProfile,
) -> JSON:
    """The body of a request for a whole reply.

    Raises:
        UserError: the protocol cannot express a content or a setting.
    """
    return {
        "model": model_name,
        "messages": _messages(messages, profile),
        "stream": False,
        **_tools(settings or {}, parameters, profile),
        **encode_settings(settings, profile),
    }


def streamed(body: JSON, profile: ChatProfile) -> JSON:
    """The same request for a streamed reply."""
    options = {"stream_options": {"include_usage": True}} if profile.stream_usage else {}
    return {**options, **body, "stream": True}


def _messages(messages: Sequence[ModelMessage], profile: ChatProfile) -> list[JSON]:
    wire: list[JSON] = []
    for _, group in groupby(transcript(messages), key=lambda message: message.kind):
        parts: list[ModelRequestPart] = []
        for message in group:
            match message:
                case ModelRequest():
                    parts += message.parts
                case ModelResponse():
                    wire += _reply(message, profile)
                case _:
                    assert_never(message)
        # The answers to a reply's calls have to follow it before anything else does; the sort keeps all other order.
        wire += [_request_part(part, profile) for part in sorted(parts, key=lambda part: not answers_call(part))]
    return wire


def _request_part(part: ModelRequestPart, profile: ChatProfile) -> JSON:
    match part:
        case SystemPromptPart():
            return {"role": profile.system_role, "content": part.content}
        case UserPromptPart():
            return {"role": "user", "content": _user_content(part.content)}
        case ToolReturnPart():
            return {"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response_str()}
        case RetryPromptPart():
            if part.tool_name is None:
                return {"role": "user", "content": part.model_response()}
            return {"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response()}
        case _:
            assert_never(part)


def _reply(reply: ModelResponse, profile: ChatProfile) -> list[JSON]:
    text = "\n\n".join(part.content for part in reply.parts if isinstance(part, TextPart) and part.content)
    calls = [
        {
            "id": part.tool_call_id,
            "type": "function",
            "function": {"name": part.tool_name, "arguments": part.args_as_json_str()},
        }
        for part in reply.parts
        if isinstance(part, ToolCallPart)
    ]
    if not text and not calls:
        return []
    message: JSON = {"role": "assistant", "content": text or None, **_thinking(reply, profile, calls=bool(calls))}
    return [{**message, "tool_calls": calls} if calls else message]


def _thinking(reply: ModelResponse, profile: ChatProfile, *, calls: bool) -> JSON:
    thought = "\n\n".join(part.content for part in reply.parts if isinstance(part, ThinkingPart) and part.content)
    match profile.thinking_back:
        case None:
            return {}
        case "reasoning_content":
            # A reply of another model has no thinking, but the field must not be missing beside calls.
            return {"reasoning_content": thought} if thought or calls else {}
        case "reasoning":
            return {"reasoning": thought} if thought else {}
        case "reasoning_details":
            details = (reply.provider_details or {}).get("reasoning_details")
            if details:
                return {"reasoning_details": details}
            return {"reasoning": thought} if thought else {}
        case _:
            assert_never(profile.thinking_back)


def _user_content(content: str | Sequence[UserContent]) -> str | list[JSON]:
    return content if isinstance(content, str) else [_content(item) for item in content]


def _content(item: UserContent) -> JSON:
    match item:
        case str():
            return {"type": "text", "text": item}
        case ImageUrl():
            return {"type": "image_url", "image_url": {"url": item.url}}
        case BinaryContent():
            return _binary(item)
        case AudioUrl() | DocumentUrl():
            noun = "audio" if isinstance(item, AudioUrl) else "documents"
            raise UserError(f"OpenAI's chat takes no {noun} by URL ({item.url}): send the bytes as BinaryContent")
        case _:
            assert_never(item)


def _binary(item: BinaryContent) -> JSON:
    if item.media_type.startswith("text/"):
        # Files may be PDF alone, but text needs no file.
        text = item.data.decode(errors="replace")
        return {"type": "text", "text": f'<document media_type="{item.media_type}">\n{text}\n</document>'}
    data = base64.b64encode(item.data).decode()
    url = f"data:{item.media_type};base64,{data}"
    if item.is_image:
        return {"type": "image_url", "image_url": {"url": url}}
    if not (item.is_audio or item.is_document):
        raise UserError(f"OpenAI's chat takes images, audio and documents, but no {item.media_type!r}")
    if item.is_audio:
        return {"type": "input_audio", "input_audio": {"data": data, "format": _format(item)}}
    return {"type": "file", "file": {"filename": f"document.{_format(item)}", "file_data": url}}


def _format(item: BinaryContent) -> str:
    try:
        return item.format
    except ValueError as error:
        raise UserError(f"OpenAI's chat cannot take this content: {error}") from None


def _tools(settings: ModelSettings, parameters: ModelRequestParameters, profile: ChatProfile) -> JSON:
    tools = [*parameters.function_tools, *parameters.result_tools]
    if not tools:
        return {}
    choice = settings.get("tool_choice")
    if choice is None:
        choice = "auto" if parameters.allow_text_result else "required"
    fields: JSON = {}
    if isinstance(choice, list):
        tools, wire_choice = _chosen(choice, tools, profile)
    else:
        wire_choice = choice
    if wire_choice == "required" and not profile.tool_choice_required:
        wire_choice = "auto"
    if "parallel_tool_calls" in settings:
        fields["parallel_tool_calls"] = settings["parallel_tool_calls"]
    return {"tools": [_tool(tool) for tool in tools], "tool_choice": wire_choice, **fields}


def _chosen(
    names: Sequence[str], tools: list[ToolDefinition], profile: ChatProfile
) -> tuple[list[ToolDefinition], str | JSON]:
    """What to offer and what to demand, so that one of the named tools is called."""
    known = [tool.name for tool in tools]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(f"tool_choice names {', '.join(unknown) or 'no tool'}; there are {', '.join(known)}")
    functions: list[JSON] = [{"type": "function", "function": {"name": name}} for name in names]
    if len(functions) == 1 and profile.tool_choice_required:
        return tools, functions[0]
    if profile.allowed_tools:
        return tools, {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": functions}}
    return [tool for tool in tools if tool.name in names], "required"


def _tool(tool: ToolDefinition) -> JSON:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters_json_schema}
    return {"type": "function", "function": function}
