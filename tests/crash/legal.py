"""What a model may be told: no call without its answer, no answer without its call."""

from __future__ import annotations

from collections.abc import Sequence

from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, RetryPromptPart, ToolCallPart, ToolReturnPart

__all__ = ["check_history"]


def check_history(messages: Sequence[ModelMessage]) -> None:
    """Every call of a reply has one answer in the request that follows it; requests and replies take turns."""
    unanswered: list[str | None] = []
    for place, message in enumerate(messages):
        assert isinstance(message, ModelResponse if place % 2 else ModelRequest), f"message {place} is out of turn"
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                unanswered.append(part.tool_call_id)
            elif isinstance(part, ToolReturnPart | RetryPromptPart) and part.tool_name is not None:
                assert part.tool_call_id in unanswered, f"{part.tool_call_id} is answered twice, or was never called"
                unanswered.remove(part.tool_call_id)
        assert isinstance(message, ModelResponse) or not unanswered, f"calls without answers: {unanswered}"
    assert isinstance(messages[-1], ModelRequest)
