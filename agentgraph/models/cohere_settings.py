"""Settings of Cohere's protocol: those of every model, those of its own, and how both become fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from agentgraph.settings import ModelSettings

from .budget import budget_of
from .wire import JSON

__all__ = ["CohereModelSettings", "encode_settings"]


class CohereModelSettings(ModelSettings, total=False):
    """Settings that Cohere has beside the common ones; each is the field without `cohere_`."""

    cohere_k: int
    """Choose only among so many of the likeliest tokens."""
    cohere_safety_mode: Literal["CONTEXTUAL", "STRICT", "OFF"]
    """Which safety instruction goes with the prompt."""
    cohere_documents: list[JSON | str]
    """What the reply may cite; the citations are in `ModelResponse.provider_details`."""
    cohere_citation_options: JSON
    """How carefully to cite, or not at all."""
    cohere_strict_tools: bool
    """Whether calls are forced to follow the schemas."""
    cohere_logprobs: bool
    """Whether to report the probabilities of the reply's tokens, in `ModelResponse.provider_details`."""
    cohere_priority: int
    """How early the request is served under load; 0 is the first."""


FIELDS: Mapping[str, str] = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "stop_sequences": "stop_sequences",
    **{
        name: name.removeprefix("cohere_") for name in CohereModelSettings.__annotations__ if name.startswith("cohere_")
    },
}
THINKS_NEVER = re.compile(r"command(-(r|light|nightly|a-03|a-vision|a-translate)|$)|c4ai")
"""Models from before there was thinking; they refuse to be asked for it."""


def encode_settings(settings: ModelSettings, model_name: str) -> JSON:
    """The fields that the settings stand for, but for those about the choice of tools and without `extra_body`."""
    given: Mapping[str, object] = dict(settings)
    body: JSON = {wire: given[name] for name, wire in FIELDS.items() if name in given}
    if "thinking" in given and not THINKS_NEVER.match(model_name):
        budget = budget_of(given["thinking"])
        body["thinking"] = {"type": "enabled", "token_budget": budget} if budget else {"type": "disabled"}
    return body
