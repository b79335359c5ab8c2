"""Settings of a model request that most services understand."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

__all__ = ["ModelSettings", "merge_model_settings"]


class ModelSettings(TypedDict, total=False):
    """Settings of a request; what a service does not know is not sent to it.

    Each model class adds those of its own service under a prefix, such as `openai_reasoning_effort`.
    """

    max_tokens: int
    """The most tokens that the reply may have."""
    temperature: float
    """How random the reply is; 0 is the least."""
    top_p: float
    """Choose only among the likeliest tokens that together have this probability."""
    timeout: float
    """Seconds before the request is given up."""
    parallel_tool_calls: bool
    """Whether one reply may hold several tool calls."""
    seed: int
    """Ask for the same reply to the same request, where the service can."""
    presence_penalty: float
    """Disfavour tokens that were used at all."""
    frequency_penalty: float
    """Disfavour tokens by how often they were used."""
    logit_bias: dict[str, int]
    """Change the likelihood of tokens, by token id."""
    stop_sequences: list[str]
    """Texts at which the reply ends."""
    thinking: Literal["low", "medium", "high"] | int
    """How much to think: an effort, or a budget in tokens."""
    tool_choice: Literal["auto", "required", "none"] | list[str]
    """Whether tools may or must be called; a list: one of those must be."""
    extra_headers: dict[str, str]
    """Headers to add to the HTTP request; never stored with a run."""
    extra_body: object
    """Fields to merge into the request's body; never stored with a run."""


def merge_model_settings(base: ModelSettings | None, overrides: ModelSettings | None) -> ModelSettings | None:
    """Put `overrides` over `base`, key by key; neither is changed."""
    if base and overrides:
        return base | overrides
    return base or overrides
