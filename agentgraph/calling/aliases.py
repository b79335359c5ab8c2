"""What a type alias stands for."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, get_args, get_origin, get_type_hints

from typing_extensions import TypeAliasType

__all__ = ["meant"]

# `type X = ...` makes typing's own from Python 3.12 on, `TypeAliasType(...)` of typing_extensions another up to 3.13.
_ALIASES: tuple[type[TypeAliasType], ...] = (TypeAliasType, getattr(typing, "TypeAliasType", TypeAliasType))


def meant(kind: object) -> object:
    """The type that an alias, plain or generic, stands for; anything else stands for itself."""
    if isinstance(kind, _ALIASES):
        return meant(_value(kind))
    origin = get_origin(kind)
    if isinstance(origin, _ALIASES):
        value: Any = _value(origin)  # Any: a generic type
        return meant(value[get_args(kind)])
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
