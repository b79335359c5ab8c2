"""The types that a result may have: a union taken apart, each member with a name."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from types import SimpleNamespace, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from typing_extensions import TypeAliasType

__all__ = ["members", "tool_names", "type_name"]

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def members(result_type: object) -> Sequence[object]:
    """The members of a union, of unions in it, and of what aliases stand for; any other type is its only member.

    A union in `Annotated` stays whole: what is annotated (a discriminator, a validator) is about all of it.
    """
    meant = _meant(result_type)
    if get_origin(meant) in {Union, UnionType}:
        flat = [member for one in get_args(meant) for member in members(one)]
        return [one for position, one in enumerate(flat) if one not in flat[:position]]
    return [str if meant is str else result_type]


def tool_names(base: str, types: Sequence[object]) -> Sequence[str]:
    """A name for the result tool of each type; one that is taken gets the position of its type, from 1."""
    if len(types) == 1:
        return [base]
    names = list[str]()
    for position, one in enumerate(types, start=1):
        name = f"{base}_{_NOT_IN_NAMES.sub('_', type_name(one)).strip('_')}"
        names.append(_free(name, position, names))
    return names


def type_name(kind: object) -> str:
    """The name of a type, in words for people and models."""
    if get_origin(kind) is Annotated:
        return type_name(get_args(kind)[0])
    name: str = getattr(kind, "__name__", "") or str(kind)
    return name


def _free(name: str, position: int, taken: Sequence[str]) -> str:
    free = name
    while free in taken:
        free, position = f"{name}_{position}", position + 1
    return free


def _meant(kind: object) -> object:
    """What an alias stands for; anything else stands for itself."""
    origin, given = get_origin(kind), get_args(kind)
    if isinstance(kind, TypeAliasType):
        return _meant(_value(kind))
    if isinstance(origin, TypeAliasType):
        value: Any = _value(origin)  # Any: a generic type
        return _meant(value[given])
    return kind


def _value(alias: TypeAliasType) -> object:
    # An alias that mentions itself has to be written as text.
    module = sys.modules.get(alias.__module__ or "")
    names: Mapping[str, object] = {} if module is None else vars(module)
    holder = SimpleNamespace(__annotations__={"it": alias.__value__})
    try:
        return get_type_hints(holder, dict(names), {alias.__name__: alias}, include_extras=True)["it"]
    except NameError:
        return alias.__value__
