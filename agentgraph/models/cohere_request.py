"""A conversation as the body of a request to Cohere's chat, version 2. Pure: the same arguments, the same body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.settings import ModelSettings

from .choice import tool_choice
from .cohere_settings import encode_settings
from .extra import with_extra_body
from .media import data_url, document_text
from .origin import made_by
from .result_schema import no_json_mode
from .turns import Said, system_prompts, turns
from .wire import JSON

__all__ = ["TOOL_PLAN", "encode"]

TOOL_PLAN = "tool_plan"
"""The key in `provider_details` of what a model means to do with its tools; the service wants it back."""


def encode(
    model_name: str,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
    system: str,
) -> JSON:
    """The body of a request for a whole reply.

    Raises:
        UserError: the protocol cannot express a content or a setting.
    """
    settings = settings or {}
    sides = turns(messages, _said, lambda reply: _reply(reply, system))
    body: JSON = {
        "model": model_name,
        "messages": [
            *({"role": "system", "content": prompt} for prompt in system_prompts(messages)),
            *(message for _, said in sides for message in said),
        ],
        "stream": False,
        **_tools(settings, parameters),
        **_result_format(model_name, parameters),
        **encode_settings(settings, model_name),
    }
    return with_extra_body(body, settings)


def _result_format(model_name: str, parameters: ModelRequestParameters) -> JSON:
    wanted = parameters.native_format
    if wanted is None:
        return {}
    if parameters.function_tools:  # https://docs.cohere.com/reference/chat, `response_format`
        raise no_json_mode(model_name, "follows no schema while it has tools")
    return {"response_format": {"type": "json_object", "json_schema": wanted.json_schema}}


def _said(part: Said) -> list[JSON]:
    match part:
        case UserPromptPart(content=str(text)):
            return [{"role": "user", "content": text}]
        case UserPromptPart():
            return [{"role": "user", "content": [_content(item) for item in part.content]}]
        case ToolReturnPart():
            return [{"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response_str()}]
        case RetryPromptPart(tool_name=None):
            return [{"role": "user", "content": part.model_response()}]
        case RetryPromptPart():
            return [{"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response()}]
        case _:
            assert_never(part)


def _reply(reply: ModelResponse, system: str) -> list[JSON]:
    own = made_by(reply, system)
    content: list[JSON] = []
    calls: list[JSON] = []
    for part in reply.parts:
        match part:
            case TextPart():
                content += [{"type": "text", "text": part.content}] if part.content else []
            case ThinkingPart():
                content += [{"type": "thinking", "thinking": part.content}] if own and part.content else []
            case ToolCallPart():
                function = {"name": part.tool_name, "arguments": part.args_as_json_str()}
                calls.append({"id": part.tool_call_id, "type": "function", "function": function})
            case NativeToolCallPart() | NativeToolReturnPart():
                pass  # the service has no such tools
            case _:
                assert_never(part)
    plan = (reply.provider_details or {}).get(TOOL_PLAN) if own else None
    message: JSON = {"content": content} if content else {}
    message |= {"tool_calls": calls, **({TOOL_PLAN: plan} if plan else {})} if calls else {}
    return [{"role": "assistant", **message}] if message else []


def _content(item: UserContent) -> JSON:
    match item:
        case str():
            return {"type": "text", "text": item}
        case ImageUrl():
            return {"type": "image_url", "image_url": {"url": item.url}}
        case BinaryContent():
            return _binary(item)
        case AudioUrl() | VideoUrl() | DocumentUrl():
            raise UserError(f"Cohere takes images by URL, but not {item.url}: send the text of a document instead")
        case _:
            assert_never(item)


def _binary(item: BinaryContent) -> JSON:
    if item.is_image:
        return {"type": "image_url", "image_url": {"url": data_url(item)}}
    text = document_text(item)
    if text is not None:
        return {"type": "text", "text": text}
    raise UserError(f"Cohere takes images and text, but no {item.media_type!r}")


def _tools(settings: ModelSettings, parameters: ModelRequestParameters) -> JSON:
    choice = tool_choice(settings, parameters)
    if not choice.tools:
        return {}
    body: JSON = {"tools": [_tool(tool) for tool in choice.allowed]}
    return {**body, "tool_choice": choice.mode.upper()} if choice.mode != "auto" else body


def _tool(tool: ToolDefinition) -> JSON:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters_json_schema}
    return {"type": "function", "function": function}
