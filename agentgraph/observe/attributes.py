"""Requests, replies and calls in the words of OpenTelemetry's conventions for generative AI. Pure, and no content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from agentgraph.agent import RequestStarted
from agentgraph.messages import ModelResponse, ToolCallPart
from agentgraph.model import Model
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

__all__ = ["Attributes", "call_attributes", "model_attributes", "reply_attributes", "request_attributes"]

Value: TypeAlias = str | bool | int | float | Sequence[str]
Attributes: TypeAlias = dict[str, Value]

PROVIDERS: Mapping[str, str] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
"""What the conventions call providers that have another name here."""

PORTS: Mapping[str, int] = {"https": 443, "http": 80}


def model_attributes(model: Model, operation: str) -> Attributes:
    """Which model is asked, and where."""
    named: Attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDERS.get(model.system, model.system),
        "gen_ai.system": model.system,  # what backends read that know the conventions of before August 2025
        "gen_ai.request.model": model.model_name,
    }
    return named | _server(model.base_url)


def request_attributes(request: RequestStarted) -> Attributes:
    """How the model is asked."""
    settings: ModelSettings = request.settings or {}
    text = request.parameters.allow_text_result and request.parameters.result_format is None
    told: dict[str, Value | None] = {
        "gen_ai.request.max_tokens": settings.get("max_tokens"),
        "gen_ai.request.temperature": settings.get("temperature"),
        "gen_ai.request.top_p": settings.get("top_p"),
        "gen_ai.request.seed": settings.get("seed"),
        "gen_ai.request.presence_penalty": settings.get("presence_penalty"),
        "gen_ai.request.frequency_penalty": settings.get("frequency_penalty"),
        "gen_ai.request.stop_sequences": settings.get("stop_sequences"),
        "gen_ai.output.type": "text" if text else "json",
    }
    return {name: value for name, value in told.items() if value is not None}


def reply_attributes(reply: ModelResponse | None, usage: Usage | None) -> Attributes:
    """Who replied, why the reply ended, and what it cost."""
    told: Attributes = {}
    if usage is not None:
        told.update(usage.opentelemetry_attributes())
    if reply is None:
        return told
    if reply.model_name is not None:
        told["gen_ai.response.model"] = reply.model_name
    if reply.provider_response_id is not None:
        told["gen_ai.response.id"] = reply.provider_response_id
    if reply.finish_reason is not None:
        told["gen_ai.response.finish_reasons"] = [reply.finish_reason]
    return told


def call_attributes(call: ToolCallPart) -> Attributes:
    """Which tool is called."""
    told: Attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.tool_name,
        "gen_ai.tool.type": "function",
    }
    if call.tool_call_id is not None:
        told["gen_ai.tool.call.id"] = call.tool_call_id
    return told


def _server(base_url: str | None) -> Attributes:
    # The host and nothing else: a URL may hold a key.
    parts = urlsplit(base_url or "")
    if parts.hostname is None:
        return {}
    port = parts.port or PORTS.get(parts.scheme)
    return (
        {"server.address": parts.hostname}
        if port is None
        else {
            "server.address": parts.hostname,
            "server.port": port,
        }
    )
