"""A conversation as the body of a Converse request. Pure: the same arguments, the same body."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from pydantic_core import to_json

from agentgraph.messages import (
    ModelMessage,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.settings import ModelSettings

from .arguments import arguments_of
from .bedrock_content import ContentEncoder
from .bedrock_settings import bedrock_profile, cache_point, encode_settings
from .call_ids import fitted_id
from .choice import ToolChoice, tool_choice
from .claude import Redacted, can_demand_calls, claude_profile, is_own_thought
from .extra import with_extra_body
from .result_schema import bounded_schema, no_json_mode
from .service_blocks import SaidPart, with_service_blocks
from .turns import Said, system_prompts, turns
from .wire import JSON

__all__ = ["encode"]

SYSTEM = "bedrock"
CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
ID_LENGTH = 32


def encode(
    model_name: str,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> JSON:
    """The body of a request; the model's name is no part of it, nor whether it is streamed.

    Raises:
        UserError: the protocol cannot express a content or a setting.
    """
    settings = settings or {}
    fields = encode_settings(settings, model_name)
    tools = _tools(settings, tool_choice(settings, parameters), model_name, fields)
    system = [{"text": prompt} for prompt in system_prompts(messages)]
    body = {
        # Where no tools are offered, calls and results are refused.
        "messages": _messages(messages if tools else [_without_calls(each) for each in messages], model_name, settings),
        **({"system": [*system, *cache_point(settings, "system")]} if system else {}),
        **({"toolConfig": tools} if tools else {}),
        **_result_format(model_name, parameters),
        **fields,
    }
    return with_extra_body(body, settings)


def _result_format(model_name: str, parameters: ModelRequestParameters) -> JSON:
    wanted = parameters.native_format
    if wanted is None:
        return {}
    if not bedrock_profile(model_name).json_schema:
        raise no_json_mode(model_name)
    schema = {"name": wanted.name, "schema": to_json(bounded_schema(wanted.json_schema)).decode()}
    described = schema if wanted.description is None else {**schema, "description": wanted.description}
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": described}}}}


def _messages(messages: Sequence[ModelMessage], model_name: str, settings: ModelSettings) -> list[JSON]:
    content = ContentEncoder()
    roles = {"user": "user", "model": "assistant"}
    sides = turns(messages, lambda part: _said(part, content), lambda reply: _replied(reply, model_name))
    if sides and sides[-1][0] == "user":
        sides[-1][1].extend(cache_point(settings, "messages"))
    return [{"role": roles[side], "content": blocks} for side, blocks in sides]


def _without_calls(message: ModelMessage) -> ModelMessage:
    """The message without calls; their results are then what the user says."""
    if not isinstance(message, ModelResponse):
        return message
    return replace(message, parts=[part for part in message.parts if not isinstance(part, ToolCallPart)])


def _said(part: Said, content: ContentEncoder) -> list[JSON]:
    match part:
        case UserPromptPart():
            return content.blocks(part.content)
        case ToolReturnPart():
            return [_result(part.tool_call_id, content.blocks(part.model_response_str()), "success")]
        case RetryPromptPart():
            blocks = content.blocks(part.model_response())
            return blocks if part.tool_name is None else [_result(part.tool_call_id, blocks, "error")]
        case _:
            assert_never(part)


def _result(call_id: str | None, blocks: list[JSON], status: str) -> JSON:
    return {"toolResult": {"toolUseId": _id(call_id), "content": blocks, "status": status}}


def _replied(reply: ModelResponse, model_name: str) -> list[JSON]:
    own = is_own_thought(reply, model_name, SYSTEM)

    def block(part: SaidPart) -> list[JSON]:
        match part:
            case TextPart():
                return [{"text": part.content}] if part.content.strip() else []
            case ThinkingPart():
                return _thought(part) if own else []
            case ToolCallPart():
                call = {"toolUseId": _id(part.tool_call_id), "name": part.tool_name, "input": arguments_of(part)}
                return [{"toolUse": call}]
            case _:
                assert_never(part)

    return with_service_blocks(reply, SYSTEM, block)


def _thought(part: ThinkingPart) -> list[JSON]:
    if not part.signature:  # models that seal nothing want nothing back
        return []
    match part.id:
        case Redacted.CONTENT:
            return [{"reasoningContent": {"redactedContent": part.signature}}]
        case Redacted.THINKING:
            return []
        case _:
            return [{"reasoningContent": {"reasoningText": {"text": part.content, "signature": part.signature}}}]


def _id(call_id: str | None) -> str:
    return fitted_id(call_id or "", CALL_ID, ID_LENGTH)


def _tools(settings: ModelSettings, choice: ToolChoice, model_name: str, fields: JSON) -> JSON:
    """The field of the tools, empty if none may be called: the protocol has no word for that."""
    given: JSON = dict(settings)
    if choice.mode == "none":
        return {}
    profile = bedrock_profile(model_name)
    own: JSON = fields.get("additionalModelRequestFields", {})
    can_demand = profile.tool_choice and can_demand_calls(claude_profile(model_name), own)
    one = len(choice.named) == 1 and profile.choice_by_name and can_demand
    offered = choice.tools if one else choice.allowed
    tools: list[JSON] = [_tool(tool) for tool in offered]
    tools += ({"systemTool": {"name": name}} for name in given.get("bedrock_service_tools", []))
    if not tools:
        return {}
    wanted: JSON = {}
    if choice.mode == "required" and can_demand:
        wanted = {"toolChoice": {"tool": {"name": choice.named[0]}} if one else {"any": {}}}
    return {"tools": [*tools, *cache_point(settings, "tools")], **wanted}


def _tool(tool: ToolDefinition) -> JSON:
    # A description must not be empty, but there may be none.
    description = {"description": tool.description} if tool.description else {}
    return {"toolSpec": {"name": tool.name, **description, "inputSchema": {"json": tool.parameters_json_schema}}}
