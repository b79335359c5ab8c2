"""References inside a JSON schema: what they point to, and whether following them ever ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias, cast
from urllib.parse import unquote

from agentgraph.exceptions import UserError

__all__ = ["AnySchema", "Json", "References", "Schema"]

Json: TypeAlias = Any  # Any: whatever JSON can hold
Schema: TypeAlias = Mapping[str, Json]
AnySchema: TypeAlias = Schema | bool
"""True allows everything, False nothing."""


class References:
    """The references of one schema document."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def target(self, ref: str) -> Schema:
        """What a reference within the document points to; `UserError` if nothing."""
        found: Json = self._root
        try:
            for step in ref.removeprefix("#").split("/")[1:]:
                found = found[unquote(step).replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError):
            raise UserError(f"the schema refers to {ref!r}, which it does not hold") from None
        target: Schema = found
        return target

    def height(self, schema: AnySchema) -> float:
        """How deep references nest in the shallowest data of a schema; infinite if it cannot end."""
        return _least(schema, self._heights)

    @cached_property
    def _heights(self) -> dict[str, float]:
        # From infinite down until nothing changes: what stays infinite needs itself.
        heights = dict.fromkeys(_refs(self._root), math.inf)
        changed = True
        while changed:
            changed = False
            for ref, height in heights.items():
                lower = 1 + _least(self.target(ref), heights)
                if lower < height:
                    heights[ref] = lower
                    changed = True
        return heights


def _least(schema: AnySchema, heights: Mapping[str, float]) -> float:
    if isinstance(schema, bool):
        return 0 if schema else math.inf
    if not schema.keys().isdisjoint({"const", "enum", "examples"}):
        return 0
    if members := schema.get("anyOf") or schema.get("oneOf"):
        return min(_least(member, heights) for member in members)
    needed = [heights.get(schema["$ref"], math.inf)] if "$ref" in schema else []
    needed.extend(_least(part, heights) for part in _needed(schema))
    return max(needed, default=0)


def _needed(schema: Schema) -> Iterator[AnySchema]:
    """The schemas of all that the least data of this one holds."""
    yield from schema.get("allOf", ())
    required: Sequence[str] = schema.get("required", ())
    properties: Mapping[str, Schema] = schema.get("properties", {})
    yield from (properties.get(name, True) for name in required)
    heads: Sequence[Schema] = schema.get("prefixItems", ())
    yield from heads
    if schema.get("minItems", 0) > len(heads):
        yield schema.get("items", True)
    if schema.get("minProperties", 0) > len(required):
        yield schema.get("additionalProperties", True)


def _refs(schema: Json) -> Iterator[str]:
    """Every reference in a schema, at any depth."""
    parts: Sequence[Json] = ()
    if isinstance(schema, dict):
        entries = cast("dict[str, Json]", schema)  # the keys of JSON are strings
        ref = entries.get("$ref")
        if isinstance(ref, str):
            yield ref
        # Data is no schema, whatever its keys are called.
        parts = [part for key, part in entries.items() if key not in {"const", "enum", "examples", "default"}]
    elif isinstance(schema, list):
        parts = cast("Sequence[Json]", schema)
    for part in parts:
        yield from _refs(part)
