"""A conversation as the body of a request to OpenAI's Responses. Pure: the same arguments, the same body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never, cast

from agentgraph.exceptions import UserError
from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
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
    VideoUrl,
)
from agentgraph.model import ModelRequestParameters, ToolDefinition
from agentgraph.providers.services import ChatProfile, SystemRole
from agentgraph.settings import ModelSettings

from .choice import tool_choice
from .extra import with_extra_body
from .media import data_url, document_text
from .openai_content import format_of
from .openai_request import demand
from .openai_responses_settings import OpenAIResponsesModelSettings, encode_settings
from .origin import made_by
from .result_schema import named_schema
from .service_blocks import SaidPart, with_service_blocks
from .turns import one_by_one
from .wire import JSON

__all__ = ["PHASES", "RAW_THOUGHTS", "ResponsesDialect", "encode"]

PHASES = "phases"
"""The key in `provider_details` of what each text was meant for, if the service said so; it wants to be reminded."""
RAW_THOUGHTS = "raw_thoughts"
"""The key in `provider_details` of the ids of thoughts whose text is the thinking itself, and no summary of it."""


@dataclass(frozen=True)
class ResponsesDialect:
    """How a service wants requests to one of its models to look."""

    system: str
    """The service's name: what it made it gets back."""
    profile: ChatProfile


def encode(
    model_name: str,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
    dialect: ResponsesDialect,
) -> JSON:
    """The body of a request for a whole reply.

    Raises:
        UserError: the protocol cannot express a content or a setting.
    """
    settings = settings or {}
    role = dialect.profile.system_role
    body: JSON = {
        "model": model_name,
        "input": one_by_one(messages, lambda part: _said(part, role), lambda reply: _reply(reply, dialect.system)),
        "stream": False,
        **_tools(settings, parameters, dialect.profile),
        **encode_settings(settings, dialect.profile),
    }
    wanted = parameters.native_format
    if wanted is not None:
        body["text"] = {**body.get("text", {}), "format": {"type": "json_schema", **named_schema(wanted)}}
    return with_extra_body(body, settings)


def _said(part: ModelRequestPart, role: SystemRole) -> JSON:
    match part:
        case SystemPromptPart():
            return {"role": role, "content": part.content}
        case UserPromptPart(content=str(text)):
            return {"role": "user", "content": text}
        case UserPromptPart():
            return {"role": "user", "content": [_content(item) for item in part.content]}
        case ToolReturnPart():
            return _answer(part.tool_call_id, part.model_response_str())
        case RetryPromptPart(tool_name=None):
            return {"role": "user", "content": part.model_response()}
        case RetryPromptPart():
            return _answer(part.tool_call_id, part.model_response())
        case _:
            assert_never(part)


def _answer(call_id: str | None, output: str) -> JSON:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def _reply(reply: ModelResponse, system: str) -> list[JSON]:
    own = made_by(reply, system)
    raw: list[str] = (reply.provider_details or {}).get(RAW_THOUGHTS, []) if own else []
    items = with_service_blocks(reply, system, lambda part: _item(part, own=own, raw=raw))
    return _with_phases(_settled(items), (reply.provider_details or {}).get(PHASES, []) if own else [])


def _with_phases(items: list[JSON], phases: Sequence[str | None]) -> list[JSON]:
    texts = [item for item in items if item.get("role") == "assistant"]
    if len(texts) != len(phases):  # of a reply that was cut off, some are not known
        return items
    for text, phase in zip(texts, phases, strict=True):
        text.update({} if phase is None else {"phase": phase})
    return items


def _item(part: SaidPart, *, own: bool, raw: Sequence[str]) -> list[JSON]:
    match part:
        case TextPart():
            return [{"role": "assistant", "content": part.content}] if part.content else []
        case ThinkingPart():
            return [_thought(part, raw=part.id in raw)] if own and part.id else []
        case ToolCallPart():
            call = {"call_id": part.tool_call_id, "name": part.tool_name, "arguments": part.args_as_json_str()}
            return [{"type": "function_call", **call}]
        case _:
            assert_never(part)


def _thought(part: ThinkingPart, *, raw: bool) -> JSON:
    item: JSON = {"type": "reasoning", "id": part.id, "summary": []}
    if part.content and raw:
        item["content"] = [{"type": "reasoning_text", "text": part.content}]
    elif part.content:
        item["summary"] = [{"type": "summary_text", "text": part.content}]
    return {**item, "encrypted_content": part.signature} if part.signature else item


def _settled(items: Sequence[JSON]) -> list[JSON]:
    """The items with each thought in one; without those that say too little, or led to nothing: they are refused."""
    settled: list[JSON] = []
    thoughts: dict[str, JSON] = {}
    for item in items:
        known = thoughts.get(item["id"]) if item.get("type") == "reasoning" else None
        if known is not None:
            known["summary"] += item["summary"]
            known |= {name: value for name, value in item.items() if name in {"content", "encrypted_content"}}
            continue
        settled.append(item)
        if item.get("type") == "reasoning":
            thoughts[item["id"]] = item
    settled = [
        item for item in settled if item.get("type") != "reasoning" or {"content", "encrypted_content"} & {*item}
    ]
    while settled and settled[-1].get("type") == "reasoning":
        settled.pop()
    return settled


def _content(item: UserContent) -> JSON:
    match item:
        case str():
            return {"type": "input_text", "text": item}
        case ImageUrl():
            return _image(item.url)
        case DocumentUrl():
            return {"type": "input_file", "file_url": item.url}
        case BinaryContent():
            return _binary(item)
        case AudioUrl():
            raise UserError(f"OpenAI's Responses take no audio ({item.url})")
        case VideoUrl():
            raise UserError(f"OpenAI's Responses take no video ({item.url})")
        case _:
            assert_never(item)


def _image(url: str) -> JSON:
    return {"type": "input_image", "image_url": url, "detail": "auto"}


def _binary(item: BinaryContent) -> JSON:
    if item.is_image:
        return _image(data_url(item))
    text = document_text(item)
    if text is not None:
        return {"type": "input_text", "text": text}
    if not item.is_document:
        raise UserError(f"OpenAI's Responses take images and documents, but no {item.media_type!r}")
    return {"type": "input_file", "filename": f"document.{format_of(item)}", "file_data": data_url(item)}


def _tools(settings: ModelSettings, parameters: ModelRequestParameters, profile: ChatProfile) -> JSON:
    choice = tool_choice(settings, parameters)
    given = cast("OpenAIResponsesModelSettings", settings)  # cast: every model is given the settings of all
    built_in = given.get("openai_builtin_tools", [])
    if not choice.tools:
        return {"tools": built_in} if built_in else {}
    tools, wire_choice = choice.tools, demand(choice, profile)
    functions: list[JSON] = [{"type": "function", "name": name} for name in choice.named]
    if len(functions) == 1 and profile.tool_choice_required:
        wire_choice = functions[0]
    elif functions and profile.allowed_tools:
        wire_choice = {"type": "allowed_tools", "mode": "required", "tools": functions}
    else:
        tools = choice.allowed
    if not profile.tool_choice:
        own = [] if choice.mode == "none" else [*map(_tool, tools)]
        return {"tools": [*own, *built_in]} if own or built_in else {}
    fields: JSON = {"tools": [*map(_tool, tools), *built_in], "tool_choice": wire_choice}
    return fields | {name: settings[name] for name in ("parallel_tool_calls",) if name in settings}


def _tool(tool: ToolDefinition) -> JSON:
    # The service would be strict by default, and refuse most schemas for it.
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters_json_schema,
        "strict": False,
    }
