"""A conversation as the body of a chat completion request. Pure: the same arguments, the same body."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import assert_never

from agentgraph.messages import (
    ModelMessage,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.providers.services import ChatProfile
from agentgraph.settings import ModelSettings

from .call_ids import fitted_id
from .choice import ToolChoice, tool_choice
from .extra import with_extra_body
from .openai_content import content_of
from .openai_settings import encode_settings
from .result_schema import named_schema, no_json_mode
from .turns import one_by_one
from .wire import JSON

__all__ = ["demand", "encode", "streamed"]


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
    settings = settings or {}
    body: JSON = {
        "model": model_name,
        "messages": _messages(messages, profile),
        "stream": False,
        **_tools(settings, parameters, profile),
        **_result_format(model_name, parameters, profile),
        **encode_settings(settings, profile),
    }
    return with_extra_body(body, settings)


def streamed(body: JSON, profile: ChatProfile) -> JSON:
    """The same request for a streamed reply."""
    options = {"stream_options": {"include_usage": True}} if profile.stream_usage else {}
    return {**options, **body, "stream": True}


def _messages(messages: Sequence[ModelMessage], profile: ChatProfile) -> list[JSON]:
    wire = one_by_one(messages, lambda part: _request_part(part, profile), lambda reply: _reply(reply, profile))
    if profile.user_after_tools:
        return wire
    spoken: list[JSON] = []
    for message in wire:
        if spoken and spoken[-1]["role"] == "tool" and message["role"] not in {"tool", "assistant"}:
            spoken.append({"role": "assistant", "content": "OK"})
        spoken.append(message)
    return spoken


def _request_part(part: ModelRequestPart, profile: ChatProfile) -> JSON:
    match part:
        case SystemPromptPart():
            return {"role": profile.system_role, "content": part.content}
        case UserPromptPart(content=str(text)):
            return {"role": "user", "content": text}
        case UserPromptPart():
            return {"role": "user", "content": [content_of(item, profile) for item in part.content]}
        case ToolReturnPart():
            return _answer(part.tool_call_id, part.model_response_str(), profile)
        case RetryPromptPart(tool_name=None):
            return {"role": "user", "content": part.model_response()}
        case RetryPromptPart():
            return _answer(part.tool_call_id, part.model_response(), profile)
        case _:
            assert_never(part)


def _answer(call_id: str | None, content: str, profile: ChatProfile) -> JSON:
    return {"role": "tool", "tool_call_id": _call_id(call_id, profile), "content": content}


def _call_id(call_id: str | None, profile: ChatProfile) -> str | None:
    if profile.call_id_length is None or call_id is None:
        return call_id
    return fitted_id(call_id, re.compile(f"[a-zA-Z0-9]{{{profile.call_id_length}}}"), profile.call_id_length)


def _reply(reply: ModelResponse, profile: ChatProfile) -> list[JSON]:
    text = "\n\n".join(part.content for part in reply.parts if isinstance(part, TextPart) and part.content)
    calls = [
        {
            "id": _call_id(part.tool_call_id, profile),
            "type": "function",
            "function": {"name": part.tool_name, "arguments": part.args_as_json_str()},
        }
        for part in reply.parts
        if isinstance(part, ToolCallPart)
    ]
    if not text and not calls:
        return []
    message: JSON = {"role": "assistant", "content": text or None, **_thinking(reply, text, profile, calls=bool(calls))}
    return [{**message, "tool_calls": calls} if calls else message]


def _thinking(reply: ModelResponse, text: str, profile: ChatProfile, *, calls: bool) -> JSON:
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
        case "content":
            return {"content": _blocks(thought, text)} if thought else {}
        case _:
            assert_never(profile.thinking_back)


def _blocks(thought: str, text: str) -> list[JSON]:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": thought}]}
    return [thinking, {"type": "text", "text": text}] if text else [thinking]


def _tools(settings: ModelSettings, parameters: ModelRequestParameters, profile: ChatProfile) -> JSON:
    choice = tool_choice(settings, parameters)
    if not choice.tools:
        return {}
    tools, wire_choice = choice.tools, demand(choice, profile)
    functions: list[JSON] = [{"type": "function", "function": {"name": name}} for name in choice.named]
    if len(functions) == 1 and profile.tool_choice_required:
        wire_choice = functions[0]
    elif functions and profile.allowed_tools:
        wire_choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": functions}}
    else:
        tools = choice.allowed
    if not profile.tool_choice:
        return {"tools": [_tool(tool) for tool in tools]} if choice.mode != "none" else {}
    fields: JSON = {"tools": [_tool(tool) for tool in tools], "tool_choice": wire_choice}
    return fields | {name: settings[name] for name in ("parallel_tool_calls",) if name in settings}


def _result_format(model_name: str, parameters: ModelRequestParameters, profile: ChatProfile) -> JSON:
    wanted = parameters.native_format
    if wanted is None:
        return {}
    if not profile.json_schema:
        raise no_json_mode(model_name)
    return {"response_format": {"type": "json_schema", "json_schema": named_schema(wanted)}}


def demand(choice: ToolChoice, profile: ChatProfile) -> str | JSON:
    """The choice in the service's own word, without the names of tools."""
    if choice.mode != "required":
        return choice.mode
    return profile.required if profile.tool_choice_required else "auto"


def _tool(tool: ToolDefinition) -> JSON:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters_json_schema}
    return {"type": "function", "function": function}
