"""Which types can be put together from parts that are validated one by one, and how.

Read from the core schema that pydantic validates by. What is not known here to the last key is no such type: its values
are read as a whole, each time. So a plan never changes what a value is, only how often its parts are looked at:

- A part is validated by its own schema, in JSON, as pydantic would where it stands.
- The container is validated by its own schema with `any` in place of the parts, which have been validated. So defaults,
  extra keys, missing ones and validators that come after are pydantic's own work.
- Partial mode, in which pydantic leaves out a last part that does not fit, holds inside of lists, dicts and typed
  dicts. It ends at models, dataclasses and references, such as those of types that hold themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

from pydantic_core import SchemaError, SchemaValidator, from_json

from .partial_slots import Piece, Slot, Where, validator

__all__ = ["Plan", "Plans"]

Schema: TypeAlias = Mapping[str, Any]  # Any: pydantic's core schemas

_ANY: Schema = {"type": "any"}
_UNHEEDED = {"type", "ref", "metadata", "serialization", "strict"}
"""Keys that say nothing about how JSON is validated: objects and arrays are no less strict than what they become."""
_KNOWN: Mapping[str, set[str]] = {
    "nullable": {"schema"},
    "default": {"schema", "default", "default_factory", "default_factory_takes_data", "copy_default"},
    "function-after": {"schema", "function"},
    "list": {"items_schema"},
    "dict": {"keys_schema", "values_schema"},
    "typed-dict": {"fields", "cls", "cls_name", "config", "extra_behavior", "total", "computed_fields"},
    "model": {"cls", "schema", "custom_init", "root_model", "post_init", "config", "frozen", "extra_behavior"}
    | {"generic_origin", "revalidate_instances"},
    "model-fields": {"fields", "model_name", "computed_fields", "extra_behavior", "from_attributes"},
    "dataclass": {"cls", "cls_name", "schema", "fields", "post_init", "config", "frozen", "slots", "generic_origin"}
    | {"revalidate_instances"},
    "dataclass-args": {"dataclass_name", "fields", "computed_fields", "collect_init_only", "extra_behavior"},
    "tagged-union": {"choices", "discriminator", "from_attributes"}
    | {"custom_error_type", "custom_error_message", "custom_error_context"},
    "definition-ref": {"schema_ref"},
    "any": set(),
}
_OWN_DATA = {"model", "dataclass", "typed-dict"}
"""What gives validators inside of it its own fields to look at."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the values of one container type are put together."""

    empty: Piece
    slots: Mapping[str, Slot]
    """By the keys of the JSON; none for lists and dicts."""
    other: Slot
    """Where the values of all other keys stand, or the items."""
    partial: bool
    """Whether partial mode goes on inside."""
    shells: Sequence[SchemaValidator] = ()

    def slot(self, key: str) -> Slot:
        """Where the value of this key stands."""
        return self.slots.get(key, self.other)

    def whole(self, done: Piece, pieces: Sequence[Piece]) -> Any:  # Any: a value of the type
        """The container that holds what is done and these pieces: a new one each time."""
        value: Any
        if isinstance(done, list):
            value = [*done, *(item for piece in pieces for item in piece)]
        else:
            value = dict(done)
            for piece in pieces:
                value.update(piece)
        for shell in self.shells:
            value = shell.validate_python(value)
        return value


@dataclass(eq=False)
class Plans:
    """The plans for one type and all that is inside of it, made when they are needed."""

    schema: Schema
    _definitions: dict[str, Schema] = field(default_factory=dict[str, Schema])
    _made: dict[tuple[int, int, str], Plan | None] = field(default_factory=dict[tuple[int, int, str], "Plan | None"])

    def __post_init__(self) -> None:
        if self.schema["type"] == "definitions":
            self._definitions = {each["ref"]: each for each in self.schema["definitions"]}
            self.schema = self.schema["schema"]
        self.root = Where(self.schema, None)
        self._loose = any(_inmost(each)["type"] not in _OWN_DATA for each in self._definitions.values())

    def find(self, where: Where, text: str) -> Plan | None:
        """The plan for a value at this place whose JSON begins like this; None if it has to be read as a whole."""
        if where.schema["type"] == "definition-ref":
            return _ending(self.find(self._behind(where.schema), text))
        if where.schema["type"] == "tagged-union":
            chosen = self._chosen(where.schema, text)
            return None if chosen is None else self.find(Where(chosen, where.config), text)
        key = (id(where.schema), id(where.config), text[0])
        if key not in self._made:
            plan = self._opened(where, text[0])
            fits = plan is not None and isinstance(plan.empty, list) == (text[0] == "[")
            self._made[key] = plan if fits else None
        return self._made[key]

    def _opened(self, where: Where, bracket: str) -> Plan | None:
        schema = where.schema
        if not _is_known(schema):
            return None
        match schema["type"]:
            case "definition-ref":
                return _ending(self._opened(self._behind(schema), bracket))
            case "nullable" | "default":
                return self._opened(Where(schema["schema"], where.config), bracket)
            case "function-after":
                return self._checked(where, bracket)
            case "any" | "list" | "dict":
                return self._collection(where, bracket)
            case "model" if schema.get("root_model"):
                return self._root(schema, bracket)
            case "model" | "dataclass" | "typed-dict":
                return self._record(schema)
            case _:
                return None

    def _checked(self, where: Where, bracket: str) -> Plan | None:
        schema = where.schema
        if schema["function"]["type"] != "no-info":  # it would see that it was not given JSON
            return None
        return _within(self._opened(Where(schema["schema"], where.config), bracket), {**schema, "schema": _ANY})

    def _root(self, schema: Schema, bracket: str) -> Plan | None:
        inner = schema["schema"]
        if schema.get("custom_init") or inner["type"] not in {"list", "dict", "any"}:
            return None
        plan = self._opened(Where(inner, schema.get("config")), bracket)
        return _within(plan, {**_lenient(schema), "schema": _ANY})

    def _collection(self, where: Where, bracket: str) -> Plan | None:
        schema = where.schema
        kind = {"[": "list", "{": "dict"}[bracket] if schema["type"] == "any" else schema["type"]
        keys = schema.get("keys_schema", _ANY)
        parts = schema.get("items_schema" if kind == "list" else "values_schema", _ANY)
        if self._looks_around([keys, parts], set()) or self._mixes(where.config):
            return None
        if kind == "list":
            return Plan([], {}, Slot(Where(parts, where.config), "item", _ANY, self._definitions), partial=True)
        return Plan({}, {}, Slot(Where(parts, where.config), "entry", keys, self._definitions), partial=True)

    def _record(self, schema: Schema) -> Plan | None:
        config, inner = schema.get("config"), schema if schema["type"] == "typed-dict" else schema["schema"]
        if config is None or schema.get("custom_init") or not (_is_record(inner) and _is_known(inner)):
            return None
        fields = _fields_of(inner, config)
        if fields is None or self._looks_around([*fields.values()], set()) or self._mixes(config):
            return None
        slots = {key: Slot(Where(each, config), "member", _ANY, self._definitions) for key, each in fields.items()}
        other = Slot(Where(_ANY, config), "member", _ANY, self._definitions)
        shell = _lenient(_hollow(inner) if inner is schema else {**schema, "schema": _hollow(inner)})
        return _within(Plan({}, slots, other, partial=inner is schema), shell)

    def _mixes(self, config: Schema | None) -> bool:
        """Whether a class's config would reach definitions that are outside of it, if a field was read by itself."""
        return self._loose and bool((config or {}).keys() - {"title"})

    def _behind(self, schema: Schema) -> Where:
        return Where(self._definitions.get(schema["schema_ref"], {"type": "unknown"}), None)

    def _chosen(self, schema: Schema, text: str) -> Schema | None:
        """The member of a tagged union, if its tag has come."""
        key = schema["discriminator"]
        if not _is_known(schema) or schema.get("strict") or not isinstance(key, str) or text[0] != "{":
            return None
        so_far: dict[str, Any] = {}  # Any: JSON
        with suppress(ValueError):  # who reads it will say so
            so_far = from_json(text, allow_partial=True)
        tag = so_far.get(key)
        if not isinstance(tag, str) or next(reversed(so_far)) == key:  # the last one may still change
            return None
        choices: Mapping[str, Schema] = schema["choices"]
        return choices.get(tag)

    def _looks_around(self, schema: object, seen: set[str]) -> bool:
        """Whether a validator in it may look at what stands beside it, and so has to be called where it stands."""
        if isinstance(schema, list | tuple):
            parts = cast("Sequence[object]", schema)  # cast: of whatever a core schema holds
            return any(self._looks_around(each, seen) for each in parts)
        if not isinstance(schema, dict):
            return False
        known = cast("Schema", schema)
        kind, ref = known.get("type"), known.get("schema_ref", "")
        if kind in _OWN_DATA or ref in seen:
            return False
        if kind == "definition-ref":
            return self._looks_around(self._definitions.get(ref), {*seen, ref})
        inside = [each for key, each in known.items() if key not in {"default", "metadata", "serialization"}]
        return kind == "with-info" or self._looks_around(inside, seen)


def _is_known(schema: Schema) -> bool:
    known = _KNOWN.get(schema["type"])
    return known is not None and schema.keys() <= known | _UNHEEDED


def _is_record(schema: Schema) -> bool:
    return schema["type"] in {"model-fields", "dataclass-args", "typed-dict"}


def _inmost(schema: Schema) -> Schema:
    while schema["type"].startswith("function-") and "schema" in schema:
        schema = schema["schema"]
    return schema


def _fields_of(schema: Schema, config: Schema) -> dict[str, Schema] | None:
    """The fields of a record by their keys in the JSON; None if a field may have several, or more is looked at."""
    if config.get("validate_default"):
        return None
    listed = schema["fields"]
    named = {each["name"]: each for each in listed} if schema["type"] == "dataclass-args" else listed
    fields: dict[str, Schema] = {}
    for name, each in named.items():
        key = each.get("validation_alias", name)
        if not isinstance(key, str):
            return None
        if key != name and (config.get("populate_by_name") or config.get("validate_by_name")):
            return None
        fields[key] = each["schema"]
    return fields


def _hollow(schema: Schema) -> Schema:
    """The schema of a record, with fields that take anything."""
    if schema["type"] == "dataclass-args":
        return {**schema, "fields": [_hollow_field(each) for each in schema["fields"]]}
    return {**schema, "fields": {name: _hollow_field(each) for name, each in schema["fields"].items()}}


def _hollow_field(field: Schema) -> Schema:
    schema = field["schema"]
    return {**field, "schema": {**schema, "schema": _ANY} if schema["type"] == "default" else _ANY}


def _lenient(schema: Schema) -> Schema:
    """The schema for an object that is not JSON any more, which a strict one would refuse."""
    config = {key: value for key, value in schema.get("config", {}).items() if key != "strict"}
    return {**{key: value for key, value in schema.items() if key != "strict"}, "config": config}


def _ending(plan: Plan | None) -> Plan | None:
    """The plan for values that are reached by a reference, where partial mode ends."""
    return None if plan is None else replace(plan, partial=False)


def _within(plan: Plan | None, shell: Schema) -> Plan | None:
    """The plan with one more validator around it."""
    if plan is None:
        return None
    try:
        outer = validator(shell, _use_prebuilt=False)  # else a class's own validator would be taken
    except (TypeError, SchemaError):  # a release of pydantic that cannot be told so, or that has other schemas
        return None
    return replace(plan, shells=[*plan.shells, outer])
