"""Names of models: which class a prefix stands for, and what somebody may have meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import get_args

from .known_names import KnownModelName

__all__ = ["FAMILIES", "nearest_names", "protocol_of", "protocols", "split_name"]

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
    "perplexity": "openai_responses:OpenAIResponsesModel",
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
BY_RESPONSES = re.compile(
    r"gpt-(5\.([4-9]|\d\d)|([6-9]|\d\d)(\.\d+)?)(-(?!chat)|$)|(gpt-5|o\d)\S*-(pro|codex|deep-research)\b"
)
"""The models of OpenAI that its chat refuses, or refuses to let think and call tools in one request."""


@cache
def protocols() -> Mapping[str, str]:
    """The class behind each prefix."""
    # Late, since programs that use no network name no service.
    from agentgraph.providers.services import SERVICES

    return {**dict.fromkeys(SERVICES, "openai:OpenAIModel"), **OWN_PROTOCOLS}


def protocol_of(prefix: str, model_name: str) -> str:
    """The class for a model of a service: the usual one of its prefix, or the one that serves all of the model."""
    by_responses = prefix == "openai" and BY_RESPONSES.match(model_name)
    return protocols()["openai-responses" if by_responses else prefix]


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
