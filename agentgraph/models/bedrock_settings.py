"""Settings of Bedrock's protocol: those of every model, those of its own, and how both become fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from agentgraph.settings import ModelSettings

from .claude import claude_profile, refused_sampling, thinking_fields
from .effort import effort_of
from .wire import JSON

__all__ = ["BedrockModelSettings", "BedrockProfile", "CacheFor", "bedrock_profile", "cache_point", "encode_settings"]

CacheFor: TypeAlias = bool | Literal["5m", "1h"]
"""Whether, or for how long, what comes up to a place is kept in the service's cache; True: its own time."""


class BedrockModelSettings(ModelSettings, total=False):
    """Settings that Bedrock's protocol has beside the common ones; most are fields of its Converse API."""

    bedrock_guardrail_config: dict[str, Any]  # Any: JSON
    """Which guardrail looks at the request and the reply."""
    bedrock_performance_configuration: dict[str, Any]  # Any: JSON
    """Whether the reply should come quickly, such as `{"latency": "optimized"}`."""
    bedrock_request_metadata: dict[str, str]
    """What the request is found by in the service's logs."""
    bedrock_prompt_variables: dict[str, Any]  # Any: JSON
    """What is filled into a prompt that the service keeps."""
    bedrock_service_tier: Literal["priority", "default", "flex", "reserved"]
    """How quickly, and at what price, the request is served."""
    bedrock_additional_model_requests_fields: dict[str, Any]  # Any: JSON
    """Fields for the model itself, which the service hands on."""
    bedrock_additional_model_response_fields_paths: list[str]
    """Which of the model's own fields to hand back, in `ModelResponse.provider_details`."""
    bedrock_service_tools: list[str]
    """Names of tools that the service runs by itself, offered beside those of the request."""
    bedrock_cache_tools: CacheFor
    """Cache the definitions of the tools."""
    bedrock_cache_system: CacheFor
    """Cache the system prompts, and the tools with them."""
    bedrock_cache_messages: CacheFor
    """Cache the whole conversation up to its end."""


INFERENCE: Mapping[str, str] = {
    "max_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop_sequences": "stopSequences",
}
FIELDS: Mapping[str, str] = {
    "bedrock_guardrail_config": "guardrailConfig",
    "bedrock_performance_configuration": "performanceConfig",
    "bedrock_request_metadata": "requestMetadata",
    "bedrock_prompt_variables": "promptVariables",
    "bedrock_additional_model_response_fields_paths": "additionalModelResponseFieldPaths",
}
NO_CHOICE = ("meta.", "cohere.", "ai21.", "pixtral")
"""Models, by parts of their names, that refuse `toolChoice`."""
NO_JSON_SCHEMA = ("amazon.", "meta.", "cohere.", "ai21.", "pixtral")
"""Models that cannot be held to a schema: https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html"""
CHOICE_BY_NAME = ("claude", "amazon.nova")
"""Models that can be made to call one tool: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html"""

HARD_THINKING = frozenset({"temperature", "top_p", "max_tokens"})
"""What Nova refuses together with the highest effort:
https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html"""


@dataclass(frozen=True, kw_only=True)
class BedrockProfile:
    """What one model takes."""

    tool_choice: bool = True
    """Whether a call of some tool can be demanded."""
    choice_by_name: bool = False
    """Whether the call of one tool can be demanded."""
    json_schema: bool = True
    """Whether there is a mode for JSON that follows a schema."""


def bedrock_profile(model_name: str) -> BedrockProfile:
    """What the model of this name takes."""
    return BedrockProfile(
        tool_choice=not any(part in model_name for part in NO_CHOICE),
        choice_by_name=any(part in model_name for part in CHOICE_BY_NAME),
        json_schema=claude_profile(model_name).json_schema and not any(part in model_name for part in NO_JSON_SCHEMA),
    )


def encode_settings(settings: ModelSettings, model_name: str) -> JSON:
    """The fields that the settings stand for, but for those about tools and caching."""
    given: Mapping[str, Any] = dict(settings)  # Any: each key has its own type
    thinking = _thinking(given["thinking"], model_name, given.get("max_tokens")) if "thinking" in given else {}
    own: JSON = {**thinking, **given.get("bedrock_additional_model_requests_fields", {})}
    refused = _refused(own, model_name, given.get("top_p"))
    inference = {field: given[name] for name, field in INFERENCE.items() if name in given and name not in refused}
    body: JSON = {"inferenceConfig": inference, "additionalModelRequestFields": own}
    body |= {field: given[name] for name, field in FIELDS.items() if name in given}
    if "bedrock_service_tier" in given:
        body["serviceTier"] = {"type": given["bedrock_service_tier"]}
    return {name: value for name, value in body.items() if value}


def cache_point(settings: ModelSettings, place: Literal["tools", "system", "messages"]) -> list[JSON]:
    """The block that says to cache what stands before it; none if this place is not cached."""
    given: Mapping[str, Any] = dict(settings)  # Any: the type of one key is known below
    wanted: CacheFor = given.get(f"bedrock_cache_{place}", False)
    if not wanted:
        return []
    ttl = {} if wanted is True else {"ttl": wanted}
    return [{"cachePoint": {"type": "default", **ttl}}]


def _thinking(asked: object, model_name: str, max_tokens: int | None) -> JSON:
    if "claude" in model_name:
        return thinking_fields(asked, claude_profile(model_name), max_tokens)
    if "nova-2" in model_name:
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort_of(asked)}}
    return {"reasoning_effort": effort_of(asked)} if "gpt-oss" in model_name else {}


def _refused(own: JSON, model_name: str, top_p: float | None) -> frozenset[str]:
    """The common settings that the model refuses, some of them only while it thinks."""
    if "claude" in model_name:
        return refused_sampling(claude_profile(model_name), own, top_p)
    hard = own.get("reasoningConfig", {}).get("maxReasoningEffort") == "high"
    return HARD_THINKING if hard else frozenset()
