"""Tools that Gemini runs itself: their calls and returns as parts."""

from __future__ import annotations

from collections.abc import Mapping

from .service_blocks import NativePart, native_call, native_return
from .wire import JSON, as_object, as_objects

__all__ = ["grounding_parts", "native_part"]

CODE = "code_execution"
TOOLS: Mapping[str, str] = {"GOOGLE_SEARCH_WEB": "web_search", "URL_CONTEXT": "web_fetch"}
"""Our words for types of tools; the others are the type in small letters."""


def native_part(block: JSON) -> NativePart | None:
    """The part that a block of a reply is; None if it is about no tool of the service."""
    for key in ("executableCode", "codeExecutionResult", "toolCall", "toolResponse"):
        if key in block:
            return _part(key, as_object(block[key]), block)
    return None


def grounding_parts(told: JSON) -> list[NativePart]:
    """What a candidate tells beside its content of searches and pages; there is nothing of it to send back."""
    metadata = as_object(told.get("groundingMetadata"))
    chunks = as_objects(metadata.get("groundingChunks"))
    pages, files = ([as_object(each[kind]) for each in chunks if kind in each] for kind in ("web", "retrievedContext"))
    fetched = as_objects(as_object(told.get("urlContextMetadata")).get("urlMetadata"))
    parts: list[NativePart] = []
    if queries := metadata.get("webSearchQueries"):
        parts += _told("web_search", {"queries": queries}, pages)
    if files:
        parts += _told("file_search", {}, files)
    if fetched:
        parts += _told("web_fetch", {"urls": [page.get("retrievedUrl") for page in fetched]}, fetched)
    return parts


def _part(key: str, fields: JSON, block: JSON) -> NativePart:
    call_id = fields.get("id")
    match key:
        case "executableCode":
            return native_call(CODE, call_id, fields, block, [key])
        case "codeExecutionResult":
            return native_return(CODE, call_id, fields, block, [key])
        case "toolCall":
            return native_call(_name(fields), call_id, fields.get("args"), block)
        case _:
            path = [key, "response"] if "response" in fields else None
            return native_return(_name(fields), call_id, fields.get("response"), block, path)


def _name(fields: JSON) -> str:
    kind = str(fields.get("toolType"))
    return TOOLS.get(kind, kind.lower())


def _told(name: str, args: JSON, content: list[JSON]) -> list[NativePart]:
    return [native_call(name, None, args), native_return(name, None, content)]
