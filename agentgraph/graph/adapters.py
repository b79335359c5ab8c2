"""Type adapters, one per type for the whole process: building one costs milliseconds, using it microseconds.

What takes so long is to find out what a type is made of. So a list of a known type, and a dataclass that was found in a
known union, are built from what is known: a tenth of a millisecond.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, get_args, get_origin

from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator, core_schema
from typing_extensions import TypeAliasType

__all__ = ["adapter_for", "unstorable"]

_BASE64 = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants")
_CORE = CoreConfig(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants")

_found: dict[Any, Any] = {}  # any: schemas
"""The dataclasses that stand in unions for which there is an adapter."""


def adapter_for(tp: Any) -> TypeAdapter[Any]:  # any annotation that pydantic understands
    """The adapter of an annotation.

    Raises:
        PydanticSchemaGenerationError: pydantic cannot store the type.
    """
    try:
        return _cached(tp)
    except TypeError:  # an unhashable annotation, such as Annotated with a list in it
        return _build(tp)


@lru_cache(maxsize=1024)
def _cached(tp: Any) -> TypeAdapter[Any]:
    return _build(tp)


def _build(tp: Any) -> TypeAdapter[Any]:
    if isinstance(tp, type) and tp in _found:
        return _made_of(_found[tp])
    if get_origin(tp) is list:
        inside = _schema(adapter_for(*get_args(tp)))
        if inside is not None:
            return _made_of(_with(inside, core_schema.list_schema(_inner(inside))))
    adapter = _generated(tp)
    schema = _schema(adapter)
    if schema is not None and _inner(schema)["type"] == "tagged-union":
        choices = [choice for choice in _inner(schema)["choices"].values() if choice["type"] == "dataclass"]
        _found.update({choice["cls"]: _with(schema, choice) for choice in choices})
    return adapter


def _schema(adapter: TypeAdapter[Any]) -> Any:  # any: a mapping whose keys depend on its type
    """What a type is made of; None while some of that is not defined yet."""
    return adapter.core_schema if adapter.pydantic_complete else None


def _inner(schema: Any) -> Any:
    return schema["schema"] if schema["type"] == "definitions" else schema


def _with(whole: Any, schema: Any) -> Any:
    """A schema with the definitions that `whole` has for it."""
    return {**whole, "schema": schema} if whole["type"] == "definitions" else schema


def _made_of(schema: Any) -> TypeAdapter[Any]:
    adapter = TypeAdapter[Any](Any)  # complete, as what replaces its parts is
    adapter.core_schema = schema
    adapter.validator, adapter.serializer = SchemaValidator(schema, _CORE), SchemaSerializer(schema, _CORE)
    return adapter


def _generated(tp: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(tp, config=_BASE64)
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":  # models, dataclasses and typed dicts may bring their own config
            raise
        # Behind an alias, those without a config of their own take ours. Which type it is, only the run time knows.
        alias: Any = TypeAliasType("Stored", tp)  # pyright: ignore[reportGeneralTypeIssues]
        return TypeAdapter(alias, config=_BASE64)


_NO_KEYS = {"dataclass", "dict", "frozenset", "list", "model", "set", "tuple", "typed-dict"}
"""What pydantic writes as the key of an object and cannot read back."""


def unstorable(adapter: TypeAdapter[Any]) -> str | None:
    """Why values of a type that pydantic knows could not be written as JSON and read back; None: they can, or may."""
    return _unstorable(adapter.core_schema)


def _unstorable(schema: Any) -> str | None:  # any: a mapping whose keys depend on its type
    match schema:
        case {"serialization": _}:
            return None  # its author says how
        case {"type": "callable"}:
            return "JSON holds no functions"
        case {"type": "is-subclass"}:
            return "JSON holds no classes"
        case {"type": "dict", "keys_schema": {"type": str(keys)}} if keys in _NO_KEYS:
            return f"the keys of JSON objects are no {keys}s"
        case {"type": "dict", "values_schema": inner} | {"type": "list" | "set" | "frozenset", "items_schema": inner}:
            return _unstorable(inner)
        case _:
            return None
