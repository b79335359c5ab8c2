"""What a service tells in a chat completion of the tools that it ran itself."""

from __future__ import annotations

from contextlib import suppress

from pydantic_core import from_json

from .service_blocks import NativePart, native_call, native_return
from .wire import JSON

__all__ = ["executed_parts"]

OF_CALL = frozenset({"index", "type", "name", "arguments"})


def executed_parts(tool: JSON) -> list[NativePart]:
    """A call, and what it gave if that is known; the service wants neither back."""
    name = str(tool.get("type") or tool.get("name"))
    args: object = tool.get("arguments")
    if isinstance(args, str):
        with suppress(ValueError):
            args = from_json(args)
    outcome = {key: value for key, value in tool.items() if key not in OF_CALL and value is not None}
    return [native_call(name, None, args), *([native_return(name, None, outcome)] if outcome else [])]
