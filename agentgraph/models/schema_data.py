"""Made-up JSON that fits a JSON schema: the least there is, plus one item or key where that shows something.

Objects get their required properties, arrays and mappings one entry unless that is forbidden. A schema that contains
itself is followed once; from there on the least is taken (no items, the union member that ends soonest), so every
schema that has finite data gets it.

Not seen in a schema, so not kept: what pydantic checks by code alone (validators, `PastDate`, time zones forbidden,
kinds of URL other than http). `examples` in a field win over anything made up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from pydantic_core import to_json

from agentgraph.exceptions import UserError

from .schema_refs import AnySchema, Json, References, Schema
from .schema_values import integer, number, text

__all__ = ["made_up"]

DEEPEST = 6
"""References followed into each other before the least is taken; bounds what a web of schemas comes to."""
TRIES = 128
"""Seeds tried to find another value."""
SHOWN = 200
"""Characters of a schema that an error shows."""


def made_up(schema: Schema, seed: int = 0) -> Json:
    """Data that fits `schema`; another `seed` shifts the values and chooses other members of unions.

    Raises:
        UserError: nothing fits, or a pattern is beyond us; says which part of the schema.
    """
    return _Maker(schema).make(schema, _Place(seed))


@dataclass(frozen=True, slots=True)
class _Place:
    seed: int
    refs: tuple[str, ...] = ()
    """The references that led here."""
    least: bool = False
    """Whether to take the least from here on."""
    tags: frozenset[str] = frozenset()
    """Properties that an object needs here, required or not: the discriminators of the unions around it."""


class _Maker:
    def __init__(self, root: Schema) -> None:
        self._references = References(root)

    def make(self, schema: AnySchema, place: _Place) -> Json:
        whole, place = self._resolve(schema, place)
        seed = place.seed
        if "const" in whole:
            return whole["const"]
        for choices in ("enum", "examples"):
            if whole.get(choices):
                return whole[choices][seed % len(whole[choices])]
        if members := whole.get("anyOf") or whole.get("oneOf"):
            return self._member(whole, members, place)
        return self._typed(whole, replace(place, tags=frozenset()), place.tags)

    def _typed(self, schema: Schema, place: _Place, tags: frozenset[str]) -> Json:
        match _type(schema, place.seed):
            case "null":
                return None
            case "boolean":
                return place.seed % 2 == 1
            case "integer":
                return integer(schema, place.seed)
            case "number":
                return number(schema, place.seed)
            case "array":
                return self._array(schema, place)
            case "object":
                return self._object(schema, place, tags)
            case _:
                return self._text(schema, place)

    def _text(self, schema: Schema, place: _Place) -> str:
        if schema.get("contentMediaType") == "application/json":
            return to_json(self.make(schema.get("contentSchema", {}), place)).decode()
        return text(schema, place.seed)

    def _member(self, schema: Schema, members: Sequence[Schema], place: _Place) -> Json:
        chosen = min(members, key=self._references.height) if place.least else members[place.seed % len(members)]
        numeric = next((member for member in members if member.get("type") == "number"), None)
        if numeric is not None and chosen == {"type": "string"}:
            # This is how pydantic writes Decimal, which takes only those texts that are numbers.
            return str(self.make(numeric, place))
        tag = schema.get("discriminator", {}).get("propertyName")
        return self.make(chosen, place if tag is None else replace(place, tags=place.tags | {tag}))

    # ------------------------------------------------------------------------------------------ arrays and objects

    def _array(self, schema: Schema, place: _Place) -> list[Json]:
        heads: Sequence[Schema] = schema.get("prefixItems", ())
        rest = schema.get("items", True)
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        worthwhile = bool(rest) and rest is not True and not place.least
        length = min(most, max(least, len(heads) + worthwhile))
        unique: bool = schema.get("uniqueItems", False)
        items: list[Json] = []
        for index in range(length):
            item = heads[index] if index < len(heads) else rest
            fresh = (value for value in self._series(item, place) if not unique or value not in items)
            value = next(islice(fresh, 1), _NOTHING)
            if value is not _NOTHING:
                items.append(value)
            elif len(items) < least:
                raise UserError(f"there are not {least} different items for {_brief(schema)}")
        return items

    def _series(self, schema: AnySchema, place: _Place) -> Iterator[Json]:
        """Values for the same place, of which most differ."""
        return (self.make(schema, replace(place, seed=seed)) for seed in islice(count(place.seed), TRIES))

    def _object(self, schema: Schema, place: _Place, tags: frozenset[str]) -> dict[str, Json]:
        properties: dict[str, Schema] = schema.get("properties", {})
        optional = [name for name in properties if name not in schema.get("required", ())]
        names = [*schema.get("required", ()), *(name for name in optional if name in tags)]
        made = {name: self.make(properties.get(name, True), place) for name in names}
        least, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
        for name in optional:
            if len(made) < least and name not in made:
                made[name] = self.make(properties[name], place)
        return self._with_entries(schema, place, made, min(most, max(least, len(made) + self._entries(schema, place))))

    def _entries(self, schema: Schema, place: _Place) -> int:
        """How many entries to make beyond the named properties, if nothing asks for more."""
        if place.least:
            return 0
        more = schema.get("additionalProperties", False)
        mapping = more is True and "properties" not in schema
        return int(mapping or (more is not True and bool(more)) or bool(schema.get("patternProperties")))

    def _with_entries(self, schema: Schema, place: _Place, made: dict[str, Json], wanted: float) -> dict[str, Json]:
        patterns: dict[str, Schema] = schema.get("patternProperties", {})
        names: Schema = schema.get("propertyNames", {})
        value: AnySchema = schema.get("additionalProperties", True)
        if patterns:
            pattern, value = next(iter(patterns.items()))
            names = {"pattern": pattern, **names}
        # Mappings from numbers take such keys too, and from texts as well: the schema does not tell which it is.
        keys = self._series({"type": "string", **names}, place) if names else map(str, count())
        taken = {*made, *schema.get("properties", ())}
        for key in keys:
            if len(made) >= wanted:
                return made
            if isinstance(key, str) and key not in taken:
                made[key] = self.make(value, place)
        if len(made) < schema.get("minProperties", 0):
            raise UserError(f"there are not {schema['minProperties']} different keys for {_brief(schema)}")
        return made

    # -------------------------------------------------------------------------------------------------- references

    def _resolve(self, schema: AnySchema, place: _Place) -> tuple[Schema, _Place]:
        """The schema without references and `allOf`, and the place behind them."""
        if isinstance(schema, bool):
            if not schema:
                raise UserError("a part of the schema allows nothing at all")
            return {}, place
        while "$ref" in schema:
            ref: str = schema["$ref"]
            least = place.least or ref in place.refs or len(place.refs) >= DEEPEST
            if least and self._references.height({"$ref": ref}) == math.inf:
                raise UserError(f"data for {ref!r} never ends: it requires itself")
            place = replace(place, refs=(*place.refs, ref), least=least)
            schema = {**self._references.target(ref), **{key: value for key, value in schema.items() if key != "$ref"}}
        for part in schema.get("allOf", ()):
            resolved, place = self._resolve(part, place)
            schema = _merged(schema, resolved)
        return schema, place


_NOTHING = object()


def _type(schema: Schema, seed: int) -> str:
    named: str | list[str] | None = schema.get("type")
    if isinstance(named, list):
        return named[seed % len(named)]
    if named is not None:
        return named
    if not schema.keys().isdisjoint({"properties", "required", "additionalProperties", "patternProperties"}):
        return "object"
    if not schema.keys().isdisjoint({"items", "prefixItems", "minItems"}):
        return "array"
    if not schema.keys().isdisjoint({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}):
        return "number"
    return "string"


def _merged(schema: Schema, part: Schema) -> Schema:
    merged = {**part, **schema}
    for key in ("properties", "$defs"):
        if key in part and key in schema:
            merged[key] = {**part[key], **schema[key]}
    if "required" in part:
        merged["required"] = list(dict.fromkeys([*part["required"], *schema.get("required", ())]))
    return merged


def _brief(schema: Schema) -> str:
    shown = repr(schema)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
