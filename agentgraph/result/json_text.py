"""Results that come as JSON in the text of a reply: the schema that is asked for, and how the text is read.

The JSON is always an object, as most services demand: a type that is none is put under a key, and so is a union, each
member as `{"kind": its name, "data": its value}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, Required, Union

from pydantic import Discriminator, TypeAdapter
from pydantic_core import to_json
from typing_extensions import TypeVar

from agentgraph.calling import SchemaError, describe, typed_dict
from agentgraph.exceptions import UserError
from agentgraph.model import ResultFormat

from .members import free_name, members, type_name
from .modes import NativeResult, PromptedResult

if TYPE_CHECKING:
    from .partial import PartialReader, Source

__all__ = ["WRAP_KEY", "JsonForm", "json_form"]

T = TypeVar("T")

WRAP_KEY = "response"
"""Holds a result that is no object by itself."""
KIND, DATA = "kind", "data"
INSTRUCTIONS = """\
Give your final answer as one JSON object that follows the JSON schema below. Write nothing before or after it, and no \
Markdown around it.

{schema}"""
SCHEMA_PLACE = "{schema}"
FENCED = re.compile(r"```[a-zA-Z]*\s*(?=\{)")
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
DECODER = json.JSONDecoder()
NAME_LENGTH = 64
"""What OpenAI takes, whose rules for names others have adopted."""


@dataclass(frozen=True)
class JsonForm(Generic[T]):
    """How one result type is asked for and read as JSON text."""

    format: ResultFormat
    instructions: str | None
    """What the model is told about it, where nothing else tells it."""
    adapter: TypeAdapter[Any]  # Any: the type, or a TypedDict made at run time around it
    path: Sequence[str]
    """The keys that lead to the result."""

    def read(self, text: str, *, partial: bool = False) -> T:
        """The result in a text.

        Args:
            text: JSON, also between Markdown fences or with words around it, as models that were only told give it.
            partial: whether the text is still coming; what is there of it is read then, as far as it is valid.

        Raises:
            ValidationError: there is none, or it does not fit (pydantic's).
            ModelRetry: a validator of the type refused it.
        """
        value = self._read(text, partial=partial)
        for key in self.path:
            value = value[key]
        result: T = value
        return result

    def reader(self) -> PartialReader[T]:
        """Reads the result while the text comes."""
        from .partial import PartialReader

        return PartialReader(self._source)

    @cached_property
    def _source(self) -> Source:
        from .partial import Source
        from .partial_types import Plans

        return Source(Plans(self.adapter.core_schema), partial(self._read, partial=True), _json_begun, self.path)

    def _read(self, text: str, *, partial: bool) -> Any:  # Any: as `adapter`
        text = _json_in(text, partial=partial)
        return self.adapter.validate_json(text, experimental_allow_partial="trailing-strings" if partial else "off")


def json_form(asked: NativeResult[T] | PromptedResult[T]) -> JsonForm[T]:
    """Find out how a type is asked for as JSON.

    Raises:
        UserError: text is among what it may be; a member has no JSON schema; a template has no place for the schema.
    """
    kinds = members(asked.result_type)
    if str in kinds:
        raise UserError(
            f"{asked!r} asks for JSON, but `str` is any text: leave `{type(asked).__name__}` out, or put the text into "
            f"a field of a model"
        )
    adapter, schema, path = _described(asked, kinds)
    outer = path[0] if path else None
    doc = schema.pop("description", None)
    if isinstance(asked, NativeResult):
        name = asked.name or ("result" if len(kinds) > 1 else type_name(asked.result_type))
        name = NOT_IN_NAMES.sub("_", name).strip("_")[:NAME_LENGTH] or "result"
        return JsonForm(ResultFormat("native", name, schema, asked.description or doc, outer), None, adapter, path)
    schema = schema if doc is None else {**schema, "description": doc}
    told = INSTRUCTIONS if asked.template is None else asked.template
    if SCHEMA_PLACE not in told:
        raise UserError(f"the template of {asked!r} has no {SCHEMA_PLACE!r}, where the schema belongs: {told!r}")
    instructions = told.replace(SCHEMA_PLACE, to_json(schema).decode())
    return JsonForm(ResultFormat("prompted", "result", schema, None, outer), instructions, adapter, path)


def _described(
    asked: NativeResult[Any] | PromptedResult[Any], kinds: Sequence[object]
) -> tuple[TypeAdapter[Any], dict[str, Any], Sequence[str]]:
    try:
        if len(kinds) > 1:
            return _union(kinds)
        adapter, schema = describe(asked.result_type)
        if schema.get("type") == "object":
            return adapter, schema, ()
        adapter, schema = describe(typed_dict("result", {WRAP_KEY: Required[_any(asked.result_type)]}))
    except SchemaError as error:
        raise UserError(
            f"the result type {type_name(asked.result_type)} cannot be described to a model: {error.reason}"
        ) from error
    del schema["title"]
    return adapter, schema, (WRAP_KEY,)


def _union(kinds: Sequence[object]) -> tuple[TypeAdapter[Any], dict[str, Any], Sequence[str]]:
    names = list[str]()
    for position, kind in enumerate(kinds, start=1):
        names.append(free_name(type_name(kind), position, names))
    wrapped = [
        typed_dict(f"{name}_result", {KIND: Required[Literal[name]], DATA: Required[_any(kind)]})
        for name, kind in zip(names, kinds, strict=True)
    ]
    either: Any = Annotated[Union[tuple(wrapped)], Discriminator(KIND)]  # noqa: UP007 - made of a list
    adapter, schema = describe(typed_dict("result", {WRAP_KEY: Required[either]}))
    del schema["title"]
    # Which of them it is shows in the kind: services know `anyOf` better than `oneOf` and `discriminator`.
    response = schema["properties"][WRAP_KEY]
    schema["properties"][WRAP_KEY] = {"anyOf": response["oneOf"]}
    return adapter, schema, (WRAP_KEY, DATA)


def _json_in(text: str, *, partial: bool) -> str:
    text = text.lstrip()
    if not text.startswith("{"):
        fence = FENCED.search(text)
        text = text[max(text.find("{"), 0) if fence is None else fence.end() :]
    if not partial:
        with suppress(ValueError, RecursionError):  # what is wrong, pydantic says
            return text[: DECODER.raw_decode(text)[1]]
    return text


def _json_begun(text: str) -> str | None:
    """The JSON in a text that is still coming, if nothing that comes can change where it begins."""
    text = text.lstrip()
    if text.startswith("{"):
        return text
    fence = FENCED.search(text)
    return None if fence is None else text[fence.end() :]


def _any(kind: object) -> Any:  # Any: checkers know no type for types that are made at run time
    return kind
