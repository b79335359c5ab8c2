"""The JSON schema of a type as models want it: an object on top, and no words that say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

__all__ = ["SchemaError", "describe"]


class SchemaError(Exception):
    """A type has no JSON schema; `undefined` if only because a name in it is not defined yet."""

    def __init__(self, error: PydanticUserError | PydanticUndefinedAnnotation) -> None:
        self.undefined = isinstance(error, PydanticUndefinedAnnotation) or error.code == "class-not-fully-defined"
        self.reason = str(error.message).split("\n", 1)[0].split(". Set `", 1)[0].strip()  # not pydantic's way out
        super().__init__(self.reason)


class _Schema(GenerateJsonSchema):
    # The default of a model's field that JSON cannot hold is left out; that is no news to anybody.
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as pydantic declares it

    def field_title_should_be_set(self, schema: Any) -> bool:  # Any: pydantic's own core schemas
        return False


def describe(kind: Any) -> tuple[TypeAdapter[Any], dict[str, Any]]:  # Any: a type of any kind; JSON
    """What validates a type, and the JSON schema of its input.

    A reference on top of the schema, as recursive types have, is replaced by what it refers to.

    Raises:
        SchemaError: the type has no such schema.
    """
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(kind)  # Any: as above
        adapter.rebuild(raise_errors=True)  # does nothing but name a name that is not defined
        schema = adapter.json_schema(schema_generator=_Schema)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise SchemaError(error) from error
    while "$ref" in schema:
        definitions: Mapping[str, dict[str, Any]] = schema["$defs"]  # Any: JSON
        name = schema.pop("$ref").removeprefix("#/$defs/")
        schema = {**definitions[name], **schema}
    return adapter, schema
