"""Settings of OpenAI's Responses: those of every model, those of its own, and how both become fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from agentgraph.providers.services import ChatProfile
from agentgraph.settings import ModelSettings

from .effort import effort_of
from .openai_settings import SAMPLING, OpenAIModelSettings, samples
from .wire import JSON

__all__ = ["OpenAIResponsesModelSettings", "encode_settings"]


class OpenAIResponsesModelSettings(OpenAIModelSettings, total=False):
    """Settings that Responses has beside the common ones and, where both have them, those of the chat."""

    openai_reasoning_summary: Literal["auto", "concise", "detailed"]
    """Ask for a summary of the thinking; without it, the parts of thinking are empty but for their signatures."""
    openai_builtin_tools: list[JSON]
    """Tools that the service runs itself, such as `{"type": "web_search"}`."""
    openai_include: list[str]
    """What else to put into the reply, beside what is asked for anyway."""
    openai_truncation: Literal["auto", "disabled"]
    """Whether the beginning of a conversation that is too long is dropped."""
    openai_prompt_cache_retention: Literal["in_memory", "24h"]
    """How long the beginning of the prompt stays cached."""
    openai_max_tool_calls: int
    """How many calls of its own tools the service may make."""


FIELDS: Mapping[str, str] = {
    "max_tokens": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    **{
        f"openai_{name}": name
        for name in (
            "user",
            "safety_identifier",
            "service_tier",
            "store",
            "metadata",
            "prompt_cache_key",
            "top_logprobs",
            "truncation",
            "prompt_cache_retention",
            "max_tool_calls",
        )
    },
}
THOUGHTS = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"


def encode_settings(settings: ModelSettings, profile: ChatProfile) -> JSON:
    """The fields that the settings stand for, but for those about tools and without `extra_body`."""
    given: Mapping[str, object] = dict(settings)
    body: JSON = {wire: given[name] for name, wire in FIELDS.items() if name in given}
    reasoning = _reasoning(given, profile)
    sampling = samples(profile, reasoning.get("effort"))
    text = {"verbosity": given["openai_verbosity"]} if "openai_verbosity" in given else {}
    nested = {"reasoning": reasoning, "text": text, "include": _include(given, profile, sampling=sampling)}
    body |= {name: value for name, value in nested.items() if value}
    return body if sampling else {name: value for name, value in body.items() if name not in SAMPLING}


def _reasoning(given: Mapping[str, object], profile: ChatProfile) -> JSON:
    reasoning: JSON = {}
    if "thinking" in given and profile.effort is not None:
        reasoning["effort"] = effort_of(given["thinking"])
    if "openai_reasoning_effort" in given:
        reasoning["effort"] = given["openai_reasoning_effort"]
    if "openai_reasoning_summary" in given:
        reasoning["summary"] = given["openai_reasoning_summary"]
    return reasoning


def _include(given: Mapping[str, object], profile: ChatProfile, *, sampling: bool) -> list[str]:
    # Models that cannot think refuse to be asked for their thoughts.
    include = [THOUGHTS] if profile.effort is not None else []
    if sampling and (given.get("openai_logprobs") or "openai_top_logprobs" in given):
        include.append(LOGPROBS)
    return include + [name for name in cast("list[str]", given.get("openai_include", [])) if name not in include]
