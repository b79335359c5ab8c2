"""Names of models: those that editors offer, which class a prefix stands for, and what somebody may have meant."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Literal, TypeAlias, get_args

__all__ = ["FAMILIES", "KnownModelName", "nearest_names", "protocols", "split_name"]

KnownModelName: TypeAlias = Literal[
    "anthropic:claude-3-5-haiku-latest",
    "anthropic:claude-haiku-4-5",
    "anthropic:claude-opus-4-1",
    "anthropic:claude-opus-4-5",
    "anthropic:claude-opus-4-6",
    "anthropic:claude-opus-4-7",
    "anthropic:claude-opus-4-8",
    "anthropic:claude-opus-5",
    "anthropic:claude-sonnet-4-0",
    "anthropic:claude-sonnet-4-5",
    "anthropic:claude-sonnet-4-6",
    "anthropic:claude-sonnet-5",
    "bedrock:amazon.nova-lite-v1:0",
    "bedrock:amazon.nova-micro-v1:0",
    "bedrock:amazon.nova-pro-v1:0",
    "bedrock:minimax.minimax-m2",
    "bedrock:moonshot.kimi-k2-thinking",
    "bedrock:openai.gpt-oss-120b-1:0",
    "bedrock:us.amazon.nova-2-lite-v1:0",
    "bedrock:us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "bedrock:us.anthropic.claude-sonnet-4-6",
    "bedrock:us.meta.llama4-maverick-17b-instruct-v1:0",
    "cerebras:gpt-oss-120b",
    "cerebras:zai-glm-4.7",
    "cohere:command-a-03-2025",
    "cohere:command-a-reasoning-08-2025",
    "cohere:command-a-vision-07-2025",
    "cohere:command-r-plus-08-2024",
    "cohere:command-r7b-12-2024",
    "deepseek:deepseek-chat",
    "deepseek:deepseek-reasoner",
    "google-gla:gemini-2.0-flash",
    "google-gla:gemini-2.5-flash",
    "google-gla:gemini-2.5-flash-lite",
    "google-gla:gemini-2.5-pro",
    "google-gla:gemini-3-flash-preview",
    "google-gla:gemini-3-pro-preview",
    "google-gla:gemini-3.5-flash",
    "google-gla:gemini-flash-latest",
    "google-vertex:gemini-2.5-flash",
    "google-vertex:gemini-2.5-flash-lite",
    "google-vertex:gemini-2.5-pro",
    "google-vertex:gemini-3-flash-preview",
    "google-vertex:gemini-3-pro-preview",
    "groq:llama-3.1-8b-instant",
    "groq:llama-3.3-70b-versatile",
    "groq:meta-llama/llama-4-scout-17b-16e-instruct",
    "groq:openai/gpt-oss-120b",
    "groq:openai/gpt-oss-20b",
    "groq:qwen/qwen3-32b",
    "mistral:codestral-latest",
    "mistral:magistral-medium-latest",
    "mistral:mistral-large-latest",
    "mistral:mistral-medium-latest",
    "mistral:mistral-small-latest",
    "moonshot:kimi-k2-thinking",
    "openai-responses:gpt-5",
    "openai-responses:gpt-5-mini",
    "openai-responses:gpt-5.2",
    "openai-responses:gpt-5.4",
    "openai-responses:o3",
    "openai:gpt-4.1",
    "openai:gpt-4.1-mini",
    "openai:gpt-4.1-nano",
    "openai:gpt-4o",
    "openai:gpt-4o-audio-preview",
    "openai:gpt-4o-mini",
    "openai:gpt-5",
    "openai:gpt-5-mini",
    "openai:gpt-5-nano",
    "openai:gpt-5.1",
    "openai:gpt-5.2",
    "openai:gpt-5.4",
    "openai:gpt-5.4-mini",
    "openai:o1",
    "openai:o3",
    "openai:o3-mini",
    "openai:o4-mini",
    "perplexity:sonar",
    "perplexity:sonar-pro",
    "perplexity:sonar-reasoning-pro",
    "test",
    "xai:grok-3-mini",
    "xai:grok-4",
    "zai:glm-4.6v",
    "zai:glm-4.7",
    "zai:glm-5.2",
]
"""Names that editors offer; any other `provider:name` works as well."""

OWN_PROTOCOLS: Mapping[str, str] = {
    "anthropic": "anthropic:AnthropicModel",
    "azure": "openai:OpenAIModel",
    "bedrock": "bedrock:BedrockConverseModel",
    "cohere": "cohere:CohereModel",
    "google-gla": "gemini:GeminiModel",
    "google-vertex": "gemini:GeminiModel",
    "groq": "groq:GroqModel",
    "mistral": "mistral:MistralModel",
    "openai-responses": "openai_responses:OpenAIResponsesModel",
}
"""The class behind each prefix, as `module:class` below this package, but for the services of `SERVICES`."""

FAMILIES: Mapping[str, str] = {
    "gpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "claude": "anthropic",
    "gemini": "google-gla",
}
"""The prefix that a name without one stands for, by how it begins."""


@cache
def protocols() -> Mapping[str, str]:
    """The class behind each prefix."""
    # Late, since programs that use no network name no service.
    from agentgraph.providers.services import SERVICES

    return {**dict.fromkeys(SERVICES, "openai:OpenAIModel"), **OWN_PROTOCOLS}


def split_name(name: str) -> tuple[str, str] | None:
    """The prefix and the service's own name of the model; None if the name is none."""
    prefix, colon, own = name.partition(":")
    if colon:
        return (prefix, own) if prefix in protocols() and own else None
    return next(((prefix, name) for begin, prefix in FAMILIES.items() if name.startswith(begin)), None)


def nearest_names(name: str) -> list[str]:
    """Up to three names that come near this one, the nearest first."""
    prefix, colon, own = name.partition(":")
    known: list[str] = list(get_args(KnownModelName))
    near = get_close_matches(name, known, cutoff=0.7)
    if colon and not near:
        near = [f"{meant}:{own}" for meant in get_close_matches(prefix, protocols())]
    elif not near:
        bare = {entry.partition(":")[2] or entry: entry for entry in known}
        near = [bare[meant] for meant in get_close_matches(name, bare)]
    return near
