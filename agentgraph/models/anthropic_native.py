"""Tools that Anthropic runs itself: their calls and returns as parts."""

from __future__ import annotations

from collections.abc import Mapping

from .service_blocks import NativePart, native_call, native_return
from .wire import JSON, as_object

__all__ = ["native_part"]

RESULT = "_tool_result"
SERVER = "mcp_server"


def native_part(block: JSON, names: Mapping[str, str]) -> NativePart | None:
    """The part that a block is; None if it is about no tool.

    Args:
        block: a block of a message.
        names: the names of the tools of earlier calls, by the ids of these.
    """
    kind = str(block.get("type"))
    match kind:
        case "server_tool_use":
            return native_call(str(block.get("name")), block.get("id"), block.get("input"), *_held(block, "input"))
        case "mcp_tool_use":
            # The tool is one of a server's: which of its own it was goes with the arguments.
            args = {"action": "call_tool", "tool_name": block.get("name"), "tool_args": as_object(block.get("input"))}
            return native_call(f"{SERVER}:{block.get('server_name')}", block.get("id"), args, block)
        case _ if kind.endswith(RESULT):
            call_id = block.get("tool_use_id")
            name = SERVER if kind == f"mcp{RESULT}" else kind.removesuffix(RESULT)
            known = names.get(str(call_id), name)
            return native_return(known, call_id, block.get("content"), *_held(block, "content"))
        case _:
            return None


def _held(block: JSON, key: str) -> tuple[JSON, list[str | int] | None]:
    """The block, and where in it the part's own value is: nowhere, if the part cannot hold it."""
    held = key in block and (key == "content" or isinstance(block[key], dict))
    return block, [key] if held else None
