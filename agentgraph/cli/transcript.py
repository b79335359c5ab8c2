"""Messages as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from pydantic_core import to_json
from rich.table import Table

from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)

from .printing import text

__all__ = ["transcript"]

Line = tuple[str, str, str]
"""Who, what, and in which style."""


def transcript(messages: Sequence[ModelMessage]) -> Table:
    """One row a part: who says it, and what."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for who, what, style in _lines(messages):
        grid.add_row(text(f"  {who}", "dim"), text(what, style))
    return grid


def _lines(messages: Sequence[ModelMessage]) -> Iterator[Line]:
    for message in messages:
        if isinstance(message, ModelRequest):
            yield from map(_request_line, message.parts)
        else:
            yield from map(_reply_line, message.parts)


def _request_line(part: ModelRequestPart) -> Line:
    match part:
        case SystemPromptPart():
            return "system", part.content, "dim"
        case UserPromptPart():
            return "user", _prompt(part.content), "bold"
        case ToolReturnPart():
            return f"tool {part.tool_name}", part.model_response_str(), "green"
        case RetryPromptPart():
            return f"retry {part.tool_name or ''}".strip(), part.model_response(), "yellow"
        case _:
            assert_never(part)


def _reply_line(part: ModelResponsePart) -> Line:
    match part:
        case TextPart():
            return "model", part.content, ""
        case ThinkingPart():
            return "model thinks", part.content, "dim"
        case ToolCallPart():
            return "model calls", f"{part.tool_name} {part.args_as_json_str()}", "cyan"
        case NativeToolCallPart():
            return "service calls", f"{part.tool_name} {to_json(part.args).decode()}", "cyan"
        case NativeToolReturnPart():
            return f"service {part.tool_name}", to_json(part.content).decode(), "green"
        case _:
            assert_never(part)


def _prompt(content: str | Sequence[UserContent]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(item if isinstance(item, str) else f"[{item.kind}]" for item in content)
