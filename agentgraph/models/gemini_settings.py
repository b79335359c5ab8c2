"""Settings of Gemini: those of every model, those of its own, and how both become fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from typing_extensions import TypedDict

from agentgraph.settings import ModelSettings

from .budget import budget_of
from .effort import effort_of
from .wire import JSON

__all__ = ["GeminiModelSettings", "GeminiSafetySettings", "encode_settings", "generation_of"]


class GeminiSafetySettings(TypedDict):
    """From which probability on what kind of harm is blocked."""

    category: str
    """Such as `HARM_CATEGORY_HARASSMENT`."""
    threshold: str
    """Such as `BLOCK_ONLY_HIGH`."""


class GeminiModelSettings(ModelSettings, total=False):
    """Settings that Gemini has beside the common ones."""

    gemini_safety_settings: list[GeminiSafetySettings]
    """What is blocked."""
    gemini_thinking_config: JSON
    """How to think, in the service's own fields; wins over `thinking`."""
    gemini_cached_content: str
    """The name of cached content. Tools and system prompts are those that it was cached with; ours are left out."""
    gemini_builtin_tools: list[JSON]
    """Tools that the service runs itself, such as `{"googleSearch": {}}`."""
    gemini_response_modalities: list[str]
    """What to answer with, such as `["TEXT", "IMAGE"]`; images are kept in `provider_details`."""
    gemini_media_resolution: str
    """How closely to look at media, such as `MEDIA_RESOLUTION_LOW`."""
    gemini_labels: dict[str, str]
    """What the bill is broken down by; Vertex AI alone."""


GENERATED: Mapping[str, str] = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "stop_sequences": "stopSequences",
    "gemini_response_modalities": "responseModalities",
    "gemini_media_resolution": "mediaResolution",
}
BESIDE: Mapping[str, str] = {
    "gemini_safety_settings": "safetySettings",
    "gemini_cached_content": "cachedContent",
    "gemini_labels": "labels",
}
PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})
"""What models refuse since the fourth generation, as they do a budget for thinking."""
GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")


def generation_of(model_name: str) -> tuple[int, int] | None:
    """The generation in a model's name, such as (2, 5); None for names without one, such as `gemini-flash-latest`."""
    found = GENERATION.search(model_name)
    return None if found is None else (int(found[1]), int(found[2] or 0))


def encode_settings(settings: ModelSettings | None, model_name: str) -> JSON:
    """The fields that the settings stand for, but for those about tools and without `extra_body`."""
    given: Mapping[str, object] = dict(settings or {})
    refused = PENALTIES if _is_since_4(model_name) else frozenset[str]()
    generated: JSON = {wire: given[name] for name, wire in GENERATED.items() if name in given and name not in refused}
    thinking = _thinking(given.get("thinking"), model_name)
    thinking |= cast("JSON", given.get("gemini_thinking_config", {}))  # cast: the type of that setting
    if thinking:
        generated["thinkingConfig"] = thinking
    body: JSON = {wire: given[name] for name, wire in BESIDE.items() if name in given}
    return {**body, "generationConfig": generated} if generated else body


def _is_since_4(model_name: str) -> bool:
    return (generation_of(model_name) or (0, 0)) >= (4, 0)


def _thinking(asked: object, model_name: str) -> JSON:
    generation = generation_of(model_name)
    if asked is None or "gemma" in model_name or (generation is not None and generation < (2, 5)):
        return {}
    if isinstance(asked, int) and not _is_since_4(model_name):
        return {"includeThoughts": asked != 0, "thinkingBudget": asked}
    if generation is None or generation < (3, 0):
        return {"includeThoughts": True, "thinkingBudget": budget_of(asked)}
    # https://ai.google.dev/gemini-api/docs/thinking: the first of the third generation knows low and high alone.
    level = "high" if asked == "medium" and "gemini-3-pro" in model_name else str(effort_of(asked))
    return {"includeThoughts": True, "thinkingLevel": level.upper()}
