"""The arguments of a call, for protocols that want an object where the model may have written anything."""

from __future__ import annotations

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import ToolCallPart

from .wire import JSON

__all__ = ["arguments_of"]

UNREADABLE = "unreadable_json"


def arguments_of(call: ToolCallPart) -> JSON:
    """The arguments as an object; text that is none stands whole under one key, for the model to see its mistake."""
    try:
        return call.args_as_dict()
    except UnexpectedModelBehavior:
        return {UNREADABLE: call.args}
