from __future__ import annotations

import pytest

from agentgraph.messages import ModelResponse, ThinkingPart
from agentgraph.models.claude import (
    ClaudeProfile,
    can_demand_calls,
    claude_profile,
    is_own_thought,
    refused_sampling,
    thinking_fields,
)

OLD, BUDGETS, BOTH, NEW, NEWEST = (
    claude_profile(name)
    for name in (
        *("claude-3-5-haiku-latest", "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-4-8"),
        "claude-opus-5-5",
    )
)


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("claude-3-opus-latest", ClaudeProfile(budgets=False, json_schema=False, max_tokens=4096)),
        ("claude-3-5-sonnet-20241022", OLD),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", ClaudeProfile(json_schema=False)),
        ("claude-sonnet-4-20250514", ClaudeProfile(json_schema=False)),
        ("claude-opus-4-1", BUDGETS),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", BUDGETS),
        ("us.anthropic.claude-sonnet-4-6", BOTH),
        ("claude-opus-4-7", NEW),
        ("claude-sonnet-5", NEW),
        ("claude-opus-5-20260724", NEW),
        ("claude-fable-5-1", NEWEST),
        ("global.anthropic.claude-haiku-5-5", NEWEST),
        ("claude-latest", NEWEST),
        ("kimi-k2", ClaudeProfile(max_tokens=8192)),
    ],
)
def test_what_a_model_takes_follows_its_version(name: str, profile: ClaudeProfile) -> None:
    assert claude_profile(name) == profile


@pytest.mark.parametrize(
    ("profile", "asked", "bound", "thinking", "effort"),
    [
        (OLD, "high", 8192, None, None),
        (BUDGETS, "medium", 16_000, {"type": "enabled", "budget_tokens": 8192}, None),
        (BUDGETS, "high", 4096, {"type": "enabled", "budget_tokens": 3072}, None),
        (BUDGETS, "high", 1500, None, None),
        (BUDGETS, "low", None, {"type": "enabled", "budget_tokens": 2048}, None),
        (BUDGETS, 5000, 4096, {"type": "enabled", "budget_tokens": 5000}, None),
        (BUDGETS, "odd", None, {"type": "enabled", "budget_tokens": "odd"}, None),
        (BOTH, 5000, None, {"type": "enabled", "budget_tokens": 5000}, None),
        (BOTH, "high", None, {"type": "adaptive"}, "high"),
        (NEW, 20_000, None, {"type": "adaptive"}, "high"),
    ],
)
def test_thinking_is_asked_for_as_the_model_wants_it(
    profile: ClaudeProfile, asked: object, bound: int | None, thinking: object, effort: str | None
) -> None:
    fields = thinking_fields(asked, profile, bound)
    assert fields.get("thinking") == thinking
    assert fields.get("output_config") == (None if effort is None else {"effort": effort})


def test_sampling_is_refused_by_the_newest_models_and_by_those_that_think() -> None:
    enabled = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    assert refused_sampling(BUDGETS, {}, 0.5) == frozenset()
    assert refused_sampling(BUDGETS, {"thinking": {"type": "disabled"}}, 0.5) == frozenset()
    assert refused_sampling(BUDGETS, enabled, 0.5) == {"temperature", "top_k", "top_p"}
    assert refused_sampling(BUDGETS, enabled, 0.95) == {"temperature", "top_k"}
    assert refused_sampling(BUDGETS, enabled, None) == {"temperature", "top_k"}
    assert refused_sampling(NEW, {}, None) == {"temperature", "top_k", "top_p"}


def test_a_call_cannot_be_demanded_from_who_thinks_by_a_budget() -> None:
    assert can_demand_calls(NEW, {})
    assert can_demand_calls(NEW, {"thinking": {"type": "adaptive"}})
    assert not can_demand_calls(BUDGETS, {"thinking": {"type": "enabled"}})


def test_no_call_can_be_demanded_from_the_newest_models() -> None:
    assert not can_demand_calls(NEWEST, {})
    assert (NEW.bound_thoughts, NEWEST.bound_thoughts) == (False, True)


@pytest.mark.parametrize(
    ("origin", "thinker", "asked", "own"),
    [
        ("anthropic", "claude-a", "claude-a", True),
        ("anthropic", "claude-a", "claude-b", True),
        ("bedrock", "us.anthropic.claude-a", "claude-b", True),
        ("anthropic", "kimi", "kimi", True),
        ("anthropic", "kimi", "claude-a", False),
        ("bedrock", "nova", "nova", False),
        ("openrouter", "claude-a", "claude-a", False),
        (None, "claude-a", "claude-a", False),
        ("anthropic", None, "claude-a", False),
    ],
)
def test_thoughts_go_back_to_who_can_read_their_seal(
    origin: str | None, thinker: str | None, asked: str, *, own: bool
) -> None:
    details = None if origin is None else {"origin": origin}
    reply = ModelResponse([ThinkingPart("hm", signature="s")], thinker, provider_details=details)
    assert is_own_thought(reply, asked, "anthropic") is own
