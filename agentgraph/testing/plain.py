"""Messages as they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgraph.messages import ModelMessage, ModelMessagesTypeAdapter

__all__ = ["plain"]


def plain(messages: Sequence[ModelMessage]) -> list[Any]:
    """Messages as JSON without their times; what a tool took or returned keeps its own, for they are content."""
    found: list[dict[str, Any]] = ModelMessagesTypeAdapter.dump_python(list(messages), mode="json")
    return [
        {**_without_time(message), "parts": [_without_time(part) for part in message["parts"]]} for message in found
    ]


def _without_time(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != "timestamp"}
