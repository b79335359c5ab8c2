"""Conversations of every shape, legal or not, as they may come out of a store."""

from __future__ import annotations

from hypothesis import strategies as st

from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

IDS = st.sampled_from([None, "", "a", "functions.f:0", "x" * 80])
ORIGINS = st.sampled_from([None, {"origin": "anthropic"}, {"origin": "bedrock"}, {"origin": "google-gla"}])
MODELS = st.sampled_from([None, "claude-sonnet-4-5", "gemini-2.5-flash"])
STATES = st.sampled_from(["complete", "interrupted"])

REQUEST_PARTS = st.one_of(
    st.builds(UserPromptPart, st.sampled_from(["hi", " "])),
    st.builds(SystemPromptPart, st.just("Be kind.")),
    st.builds(ToolReturnPart, st.just("f"), st.sampled_from([1, ""]), IDS),
    st.builds(RetryPromptPart, st.just("no"), st.sampled_from([None, "f"]), IDS),
)
REPLY_PARTS = st.one_of(
    st.builds(TextPart, st.sampled_from(["hm", ""])),
    st.builds(ToolCallPart, st.just("f"), st.sampled_from(["{}", "{oops", ""]), IDS),
    st.builds(ThinkingPart, st.just("hm"), st.none(), st.sampled_from([None, "s"])),
)


def histories() -> st.SearchStrategy[list[ModelMessage]]:
    """Requests and replies in any order, the replies made by several services."""
    requests = st.builds(ModelRequest, st.lists(REQUEST_PARTS, max_size=3))
    parts = st.lists(REPLY_PARTS, max_size=3)
    replies = st.builds(ModelResponse, parts, MODELS, provider_details=ORIGINS, state=STATES)
    return st.lists(st.one_of(requests, replies), max_size=6)
