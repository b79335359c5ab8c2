"""What Claude models take, wherever they are served.

The rules follow the version in the name. They are those of https://platform.claude.com/docs/en/build-with-claude, pages
"extended thinking", "adaptive thinking", "preserved thinking", "effort" and "structured outputs", of the model
overview, and of what is new in each model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from agentgraph.messages import ModelResponse

from .budget import budget_of
from .effort import effort_of
from .origin import made_by
from .wire import JSON

__all__ = [
    "SAMPLING",
    "ClaudeProfile",
    "Redacted",
    "can_demand_calls",
    "claude_profile",
    "is_own_thought",
    "refused_sampling",
    "thinking_fields",
]


class Redacted(StrEnum):
    """The id of a thought that came encrypted, its signature being all there is of it; each protocol writes its own."""

    THINKING = "redacted_thinking"
    CONTENT = "redacted_content"


SERVED_BY = ("anthropic", "bedrock")
VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")
LEAST_BUDGET = 1024
LEFT_TO_ANSWER = 1024
"""Tokens of the whole reply that a budget of our own choosing leaves to the answer."""

SAMPLING = frozenset({"temperature", "top_p", "top_k"})
LEAST_TOP_P = 0.95
"""Thinking goes together with no temperature, no `top_k` and no smaller `top_p`."""


@dataclass(frozen=True, kw_only=True)
class ClaudeProfile:
    """What one model takes."""

    budgets: bool = True
    """Whether thinking can be given a budget in tokens."""
    efforts: bool = False
    """Whether thinking can be left to the model, with an effort."""
    sampling: bool = True
    """Whether temperature and its like are taken."""
    json_schema: bool = True
    """Whether there is a mode for JSON that follows a schema."""
    forced_calls: bool = True
    """Whether a call can be demanded at all."""
    bound_thoughts: bool = False
    """Whether thoughts are refused when anything before them has changed, unless the request says to drop them."""
    max_tokens: int = 32_000
    """The bound of a reply where the caller sets none."""


OTHERS = ClaudeProfile(max_tokens=8192)
"""Models of other makers, which some services offer by Anthropic's protocol."""
NEWEST = ClaudeProfile(budgets=False, efforts=True, sampling=False, forced_calls=False, bound_thoughts=True)
PROFILES = (
    ((3, 5), ClaudeProfile(budgets=False, json_schema=False, max_tokens=4096)),
    ((3, 7), ClaudeProfile(budgets=False, json_schema=False, max_tokens=8192)),
    ((4, 1), ClaudeProfile(json_schema=False)),
    ((4, 6), ClaudeProfile()),
    ((4, 7), ClaudeProfile(efforts=True)),
    ((5, 1), ClaudeProfile(budgets=False, efforts=True, sampling=False)),
)
"""By the first version that a profile does not hold for."""


def claude_profile(model_name: str) -> ClaudeProfile:
    """What the model of this name takes; a Claude whose name has no version is taken for one of the newest."""
    if "claude" not in model_name:
        return OTHERS
    found = VERSION.search(model_name)
    if found is None:
        return NEWEST
    version = (int(found[1]), int(found[2] or 0))
    return next((profile for bound, profile in PROFILES if version < bound), NEWEST)


def thinking_fields(asked: object, profile: ClaudeProfile, max_tokens: int | None) -> JSON:
    """The fields that ask for thinking: `thinking`, and `output_config` where it has an effort.

    Args:
        asked: an effort or a budget, as in `ModelSettings`.
        profile: what the model takes.
        max_tokens: the bound of the whole reply; the budget of an effort stays below it.
    """
    if profile.efforts and not (profile.budgets and isinstance(asked, int)):
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort_of(asked)}}
    if not profile.budgets:
        return {}
    budget = budget_of(asked)
    if isinstance(budget, int):
        if max_tokens is not None and not isinstance(asked, int):
            budget = min(budget, max_tokens - LEFT_TO_ANSWER)
        if budget < LEAST_BUDGET:
            return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def refused_sampling(profile: ClaudeProfile, fields: JSON, top_p: float | None) -> frozenset[str]:
    """Those of `temperature`, `top_p` and `top_k` that the model refuses, with the `thinking` that the fields hold."""
    if not profile.sampling:
        return SAMPLING
    if fields.get("thinking", {}).get("type", "disabled") == "disabled":
        return frozenset()
    return SAMPLING if top_p is not None and top_p < LEAST_TOP_P else SAMPLING - {"top_p"}


def can_demand_calls(profile: ClaudeProfile, fields: JSON) -> bool:
    """Whether a call can be demanded together with the `thinking` that the fields hold: not with that by a budget."""
    kind: object = fields.get("thinking", {}).get("type")
    return profile.forced_calls and kind != "enabled"


def is_own_thought(reply: ModelResponse, model_name: str, system: str) -> bool:
    """Whether the reply's sealed thoughts may go to this model: to itself, and from Claude to any Claude."""
    if made_by(reply, system) and reply.model_name == model_name:
        return True
    by_claude = "claude" in (reply.model_name or "") and any(made_by(reply, service) for service in SERVED_BY)
    return by_claude and "claude" in model_name
