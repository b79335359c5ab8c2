"""Reads the result out of a reply that may still be coming."""

from __future__ import annotations

from typing import Any

from agentgraph.messages import ModelResponse, TextPart, ToolCallPart
from agentgraph.result import Accepted, ResultSchema

__all__ = ["read_result", "reply_text"]


def read_result(schema: ResultSchema[Any], reply: ModelResponse, *, partial: bool) -> Accepted[Any] | None:
    """The result in `reply`, None if there is none; with `partial`, as far as it is there.

    Raises:
        ValidationError: the arguments of a result tool do not fit (pydantic's).
    """
    calls = [part for part in reply.parts if isinstance(part, ToolCallPart)]
    for call in calls:
        if call.tool_name in schema.tool_names:
            return Accepted(schema.validate_call(call, partial=partial))
    text = reply_text(reply)
    return Accepted(text) if text and schema.allow_text and not calls else None


def reply_text(reply: ModelResponse) -> str:
    """The text of a reply: its text parts, joined by a blank line."""
    return "\n\n".join(part.content for part in reply.parts if isinstance(part, TextPart) and part.content)
