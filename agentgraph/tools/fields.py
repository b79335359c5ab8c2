"""The parameters of a function as the fields of a TypedDict."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from inspect import Parameter, isclass
from types import GenericAlias
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import BaseModel, Field as FieldOf
from pydantic.fields import FieldInfo
from pydantic_core import from_json, to_json
from typing_extensions import ReadOnly, is_typeddict

from agentgraph.calling import NOTHING, meant, typed_dict

__all__ = ["Field", "annotate_schema", "extra_type", "fields_dict", "fields_of", "is_object"]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of what a model sends."""

    name: str
    annotation: Any  # Any: whatever pydantic takes for a type
    required: bool = True
    description: str | None = None
    """From the docstring or from pydantic's `Field`."""
    default: object = Parameter.empty
    """What Python puts in if the key is left out."""
    key: str = ""
    """The name by which the model knows it."""


def fields_of(given: Iterable[Parameter], descriptions: Mapping[str, str]) -> list[Field]:
    """The fields for parameters with resolved annotations. `**kwargs` has some only if it is an unpacked TypedDict."""
    fields = list[Field]()
    for one in given:
        match one.kind:
            case Parameter.VAR_KEYWORD:
                fields += _unpacked(one.annotation)
            case Parameter.VAR_POSITIONAL:
                text = descriptions.get(one.name)
                fields.append(
                    Field(
                        one.name, GenericAlias(list, (one.annotation,)), required=False, description=text, key=one.name
                    )
                )
            case _:
                fields.append(_field(one, descriptions.get(one.name)))
    return fields


def extra_type(given: Iterable[Parameter]) -> Parameter | None:
    """The `**kwargs` that takes whatever keys the model makes up."""
    for one in given:
        if one.kind is Parameter.VAR_KEYWORD and not _is_unpacked(one.annotation):
            return one
    return None


def fields_dict(name: str, fields: Iterable[Field], extra: Parameter | None) -> type:
    """A TypedDict with these fields, closed unless there is `extra`."""
    annotations = {field.name: (Required if field.required else NotRequired)[field.annotation] for field in fields}
    return typed_dict(name, annotations, NOTHING if extra is None else extra.annotation)


def annotate_schema(
    schema: dict[str, Any], fields: Iterable[Field], extra: Parameter | None, descriptions: Mapping[str, str]
) -> None:  # Any: JSON
    """Write defaults and descriptions into the schema of `fields_dict`."""
    schema.pop("title", None)
    properties: dict[str, dict[str, Any]] = schema.setdefault("properties", {})  # Any: JSON
    for field in fields:
        if (found := properties.get(field.key)) is not None:
            if field.description is not None:
                found["description"] = field.description
            found.update(_json_default(field.default))
    if extra is not None and (text := descriptions.get(extra.name)) is not None:
        values = schema.get("additionalProperties")
        schema["additionalProperties"] = {"description": text, **(values if isinstance(values, dict) else {})}


def is_object(annotation: object) -> bool:
    """Whether a type is a model, a dataclass or a TypedDict, however it is wrapped up."""
    plain = meant(annotation)
    origin = get_origin(plain)
    if origin is Annotated:
        return is_object(get_args(plain)[0])
    kind: Any = origin or plain  # Any: a class of any kind
    return isclass(kind) and (issubclass(kind, BaseModel) or is_dataclass(kind) or is_typeddict(kind))


def _field(one: Parameter, text: str | None) -> Field:
    annotation: Any = one.annotation  # Any: see Field
    default = one.default
    if isinstance(default, FieldInfo):  # `x: int = Field(...)`
        annotation, default = Annotated[annotation, default], Parameter.empty
    info = FieldInfo.from_annotation(annotation)
    key = info.validation_alias if isinstance(info.validation_alias, str) else one.name
    if default is not Parameter.empty and not info.is_required():
        annotation = Annotated[annotation, FieldOf(default=default)]  # two defaults: Python's own counts
    required = default is Parameter.empty and info.is_required()
    return Field(one.name, annotation, required, info.description or text, default, key)


def _unpacked(annotation: object) -> Sequence[Field]:
    """The fields of `**kwargs: Unpack[Options]`."""
    if not _is_unpacked(annotation):
        return ()
    options = get_args(annotation)[0]
    required: frozenset[str] = options.__required_keys__
    hints = get_type_hints(options, include_extras=True)
    return [_option(name, hint, required=name in required) for name, hint in hints.items()]


def _is_unpacked(annotation: object) -> bool:
    # On Python 3.11 there are two of them.
    return get_origin(annotation) in {typing.Unpack, typing_extensions.Unpack}


def _option(name: str, hint: object, *, required: bool) -> Field:
    # The words around a type count for more than `__required_keys__`, which knows nothing of annotations as text.
    while (marker := get_origin(hint)) in {Required, NotRequired, ReadOnly}:
        required = required if marker is ReadOnly else marker is Required
        hint = get_args(hint)[0]
    annotation: Any = hint  # Any: see Field
    return Field(name, annotation, required, FieldInfo.from_annotation(annotation).description, key=name)


def _json_default(default: object) -> dict[str, object]:
    # Nothing is said about a default that JSON cannot hold, or that reading would use up.
    if default is Parameter.empty or isinstance(default, Iterator):
        return {}
    try:
        return {"default": from_json(to_json(default, bytes_mode="base64"), allow_inf_nan=False)}
    except ValueError:
        return {}
