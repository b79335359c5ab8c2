"""Settings of Anthropic's protocol: those of every model, those of its own, and how both become fields and headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from agentgraph.settings import ModelSettings

from .claude import SAMPLING, ClaudeProfile, refused_sampling, thinking_fields
from .wire import JSON, as_object, count

__all__ = [
    "AnthropicModelSettings",
    "CacheFor",
    "cache_mark",
    "encode_headers",
    "encode_settings",
    "with_dropped_thoughts",
]

CacheFor: TypeAlias = bool | Literal["5m", "1h"]
"""Whether, or for how long, what comes up to a place is kept in the service's cache; True: its own five minutes."""


class AnthropicModelSettings(ModelSettings, total=False):
    """Settings that Anthropic's protocol has beside the common ones; most are the field without `anthropic_`."""

    anthropic_metadata: dict[str, Any]  # Any: JSON
    """What the request is about, such as `{"user_id": …}`: your own opaque id of the person asking."""
    anthropic_top_k: int
    """Choose only among so many of the likeliest tokens."""
    anthropic_thinking: dict[str, Any]  # Any: JSON
    """The protocol's own field for thinking; wins over `thinking`."""
    anthropic_effort: Literal["low", "medium", "high", "xhigh", "max"]
    """How much effort the whole reply is worth; wins over that of `thinking`."""
    anthropic_service_tier: Literal["auto", "standard_only"]
    """Whether capacity that was bought beforehand may serve the request."""
    anthropic_container: str | dict[str, Any]  # Any: JSON
    """The container that the service runs code in, from the `provider_details` of an earlier reply."""
    anthropic_mcp_servers: list[dict[str, Any]]  # Any: JSON
    """Servers whose tools the service calls by itself."""
    anthropic_context_management: dict[str, Any]  # Any: JSON
    """How the service shortens a long conversation."""
    anthropic_service_tools: list[dict[str, Any]]  # Any: JSON
    """Tools that the service runs by itself, as it defines them; they are offered beside those of the request."""
    anthropic_betas: list[str]
    """Features to switch on, by their names in the header `anthropic-beta`."""
    anthropic_cache_tools: CacheFor
    """Cache the definitions of the tools."""
    anthropic_cache_system: CacheFor
    """Cache the system prompts, and the tools with them."""
    anthropic_cache_messages: CacheFor
    """Cache the whole conversation up to its end."""


VERSION, SAMPLING_VERSION = "2026-10-21", "2023-06-01"
"""The version of the API, and the one before it, the last that knows `temperature`, `top_p` and `top_k`: it is asked
for where a request has these, which older models take, and where others than Claude are served by the protocol.
https://platform.claude.com/docs/en/api/migration-2026-10-21"""
BETA = "anthropic-beta"
BINDING = "thinking-binding-controls-2026-08-01"
"""The feature that lets a request say what becomes of thoughts before which something has changed."""
PREFIX = "anthropic_"
SAME = ("temperature", "top_p", "stop_sequences")
PREFIXED = ("metadata", "top_k", "thinking", "service_tier", "container", "mcp_servers", "context_management")


def encode_settings(settings: ModelSettings, profile: ClaudeProfile) -> JSON:
    """The fields that the settings stand for, but for those about tools and caching."""
    given: Mapping[str, object] = dict(settings)
    body: JSON = {name: given[name] for name in SAME if name in given}
    bound = settings.get("max_tokens")
    if "thinking" in given:
        body |= thinking_fields(given["thinking"], profile, bound or profile.max_tokens)
    body |= {name: given[PREFIX + name] for name in PREFIXED if PREFIX + name in given}
    if "anthropic_effort" in given:
        body["output_config"] = {"effort": given["anthropic_effort"]}
    budget = count(body.get("thinking", {}), "budget_tokens") or 0
    # A budget is part of the reply's bound and has to be smaller.
    room = profile.max_tokens if budget < profile.max_tokens else budget + profile.max_tokens
    body["max_tokens"] = room if bound is None else bound
    refused = refused_sampling(profile, body, settings.get("top_p"))
    return {name: value for name, value in body.items() if name not in refused}


def with_dropped_thoughts(thinking: JSON) -> JSON:
    """The field `thinking`, saying to drop thoughts before which something has changed, instead of an error.

    A tool or a system prompt that comes or goes in the middle of a run is such a change.
    https://platform.claude.com/docs/en/build-with-claude/preserved-thinking
    """
    adaptive = {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}, **thinking}
    return adaptive if adaptive["type"] == "adaptive" else thinking


def encode_headers(settings: ModelSettings, body: JSON) -> dict[str, str]:
    """The headers of a body beside the key: the version of the API, features, and those that the caller adds."""
    given: Mapping[str, Any] = dict(settings)  # Any: the type of one key is known below
    extra = {name.lower(): value for name, value in settings.get("extra_headers", {}).items()}
    betas: list[str] = [*given.get("anthropic_betas", []), *filter(None, extra.pop(BETA, "").split(","))]
    if "block_binding" in as_object(body.get("thinking")) and BINDING not in betas:
        betas.append(BINDING)
    beta = {BETA: ",".join(betas)} if betas else {}
    newest = not SAMPLING & body.keys() and "claude" in str(body.get("model"))
    return {"anthropic-version": VERSION if newest else SAMPLING_VERSION, **beta, **extra}


def cache_mark(settings: ModelSettings, place: Literal["tools", "system", "messages"]) -> JSON:
    """The field that marks a block as the last one to cache; empty if this place is not cached."""
    given: Mapping[str, Any] = dict(settings)  # Any: the type of one key is known below
    wanted: CacheFor = given.get(f"anthropic_cache_{place}", False)
    if not wanted:
        return {}
    ttl = {} if wanted is True else {"ttl": wanted}
    return {"cache_control": {"type": "ephemeral", **ttl}}
