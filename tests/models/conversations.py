"""The reference conversations, as messages, tools and settings of ours."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from agentgraph.model import ModelRequestParameters, ResultFormat, ToolDefinition
from agentgraph.settings import ModelSettings
from tests.shared_data import shared

JSON = dict[str, Any]  # Any: JSON


@dataclass(frozen=True)
class Conversation:
    name: str
    messages: list[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters
    stream: bool


def conversations() -> dict[str, Conversation]:
    read = map(_conversation, _rows("conversations"))
    return {conversation.name: conversation for conversation in read}


def references(provider: str) -> dict[str, JSON]:
    """What the reference client sends, by the name of the conversation."""
    return {row["conversation"]: row for row in _rows(provider) if "request" in row}


def _rows(name: str) -> list[JSON]:
    lines = shared(f"wire/{name}.jsonl").read_text(encoding="utf-8").split("\n")  # splitlines would cut texts
    return [json.loads(line) for line in lines if line]


def _conversation(row: JSON) -> Conversation:
    output: JSON = row.get("output", {})
    settings = cast("ModelSettings", row.get("settings", {}))  # cast: the keys are those of ModelSettings
    parameters = ModelRequestParameters(
        [_tool(tool) for tool in row.get("tools", [])],
        output.get("allow_text", True),
        [_tool(tool) for tool in output.get("tools", [])],
        ResultFormat("native", output["name"], output["schema"]) if output.get("mode") == "json_schema" else None,
    )
    messages = _messages(row["messages"], row.get("instructions"))
    return Conversation(row["name"], messages, settings, parameters, row.get("stream", False))


def _tool(tool: JSON) -> ToolDefinition:
    return ToolDefinition(tool["name"], tool["description"], tool["parameters"])


def _messages(rows: list[JSON], instructions: str | None) -> list[ModelMessage]:
    messages: list[ModelMessage] = []
    for from_model, group in groupby(rows, key=lambda row: row["role"] == "assistant"):
        if from_model:
            messages += [ModelResponse([_reply_part(item) for item in row["content"]]) for row in group]
        else:
            messages.append(ModelRequest([_request_part(row) for row in group]))
    if instructions is not None:
        # We have no place for them but a further system prompt.
        first = cast("ModelRequest", messages[0])  # cast: no conversation begins with a reply
        systems = [part for part in first.parts if isinstance(part, SystemPromptPart)]
        first.parts.insert(len(systems), SystemPromptPart(instructions))
    return messages


def _request_part(row: JSON) -> ModelRequestPart:
    match row["role"]:
        case "system":
            return SystemPromptPart(row["content"])
        case "user":
            content = [_content(item) for item in row["content"]]
            only_text = len(content) == 1 and isinstance(content[0], str)
            return UserPromptPart(row["content"][0]["text"] if only_text else content)
        case "tool":
            return ToolReturnPart(row["name"], row["result"], row["id"])
        case _:
            return RetryPromptPart(row["text"], row.get("name"), row.get("id"))


def _content(item: JSON) -> UserContent:
    match item["type"]:
        case "text":
            text: str = item["text"]
            return text
        case "image_url":
            return ImageUrl(item["url"])
        case "audio_url":
            return AudioUrl(item["url"])
        case "document_url":
            return DocumentUrl(item["url"])
        case _:
            return BinaryContent(base64.b64decode(item["base64"]), item["media_type"])


def _reply_part(item: JSON) -> ModelResponsePart:
    match item["type"]:
        case "text":
            return TextPart(item["text"])
        case "tool_call":
            return ToolCallPart(item["name"], item["args"], item["id"])
        case _:
            return ThinkingPart(item["text"], item.get("id"), item["signature"])
