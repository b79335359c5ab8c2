"""What a reply asks for. Pure: nothing is called, nothing is awaited, nothing is changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from agentgraph.messages import ModelResponse, TextPart, ToolCallPart

__all__ = ["Call", "CallKind", "Decision", "HandleCalls", "NothingSaid", "TakeText", "decide"]


class CallKind(Enum):
    """What a tool call is for."""

    RESULT = "result"
    FUNCTION = "function"
    UNKNOWN = "unknown"


@dataclass(slots=True, unsafe_hash=True)
class Call:
    """A tool call of a reply. Never changed; not frozen, since that would take three times as long to make."""

    position: int
    """Its place among the calls of the reply."""
    part: ToolCallPart
    kind: CallKind


@dataclass(frozen=True, slots=True)
class TakeText:
    """The reply is text: it may be the result."""

    text: str


@dataclass(slots=True, unsafe_hash=True)
class HandleCalls:
    """The reply calls tools; text beside the calls is never the result."""

    calls: Sequence[Call]

    def of(self, kind: CallKind) -> Sequence[Call]:
        """The calls of one kind, in their order."""
        return [call for call in self.calls if call.kind is kind]


@dataclass(frozen=True, slots=True)
class NothingSaid:
    """The reply holds neither text nor a call."""


Decision: TypeAlias = TakeText | HandleCalls | NothingSaid


def decide(reply: ModelResponse, functions: Collection[str], results: Collection[str]) -> Decision:
    """What to do about `reply`, given the names of the function tools and of the result tools."""
    parts = [part for part in reply.parts if isinstance(part, ToolCallPart)]
    if parts:
        return HandleCalls(
            [Call(position, part, _kind(part, functions, results)) for position, part in enumerate(parts)]
        )
    texts = [part.content for part in reply.parts if isinstance(part, TextPart) and part.content]
    return TakeText("\n\n".join(texts)) if texts else NothingSaid()


def _kind(part: ToolCallPart, functions: Collection[str], results: Collection[str]) -> CallKind:
    if part.tool_name in results:
        return CallKind.RESULT
    return CallKind.FUNCTION if part.tool_name in functions else CallKind.UNKNOWN
