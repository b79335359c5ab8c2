"""Reads one part of a container from its JSON, as pydantic would where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias, assert_never

from pydantic import ValidationError
from pydantic_core import SchemaValidator

__all__ = ["IrregularError", "Key", "Piece", "Slot", "Where", "validator"]

Schema: TypeAlias = Mapping[str, Any]  # Any: pydantic's core schemas
Piece: TypeAlias = list[Any] | dict[Any, Any]  # Any: validated values of any type


class IrregularError(Exception):
    """The text is no JSON of the kind that can be read in parts."""


class Key(NamedTuple):
    """What a value is called in its object."""

    text: str
    """As it stands in the JSON, with its quotation marks."""
    name: str


@dataclass(frozen=True, slots=True)
class Where:
    """What is known of a place for values."""

    schema: Schema
    config: Schema | None
    """That of the class whose field it is in."""


@dataclass(frozen=True)
class Slot:
    """A place for values of one type: an item of a list, a member of a record or an entry of a dict."""

    where: Where
    kind: Literal["item", "member", "entry"]
    keys: Schema
    definitions: Mapping[str, Schema]

    @cached_property
    def holds_plans(self) -> bool:
        """Whether its values can be put together elsewhere: not if their keys become something else here."""
        config = self.where.config or {}
        plain = self.keys["type"] in {"any", "str"} and not self.keys.keys() - {"type", "metadata"}
        return self.kind != "entry" or (plain and not any(option.startswith("str_") for option in config))

    def piece(self, key: Key, value: object) -> Piece:
        """What a value that was put together elsewhere adds to the container."""
        return [value] if self.kind == "item" else {key.name: value}

    def read(self, key: Key, text: str, *, closed: bool, partial: bool) -> Piece:
        """What the value adds to the container: nothing, if it is left out.

        Args:
            key: its key; an empty one for items.
            text: its JSON.
            closed: whether the text is whole.
            partial: whether a value that does not fit is left out.

        Raises:
            ValidationError: it does not fit (pydantic's).
            IrregularError: it is no JSON.
        """
        try:
            found = self._found(self._source(key, text, closed=closed), closed=closed, partial=partial)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            if first["type"] == "json_invalid" and not first["loc"]:
                raise IrregularError from error
            raise
        if self.kind == "member":
            return {key.name: found["v"]} if found else {}
        piece: Piece = found.get("v", [])
        return piece

    def _source(self, key: Key, text: str, *, closed: bool) -> str:
        match self.kind:
            case "item":
                return f'{{"v":[{text}]}}' if closed else f'{{"v":[{text}'
            case "entry":
                return f'{{"v":{{{key.text}:{text}}}}}' if closed else f'{{"v":{{{key.text}:{text}'
            case "member":
                return f'{{"v":{text}}}' if closed else f'{{"v":{text}'
            case _:
                assert_never(self.kind)

    def _found(self, source: str, *, closed: bool, partial: bool) -> dict[str, Any]:
        if partial:
            members: dict[str, Any] = self._partial.validate_json(source, allow_partial="trailing-strings")
            return members
        members, _, given = self._strict.validate_json(source, allow_partial="off" if closed else "trailing-strings")
        return {name: members[name] for name in given}

    @cached_property
    def _strict(self) -> SchemaValidator:
        """Fields of a model, in which partial mode ends."""
        field: Schema = {"type": "model-field", "schema": self._inner()}
        return self._validator({"type": "model-fields", "fields": {"v": field}})

    @cached_property
    def _partial(self) -> SchemaValidator:
        """A typed dict, in which it does not; it leaves out what is not required."""
        field: Schema = {"type": "typed-dict-field", "schema": self._inner(), "required": self.kind != "member"}
        return self._validator({"type": "typed-dict", "fields": {"v": field}})

    def _inner(self) -> Schema:
        match self.kind:
            case "item":
                return {"type": "list", "items_schema": self.where.schema}
            case "entry":
                return {"type": "dict", "keys_schema": self.keys, "values_schema": self.where.schema}
            case "member":
                return self.where.schema
            case _:
                assert_never(self.kind)

    def _validator(self, schema: Schema) -> SchemaValidator:
        if self.definitions:
            schema = {"type": "definitions", "schema": schema, "definitions": [*self.definitions.values()]}
        return validator(schema, self.where.config)


def validator(
    schema: Schema,
    config: Schema | None = None,
    **options: Any,  # Any: pydantic's own
) -> SchemaValidator:
    """What validates by a core schema that was put together here."""
    arguments: list[Any] = [schema, config]  # Any: to type checkers such a schema is any mapping
    return SchemaValidator(*arguments, **options)
