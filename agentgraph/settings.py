"""Settings of a model request that most services understand."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

__all__ = ["DownloadSettings", "ModelSettings", "merge_model_settings"]


class DownloadSettings(TypedDict, total=False):
    """How media are downloaded whose URL the model's service does not fetch by itself."""

    max_bytes: int
    """The most bytes that one of them may have, after decompression; 33554432 (32 MiB) unless said otherwise."""
    timeout: float
    """Seconds for one of them, redirects included; 60 unless said otherwise."""
    allow_private: bool
    """Whether addresses may be asked that are not public: this machine's, a private network's, a cloud's metadata
    service. Leave it off wherever others than yourself choose the URLs."""
    always: bool
    """Whether to download what the service would fetch by itself, too: for URLs that only this machine can reach."""


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
    downloads: DownloadSettings
    """Bounds and permissions of downloads, for media whose URL the service does not fetch by itself."""
    extra_headers: dict[str, str]
    """Headers to add to the HTTP request; never stored with a run."""
    extra_body: object
    """Fields to merge into the request's body; never stored with a run."""


def merge_model_settings(base: ModelSettings | None, overrides: ModelSettings | None) -> ModelSettings | None:
    """Put `overrides` over `base`, key by key; neither is changed."""
    if base and overrides:
        return base | overrides
    return base or overrides
