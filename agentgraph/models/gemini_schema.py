"""JSON schemas as Gemini takes them.

It understands a part of JSON Schema (https://ai.google.dev/api/caching#Schema, `parametersJsonSchema`): what it has no
word for becomes a remark in the description, so that the model still hears of it. We validate what comes back anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .schema_refs import AnySchema, References, Schema
from .wire import JSON

__all__ = ["gemini_schema"]

KNOWN = frozenset(
    {"$anchor", "$defs", "$id", "$ref", "additionalProperties", "anyOf", "default", "description", "enum", "format"}
    | {"items", "maxItems", "maximum", "minItems", "minimum", "oneOf", "prefixItems", "properties", "propertyOrdering"}
    | {"required", "title", "type"}
)
REMARKED = (
    *("const", "pattern", "minLength", "maxLength", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("uniqueItems", "minProperties", "maxProperties"),
)
BY_NAME = frozenset({"$defs", "properties"})
IN_ORDER = frozenset({"anyOf", "oneOf", "prefixItems"})
ALONE = frozenset({"additionalProperties", "items"})


def gemini_schema(schema: Schema) -> JSON:
    """The schema in Gemini's dialect.

    Raises:
        UserError: it refers to something that it does not hold.
    """
    return _object(schema, References(schema), ())


def _object(schema: Schema, refs: References, within: tuple[str, ...]) -> JSON:
    ref = schema.get("$ref")
    # A reference may have no other keys beside it: what there is goes into a copy of what it refers to.
    if ref is not None and not all(key.startswith("$") for key in schema):
        if ref in within:
            return {"$ref": ref}
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _object({**refs.target(ref), **beside}, refs, (*within, ref))
    schema = _merged(schema, refs)
    adapted = {key: _value(key, value, refs, within) for key, value in schema.items() if key in KNOWN}
    remarks = [f"{key}: {schema[key]}" for key in REMARKED if key in schema]
    if isinstance(schema.get("const"), str | int | float) and not isinstance(schema["const"], bool):
        adapted["enum"] = [schema["const"]]
        del remarks[0]
    if remarks:
        adapted["description"] = " ".join([*filter(None, [schema.get("description")]), f"({', '.join(remarks)})"])
    return adapted


def _value(key: str, value: Any, refs: References, within: tuple[str, ...]) -> Any:  # Any: JSON
    if key in BY_NAME:
        named: Mapping[str, AnySchema] = value
        return {name: _any(part, refs, within) for name, part in named.items()}
    if key in IN_ORDER:
        parts: Sequence[AnySchema] = value
        return [_any(part, refs, within) for part in parts]
    return _any(value, refs, within) if key in ALONE else value


def _any(schema: AnySchema, refs: References, within: tuple[str, ...]) -> JSON | bool:
    return schema if isinstance(schema, bool) else _object(schema, refs, within)


def _merged(schema: Schema, refs: References) -> Schema:
    """The schema with the members of `allOf`, which Gemini does not know, put together."""
    members: Sequence[AnySchema] = schema.get("allOf", ())
    if not members:
        return schema
    merged: JSON = {}
    for member in (*members, {key: value for key, value in schema.items() if key != "allOf"}):
        if isinstance(member, bool):
            continue
        part = {**refs.target(member["$ref"]), **member} if "$ref" in member else member
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        required = [*dict.fromkeys([*merged.get("required", []), *part.get("required", [])])]
        merged |= {key: value for key, value in part.items() if key != "$ref"}
        merged |= {"properties": properties} if properties else {}
        merged |= {"required": required} if required else {}
    return merged
