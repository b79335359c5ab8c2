"""What an agent's run remembers from step to step. The one thing here that changes; only nodes change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Generic

from typing_extensions import TypeVar

from agentgraph.graph import Appended
from agentgraph.messages import ModelMessage
from agentgraph.usage import Usage

__all__ = ["AgentState", "FinalResult", "counters"]

ResultT = TypeVar("ResultT", default=str, covariant=True)


@dataclass(slots=True)
class AgentState:
    """The state of an agent's run."""

    message_history: Annotated[list[ModelMessage], Appended] = field(default_factory=list[ModelMessage])
    """The conversation, stored message by message."""
    usage: Usage = field(default_factory=Usage)
    """What the run used so far, on top of what it started from."""
    run_step: int = 0
    """How many requests to the model were begun."""
    retries: int = 0
    """How often the result was asked for again."""
    tool_retries: dict[str, int] = field(default_factory=dict[str, int])
    """How often in a row each tool was asked for again; a tool that succeeds starts anew."""
    new_from: int = 0
    """The index of the first message that this run added."""


@dataclass(frozen=True)
class FinalResult(Generic[ResultT]):
    """How an agent's run ends."""

    data: ResultT
    tool_name: str | None = None
    """The result tool that gave it; None if it was text."""
    tool_call_id: str | None = None


def counters(state: AgentState) -> Mapping[str, int]:
    """The run's usage as the engine keeps it: plain counters."""
    usage = state.usage
    known = {"requests": usage.requests}
    if usage.request_tokens is not None:
        known["request_tokens"] = usage.request_tokens
    if usage.response_tokens is not None:
        known["response_tokens"] = usage.response_tokens
    if usage.total_tokens is not None:
        known["total_tokens"] = usage.total_tokens
    return known
