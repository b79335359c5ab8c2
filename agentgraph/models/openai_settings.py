"""Settings of OpenAI's chat protocol: those of every model, those of its own, and how both become fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, assert_never

from agentgraph.exceptions import UserError
from agentgraph.providers.services import ChatProfile
from agentgraph.settings import ModelSettings

from .effort import effort_of

__all__ = ["OpenAIModelSettings", "encode_settings", "profile_of"]


class OpenAIModelSettings(ModelSettings, total=False):
    """Settings that OpenAI's chat protocol has beside the common ones; each is the field without `openai_`."""

    openai_reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"]
    """How much to think; wins over `thinking`."""
    openai_verbosity: Literal["low", "medium", "high"]
    """How long the answer should be."""
    openai_user: str
    """Your own id of the person asking."""
    openai_safety_identifier: str
    """Your own id of the person asking, hashed, for the detection of abuse."""
    openai_service_tier: Literal["auto", "default", "flex", "priority"]
    """How quickly, and at what price, the request is served."""
    openai_logprobs: bool
    """Whether to report the probabilities of the reply's tokens, in `ModelResponse.provider_details`."""
    openai_top_logprobs: int
    """How many of the likeliest tokens to report at each place."""
    openai_store: bool
    """Whether the service keeps the reply."""
    openai_metadata: dict[str, str]
    """What it is kept with."""
    openai_prediction: dict[str, Any]  # Any: JSON
    """Text that most of the reply is expected to repeat."""
    openai_prompt_cache_key: str
    """Requests of the same key are routed to where their common beginning is cached."""


SAME = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "seed")
PREFIX = "openai_"
PREFIXED = frozenset(name for name in OpenAIModelSettings.__annotations__ if name.startswith(PREFIX))
# What models that always think refuse: https://platform.openai.com/docs/guides/reasoning
SAMPLING = frozenset(
    {"temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "stop"}
)
THINKS_ALWAYS = re.compile(r"(o[1-9]|gpt-5)(-(?!chat)|$)")
THINKS_NEVER = re.compile(r"gpt-(3\.5|4)|chatgpt-")
NO_SYSTEM_ROLE = re.compile(r"o1-(mini|preview)")


def profile_of(service: ChatProfile, model_name: str) -> ChatProfile:
    """What a service wants for one of its models: OpenAI's own have their rules wherever they are served."""
    name = model_name.rpartition("/")[2].lower()
    if NO_SYSTEM_ROLE.match(name):
        service = replace(service, system_role="user")
    if THINKS_ALWAYS.match(name):
        return replace(service, sampling=False)
    return replace(service, effort=None) if THINKS_NEVER.match(name) else service


def encode_settings(settings: ModelSettings | None, profile: ChatProfile) -> dict[str, Any]:  # Any: JSON
    """The fields that the settings stand for, but for those about tools.

    Raises:
        UserError: `extra_body` is no mapping.
    """
    given: Mapping[str, object] = dict(settings or {})
    body: dict[str, Any] = {name: given[name] for name in SAME if name in given}  # Any: JSON
    if "max_tokens" in given:
        body[profile.max_tokens] = given["max_tokens"]
    if "stop_sequences" in given:
        body["stop"] = given["stop_sequences"]
    if "thinking" in given:
        body |= _thinking(given["thinking"], profile)
    body |= {name.removeprefix(PREFIX): given[name] for name in given if name in PREFIXED}
    if not profile.sampling:
        body = {name: value for name, value in body.items() if name not in SAMPLING}
    extra = given.get("extra_body")
    if extra is None:
        return body
    if not isinstance(extra, Mapping):
        raise UserError(f"extra_body has to be a mapping, not {type(extra).__name__}")
    return {**body, **extra}


def _thinking(asked: object, profile: ChatProfile) -> dict[str, Any]:  # Any: JSON
    match profile.effort:
        case None:
            return {}
        case "reasoning_effort":
            return {"reasoning_effort": effort_of(asked)}
        case "reasoning":
            return {"reasoning": {"max_tokens": asked} if isinstance(asked, int) else {"effort": asked}}
        case "thinking":
            return {"thinking": {"type": "enabled"}}
        case _:
            assert_never(profile.effort)
