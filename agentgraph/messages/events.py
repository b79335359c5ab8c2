"""What an agent tells while it handles a reply, beside the reply's own events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias
from uuid import uuid4

from pydantic import Field

from .deltas import PartDeltaEvent, PartStartEvent
from .parts import RetryPromptPart, ToolCallPart, ToolReturnPart

__all__ = [
    "AgentStreamEvent",
    "FinalResultEvent",
    "FunctionToolCallEvent",
    "FunctionToolResultEvent",
    "HandleResponseEvent",
]


@dataclass(slots=True)
class FinalResultEvent:
    """A part that could be the final result has begun: a hint, the decision falls when the reply has ended."""

    tool_name: str | None
    """The result tool; None for text."""
    tool_call_id: str | None
    event_kind: Literal["final_result"] = "final_result"


@dataclass(slots=True)
class FunctionToolCallEvent:
    """A tool is about to be called."""

    part: ToolCallPart
    call_id: str = ""
    """Tells the call from others: the model's id, else one made for this event."""
    event_kind: Literal["function_tool_call"] = "function_tool_call"

    def __post_init__(self) -> None:
        self.call_id = self.call_id or self.part.tool_call_id or uuid4().hex


@dataclass(slots=True)
class FunctionToolResultEvent:
    """A tool call has ended."""

    result: Annotated[ToolReturnPart | RetryPromptPart, Field(discriminator="part_kind")]
    tool_call_id: str
    """The `call_id` of the event that announced the call."""
    event_kind: Literal["function_tool_result"] = "function_tool_result"


AgentStreamEvent: TypeAlias = Annotated[
    PartStartEvent | PartDeltaEvent | FinalResultEvent, Field(discriminator="event_kind")
]
"""What the stream of a model request tells."""

HandleResponseEvent: TypeAlias = Annotated[
    FunctionToolCallEvent | FunctionToolResultEvent, Field(discriminator="event_kind")
]
"""What the stream of handling a reply tells."""
