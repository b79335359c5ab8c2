"""Tools that OpenAI runs itself: their calls and returns as parts.

One item is both, so the call is told when it begins; the return holds the item, which goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from pydantic_core import from_json

from .service_blocks import NativePart, native_call, native_return
from .wire import JSON, as_object

__all__ = ["native_parts"]

OUTCOME = frozenset({"status", "output", "outputs", "results", "result", "error", "tools"})
"""The fields of an item that tell what the tool gave."""
WAITING = frozenset({"in_progress", "searching", "interpreting", "generating", "calling"})


def native_parts(item: JSON, searched: str | None = None) -> list[NativePart]:
    """The parts that an item is: a call, and its return once there is one; none if it is about no tool of the service.

    Args:
        item: an item of a reply.
        searched: the id of the newest call that looks for tools, whose outcome is an item of its own.
    """
    kind, item_id = str(item.get("type")), str(item.get("id"))
    if kind == "tool_search_output" and item.get("execution") == "server":
        return [native_return("tool_search", searched or item_id, *_outcome(item))]
    if kind == "tool_search_call" and item.get("execution") == "server":
        return [native_call("tool_search", item_id, _parsed(item.get("arguments")), item)]
    known = CALLS.get(kind)
    if known is None:
        return []
    name, args = known(item)
    call = native_call(name, item_id, {key: value for key, value in args.items() if value is not None})
    return [call] if str(item.get("status")) in WAITING else [call, native_return(name, item_id, *_outcome(item))]


def _outcome(item: JSON) -> tuple[JSON, JSON, tuple[()] | None]:
    told = {key: value for key, value in item.items() if key in OUTCOME and value is not None}
    if sources := as_object(item.get("action")).get("sources"):
        return {**told, "sources": sources}, item, None
    return told, {key: value for key, value in item.items() if key not in told}, ()


def _parsed(arguments: object) -> JSON:
    if not isinstance(arguments, str):
        return as_object(arguments)
    with suppress(ValueError):
        return as_object(from_json(arguments))
    return {}


def _server(item: JSON) -> str:
    return f"mcp_server:{item.get('server_label')}"


CALLS: Mapping[str, Callable[[JSON], tuple[str, JSON]]] = {
    "web_search_call": lambda item: (
        "web_search",
        {key: value for key, value in as_object(item.get("action")).items() if key != "sources"},
    ),
    "file_search_call": lambda item: ("file_search", {"queries": item.get("queries")}),
    "code_interpreter_call": lambda item: (
        "code_interpreter",
        {"container_id": item.get("container_id"), "code": item.get("code")},
    ),
    "image_generation_call": lambda item: ("image_generation", {"prompt": item.get("revised_prompt")}),
    "mcp_list_tools": lambda item: (_server(item), {"action": "list_tools"}),
    "mcp_call": lambda item: (
        _server(item),
        {"action": "call_tool", "tool_name": item.get("name"), "tool_args": _parsed(item.get("arguments"))},
    ),
}
"""The name of the tool and its arguments, by the type of the item."""
