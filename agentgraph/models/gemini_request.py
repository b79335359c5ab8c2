"""A conversation as the body of a `generateContent` request. Pure: the same arguments, the same body."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never, cast

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
from agentgraph.model import ModelRequestParameters, ResultFormat, ToolDefinition
from agentgraph.settings import ModelSettings

from .arguments import arguments_of
from .choice import ToolChoice, tool_choice
from .extra import with_extra_body
from .gemini_content import VERTEX, content_of, is_since
from .gemini_schema import gemini_schema
from .gemini_settings import encode_settings, generation_of
from .gemini_signatures import signature_of, signed
from .result_schema import no_json_mode
from .service_blocks import SaidPart, with_service_blocks
from .turns import Said, system_prompts, turns
from .wire import JSON

__all__ = ["encode"]

STAND_IN = base64.b64encode(b"skip_thought_signature_validator").decode()
"""What Google documents for a call that another model made: https://ai.google.dev/gemini-api/docs/thought-signatures."""


def encode(
    model_name: str,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
    system: str,
) -> JSON:
    """The body of a request, for a whole reply and for a stream alike.

    Raises:
        UserError: the protocol cannot express a content or a setting.
    """
    settings = settings or {}
    prompts = [{"text": prompt} for prompt in system_prompts(messages)]
    body: JSON = {"contents": _contents(messages, model_name, system)}
    if "gemini_cached_content" not in settings:
        body |= {"systemInstruction": {"parts": prompts}} if prompts else {}
        body |= _tools(settings, parameters, model_name, system)
    body |= encode_settings(settings, model_name)
    wanted = parameters.native_format
    if wanted is not None:
        if "tools" in body and not is_since(model_name, (3, 0)):
            raise no_json_mode(model_name, "follows no schema while it has tools")
        body["generationConfig"] = {**body.get("generationConfig", {}), **_result_format(wanted)}
    whole = with_extra_body(body, settings)
    generation = whole.get("generationConfig")
    if isinstance(generation, dict):  # where most of the fields are: those of the settings stay
        whole["generationConfig"] = {**body.get("generationConfig", {}), **cast("JSON", generation)}
    return whole


def _result_format(wanted: ResultFormat) -> JSON:
    told = {"title": wanted.name, **({} if wanted.description is None else {"description": wanted.description})}
    schema = {**gemini_schema(wanted.json_schema), **told}
    return {"responseMimeType": "application/json", "responseJsonSchema": schema}


def _contents(messages: Sequence[ModelMessage], model_name: str, system: str) -> list[JSON]:
    contents: list[JSON] = []
    sides = turns(
        [signed(_readable(message, model_name), system) for message in messages],
        lambda part: _said(part, model_name, system),
        lambda reply: _reply(reply, model_name, system),
    )
    for side, blocks in sides:
        # Answers stand alone: their number has to be that of the calls before them.
        alone = [block for block in blocks if "functionResponse" in block]
        others = [block for block in blocks if "functionResponse" not in block]
        contents += [{"role": side, "parts": parts} for parts in (alone, others) if parts]
    if not contents or contents[0]["role"] == "model":
        contents.insert(0, {"role": "user", "parts": [{"text": ""}]})  # the user has to speak first
    return contents


def _readable(message: ModelMessage, model_name: str) -> ModelMessage:
    """The message; if a model of another generation made it, as one of another service: seals are refused there."""
    if not isinstance(message, ModelResponse):
        return message
    maker, asked = generation_of(message.model_name or ""), generation_of(model_name)
    return message if None in {maker, asked} or maker == asked else replace(message, provider_details=None)


def _said(part: Said, model_name: str, system: str) -> list[JSON]:
    match part:
        case UserPromptPart(content=str(text)):
            return [{"text": text}]
        case UserPromptPart():
            return [content_of(item, model_name, system) for item in part.content]
        case ToolReturnPart():
            return [_answer(part, part.model_response_object())]
        case RetryPromptPart(tool_name=None):
            return [{"text": part.model_response()}]
        case RetryPromptPart():
            return [_answer(part, {"error": part.model_response()})]
        case _:
            assert_never(part)


def _answer(part: ToolReturnPart | RetryPromptPart, response: JSON) -> JSON:
    return {"functionResponse": {"id": part.tool_call_id, "name": part.tool_name, "response": response}}


def _reply(reply: ModelResponse, model_name: str, system: str) -> list[JSON]:
    blocks = with_service_blocks(reply, system, _reply_part)
    call = next((block for block in blocks if "functionCall" in block), None)
    if call is not None and "thoughtSignature" not in call and is_since(model_name, (3, 0)):
        call["thoughtSignature"] = STAND_IN
    return blocks


def _reply_part(part: SaidPart) -> list[JSON]:
    signature = signature_of(part)
    seal = {} if signature is None else {"thoughtSignature": signature}
    match part:
        case TextPart() | ThinkingPart() if not (part.content or signature):
            return []
        case TextPart():
            return [{"text": part.content, **seal}]
        case ThinkingPart():
            return [{"text": part.content, "thought": True, **seal}]
        case ToolCallPart():
            call = {"id": part.tool_call_id, "name": part.tool_name, "args": arguments_of(part)}
            return [{"functionCall": call, **seal}]
        case _:
            assert_never(part)


def _tools(settings: ModelSettings, parameters: ModelRequestParameters, model_name: str, system: str) -> JSON:
    choice = tool_choice(settings, parameters)
    given: Mapping[str, object] = dict(settings)
    builtin = cast("list[JSON]", given.get("gemini_builtin_tools", []))  # cast: the type of that setting
    declared = [{"functionDeclarations": [_tool(tool) for tool in choice.tools]}] if choice.tools else []
    config: JSON = {"functionCallingConfig": _calling(choice)} if choice.mode != "auto" else {}
    if builtin and declared and system != VERTEX and is_since(model_name, (3, 0)):
        # Both kinds at once are refused without it: https://ai.google.dev/gemini-api/docs/tool-combination
        config["includeServerSideToolInvocations"] = True
    body: JSON = {"tools": [*builtin, *declared]} if builtin or declared else {}
    return {**body, "toolConfig": config} if config else body


def _calling(choice: ToolChoice) -> JSON:
    if choice.mode == "none":
        return {"mode": "NONE"}
    return {"mode": "ANY", "allowedFunctionNames": choice.named} if choice.named else {"mode": "ANY"}


def _tool(tool: ToolDefinition) -> JSON:
    return {
        "name": tool.name,
        "description": tool.description,
        "parametersJsonSchema": gemini_schema(tool.parameters_json_schema),
    }
