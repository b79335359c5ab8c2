"""The schemas of results that a service holds its model to, in the dialects of those who do.

We validate what comes back anyway, so a schema may say less than the type demands. It must not say what the service
does not know, for then it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agentgraph.exceptions import UserError
from agentgraph.model import ResultFormat

from .schema_refs import AnySchema, Json, Schema
from .wire import JSON

__all__ = ["bounded_schema", "closed_schema", "named_schema", "no_json_mode"]

BY_NAME = frozenset({"$defs", "properties"})
IN_ORDER = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
ALONE = frozenset({"additionalProperties", "items"})

STRICT = frozenset(
    {"$defs", "$ref", "additionalProperties", "anyOf", "const", "description", "enum", "format", "items"}
    | {
        "properties",
        "required",
        "title",
        "type",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    }
    | {"minItems", "maxItems"}
)
"""What strict schemas may hold whatever its value: https://platform.openai.com/docs/guides/structured-outputs."""
FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
REMARKED = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
    *("pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"),
)
"""What Claude is not held to: https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs."""


def named_schema(wanted: ResultFormat) -> JSON:
    """Name, schema and strictness as OpenAI's protocols have them: strict where the schema is fit for that."""
    described = {} if wanted.description is None else {"description": wanted.description}
    closed = closed_schema(wanted.json_schema)
    strict = all(_is_strict(part) for part in _parts(closed))
    return {"name": wanted.name, **described, "schema": closed if strict else wanted.json_schema, "strict": strict}


def closed_schema(schema: Schema) -> JSON:
    """The schema without other keys than those that its objects name, and with `anyOf` where a key tells members."""
    closed = _mapped(schema, closed_schema)
    if "properties" in closed:
        closed.setdefault("additionalProperties", False)
    if closed.pop("discriminator", None) is not None:
        closed["anyOf"] = closed.pop("oneOf")
    return closed


def bounded_schema(schema: Schema) -> JSON:
    """The closed schema in Claude's dialect: bounds become remarks in the descriptions."""
    return _remarked(closed_schema(schema))


def no_json_mode(model_name: str, why: str = "has no mode for JSON that follows a schema") -> UserError:
    """The error for a model that cannot be held to a schema."""
    return UserError(
        f"{model_name!r} {why}: ask for the result by its plain type, which makes it a tool call, or as PromptedResult"
    )


def _remarked(schema: Schema) -> JSON:
    kept = _mapped(schema, _remarked)
    remarks = [f"{key}: {kept.pop(key)}" for key in REMARKED if key in kept]
    if remarks:
        kept["description"] = " ".join([*filter(None, [kept.get("description")]), f"({', '.join(remarks)})"])
    return kept


def _mapped(schema: Schema, change: Callable[[Schema], JSON]) -> JSON:
    """The schema with its parts changed."""

    def part(value: Json) -> Json:
        return value if isinstance(value, bool) else change(value)

    def changed(key: str, value: Any) -> Json:  # Any: JSON
        if key in BY_NAME:
            return {name: part(each) for name, each in value.items()}
        if key in IN_ORDER:
            return [part(each) for each in value]
        return part(value) if key in ALONE else value

    return {key: changed(key, value) for key, value in schema.items()}


def _parts(schema: Schema) -> Iterator[Schema]:
    """The schema and all that are in it."""
    yield schema
    named: list[AnySchema] = [part for key in BY_NAME for part in schema.get(key, {}).values()]
    listed: list[AnySchema] = [part for key in IN_ORDER for part in schema.get(key, [])]
    alone: list[AnySchema] = [schema[key] for key in ALONE if key in schema]
    for part in (*named, *listed, *alone):
        if not isinstance(part, bool):
            yield from _parts(part)


def _is_strict(part: Schema) -> bool:
    if part.keys() - STRICT or part.get("format", "date") not in FORMATS:
        return False
    if "$ref" in part and len(part.keys() - {"$defs"}) > 1:
        return False
    if not part.keys() & {"type", "$ref", "anyOf", "const", "enum"}:  # anything goes
        return False
    if part.get("type") != "object":
        return True
    return part.get("additionalProperties") is False and {*part.get("required", [])} == {*part.get("properties", {})}
