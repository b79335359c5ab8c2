"""Settings of OpenAI's chat protocol: those of every model, those of its own, and how both become fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, assert_never

from agentgraph.providers.services import ChatProfile
from agentgraph.settings import ModelSettings

from .claude import claude_profile
from .effort import effort_of
from .wire import JSON

__all__ = ["SAMPLING", "OpenAIModelSettings", "encode_settings", "profile_of", "samples"]


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
    openai_prediction: JSON
    """Text that most of the reply is expected to repeat."""
    openai_prompt_cache_key: str
    """Requests of the same key are routed to where their common beginning is cached."""


SAME = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias")
PREFIX = "openai_"
PREFIXED = frozenset(name for name in OpenAIModelSettings.__annotations__ if name.startswith(PREFIX))
# What models that always think refuse: https://platform.openai.com/docs/guides/reasoning
SAMPLING = frozenset(
    {"temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "stop"}
)
THINKS_ALWAYS = re.compile(r"(o[1-9]|gpt-5(\.([6-9]|\d\d))?|gpt-([6-9]|\d\d)(\.\d+)?)(-(?!chat)|$)")
THINKS_IF_ASKED = re.compile(r"gpt-5\.[1-5](-(?!chat)|$)")
THINKS_NEVER = re.compile(r"gpt-(3\.5|4)|chatgpt-")
NO_SYSTEM_ROLE = re.compile(r"o1-(mini|preview)")


def profile_of(service: ChatProfile, model_name: str) -> ChatProfile:
    """What a service wants for one of its models: GPT and Claude have their rules wherever they are served."""
    name = model_name.rpartition("/")[2].lower().removeprefix("ft:")
    efforts = (effort for pattern, effort in service.efforts if re.search(pattern, name))
    service = replace(service, effort=next(efforts, service.effort))
    if not claude_profile(name).forced_calls:
        service = replace(service, tool_choice_required=False)
    if NO_SYSTEM_ROLE.match(name):
        service = replace(service, system_role="user")
    if THINKS_ALWAYS.match(name):
        return replace(service, sampling=False)
    if THINKS_IF_ASKED.match(name):
        return replace(service, sampling="unthinking")
    return replace(service, effort=None) if THINKS_NEVER.match(name) else service


def encode_settings(settings: ModelSettings, profile: ChatProfile) -> JSON:
    """The fields that the settings stand for, but for those about tools and without `extra_body`."""
    if not settings:
        return {}
    given: Mapping[str, object] = dict(settings)
    fields = {"max_tokens": profile.max_tokens, "stop_sequences": "stop", "seed": profile.seed}
    fields |= {name: name for name in SAME}
    body: JSON = {wire: given[name] for name, wire in fields.items() if name in given}
    if "thinking" in given:
        body |= _thinking(given["thinking"], profile)
    body |= {name.removeprefix(profile.prefix): given[name] for name in given if _is_own(name, profile)}
    left_out = profile.refused if samples(profile, body.get("reasoning_effort")) else profile.refused | SAMPLING
    return {name: value for name, value in body.items() if name not in left_out}


def samples(profile: ChatProfile, effort: object) -> bool:
    """Whether temperature and its like are taken together with this effort; None: none is asked for."""
    return effort in (None, "none") if profile.sampling == "unthinking" else profile.sampling


def _is_own(name: str, profile: ChatProfile) -> bool:
    return name in PREFIXED if profile.prefix == PREFIX else name.startswith(profile.prefix)


def _thinking(asked: object, profile: ChatProfile) -> JSON:
    match profile.effort:
        case None:
            return {}
        case "reasoning_effort":
            return {"reasoning_effort": effort_of(asked)}
        case "reasoning":
            return {"reasoning": {"max_tokens": asked} if isinstance(asked, int) else {"effort": asked}}
        case "thinking":
            return {"thinking": {"type": "enabled"}}
        case "thinking_effort":
            return {"thinking": {"type": "enabled"}, "reasoning_effort": effort_of(asked)}
        case "reasoning_format":
            return {"reasoning_format": "parsed"}
        case "high_or_none":
            return {"reasoning_effort": "high" if asked else "none"}
        case _:
            assert_never(profile.effort)
