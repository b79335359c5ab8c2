"""A conversation as the body of a request for a message. Pure: the same arguments, the same body."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import assert_never

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

from .anthropic_content import user_blocks
from .anthropic_settings import cache_mark, encode_settings, with_dropped_thoughts
from .arguments import arguments_of
from .call_ids import fitted_id
from .choice import ToolChoice, tool_choice
from .claude import Redacted, can_demand_calls, claude_profile, is_own_thought
from .extra import with_extra_body
from .result_schema import bounded_schema, no_json_mode
from .service_blocks import SaidPart, with_service_blocks
from .turns import Said, system_prompts, turns
from .wire import JSON

__all__ = ["encode", "streamed"]

SYSTEM = "anthropic"
CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
ID_LENGTH = 32


def encode(
    model_name: str,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> JSON:
    """The body of a request for a whole reply.

    Raises:
        UserError: the protocol cannot express a content or a setting.
    """
    settings = settings or {}
    profile = claude_profile(model_name)
    fields = encode_settings(settings, profile)
    wanted = parameters.native_format
    if wanted is not None:
        if not profile.json_schema:
            raise no_json_mode(model_name)
        output = {"type": "json_schema", "schema": bounded_schema(wanted.json_schema)}
        fields["output_config"] = {**fields.get("output_config", {}), "format": output}
    said = _messages(messages, model_name, settings)
    if profile.bound_thoughts and _holds_thoughts(said):
        fields["thinking"] = with_dropped_thoughts(fields.get("thinking", {}))
    body = {
        "model": model_name,
        "messages": said,
        "stream": False,
        **_system(messages, settings),
        **_tools(settings, tool_choice(settings, parameters), forced=can_demand_calls(profile, fields)),
        **fields,
    }
    return with_extra_body(body, settings)


def streamed(body: JSON) -> JSON:
    """The same request for a streamed reply."""
    return {**body, "stream": True}


def _messages(messages: Sequence[ModelMessage], model_name: str, settings: ModelSettings) -> list[JSON]:
    roles = {"user": "user", "model": "assistant"}
    sides = turns(messages, _said, lambda reply: _replied(reply, model_name))
    if sides and sides[-1][0] == "user":
        last = sides[-1][1]
        last[-1] = {**last[-1], **cache_mark(settings, "messages")}
    return [{"role": roles[side], "content": blocks} for side, blocks in sides]


def _holds_thoughts(messages: Sequence[JSON]) -> bool:
    return any(block["type"] in {"thinking", "redacted_thinking"} for each in messages for block in each["content"])


def _system(messages: Sequence[ModelMessage], settings: ModelSettings) -> JSON:
    prompts = system_prompts(messages)
    if not prompts:
        return {}
    blocks: list[JSON] = [{"type": "text", "text": prompt} for prompt in prompts]
    mark = cache_mark(settings, "system")
    if len(prompts) == 1 and not mark:
        return {"system": prompts[0]}
    blocks[-1] |= mark
    return {"system": blocks}


def _said(part: Said) -> list[JSON]:
    match part:
        case UserPromptPart():
            return user_blocks(part.content)
        case ToolReturnPart():
            return [_result(part.tool_call_id, part.model_response_str(), is_error=False)]
        case RetryPromptPart():
            if part.tool_name is None:
                return user_blocks(part.model_response())
            return [_result(part.tool_call_id, part.model_response(), is_error=True)]
        case _:
            assert_never(part)


def _result(call_id: str | None, text: str, *, is_error: bool) -> JSON:
    # A block of text must not be empty, but a result may have no content.
    content = {"content": user_blocks(text)} if text.strip() else {}
    return {"type": "tool_result", "tool_use_id": _id(call_id), **content, "is_error": is_error}


def _replied(reply: ModelResponse, model_name: str) -> list[JSON]:
    own = is_own_thought(reply, model_name, SYSTEM)

    def block(part: SaidPart) -> list[JSON]:
        match part:
            case TextPart():
                return [{"type": "text", "text": part.content}] if part.content.strip() else []
            case ThinkingPart():
                return _thought(part) if own else []
            case ToolCallPart():
                call = {"id": _id(part.tool_call_id), "name": part.tool_name, "input": arguments_of(part)}
                return [{"type": "tool_use", **call}]
            case _:
                assert_never(part)

    return with_service_blocks(reply, SYSTEM, block)


def _thought(part: ThinkingPart) -> list[JSON]:
    if not part.signature:  # cut off before its end; without its seal it would be refused
        return []
    match part.id:
        case Redacted.THINKING:
            return [{"type": "redacted_thinking", "data": part.signature}]
        case Redacted.CONTENT:
            return []
        case _:
            return [{"type": "thinking", "thinking": part.content, "signature": part.signature}]


def _id(call_id: str | None) -> str:
    return fitted_id(call_id or "", CALL_ID, ID_LENGTH)


def _tools(settings: ModelSettings, choice: ToolChoice, *, forced: bool) -> JSON:
    given: JSON = dict(settings)
    offered = choice.allowed if len(choice.named) > 1 else choice.tools
    own = [_tool(tool) for tool in offered]
    tools: list[JSON] = [*given.get("anthropic_service_tools", []), *own]
    if not tools:
        return {}
    tools[-1] = {**tools[-1], **cache_mark(settings, "tools")}
    if not own:
        return {"tools": tools}
    wanted = _choice(choice, forced=forced)
    if settings.get("parallel_tool_calls") is False and choice.mode != "none":
        wanted["disable_parallel_tool_use"] = True
    return {"tools": tools, "tool_choice": wanted}


def _choice(choice: ToolChoice, *, forced: bool) -> JSON:
    match choice.mode:
        case "none" | "auto":
            return {"type": choice.mode}
        case "required":
            if not forced:
                return {"type": "auto"}
            return {"type": "tool", "name": choice.named[0]} if len(choice.named) == 1 else {"type": "any"}
        case _:
            assert_never(choice.mode)


def _tool(tool: ToolDefinition) -> JSON:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.parameters_json_schema}
