"""Reads the result out of a reply that may still be coming."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from agentgraph.exceptions import ModelRetry
from agentgraph.messages import ModelResponse, TextPart, ToolCallPart
from agentgraph.result import Accepted, ResultSchema

__all__ = ["read_partial", "read_result", "reply_text"]


def read_partial(schema: ResultSchema[Any], reply: ModelResponse) -> Accepted[Any] | None:
    """The result in `reply` as far as it is there, None if nothing of it can be read yet."""
    try:
        return read_result(schema, reply, partial=True)
    except (ValidationError, ModelRetry):
        return None


def read_result(schema: ResultSchema[Any], reply: ModelResponse, *, partial: bool) -> Accepted[Any] | None:
    """The result in `reply`, None if there is none; with `partial`, as far as it is there.

    Raises:
        ValidationError: the arguments of a result tool, or the JSON of the text, do not fit (pydantic's).
        ModelRetry: a validator of the result's type refuses them.
    """
    calls = [part for part in reply.parts if isinstance(part, ToolCallPart)]
    for call in calls:
        if call.tool_name in schema.tool_names:
            return Accepted(schema.validate_call(call, partial=partial))
    text = reply_text(reply)
    if not text or calls or not schema.takes_text:
        return None
    return Accepted(schema.validate_text(text, partial=partial))


def reply_text(reply: ModelResponse) -> str:
    """The text of a reply: its text parts, joined by a blank line."""
    return "\n\n".join(part.content for part in reply.parts if isinstance(part, TextPart) and part.content)
