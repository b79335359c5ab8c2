"""The types that a result may have: a union taken apart, each member with a name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from agentgraph.calling import meant

__all__ = ["free_name", "members", "tool_names", "type_name"]

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


def members(result_type: object) -> Sequence[object]:
    """The members of a union, of unions in it, and of what aliases stand for; any other type is its only member.

    A union in `Annotated` stays whole: what is annotated (a discriminator, a validator) is about all of it.
    """
    kind = meant(result_type)
    if get_origin(kind) in {Union, UnionType}:
        flat = [member for one in get_args(kind) for member in members(one)]
        return [one for position, one in enumerate(flat) if one not in flat[:position]]
    return [str if kind is str else result_type]


def tool_names(base: str, types: Sequence[object]) -> Sequence[str]:
    """A name for the result tool of each type; one that is taken gets the position of its type, from 1."""
    if len(types) == 1:
        return [base]
    names = list[str]()
    for position, one in enumerate(types, start=1):
        name = f"{base}_{_NOT_IN_NAMES.sub('_', type_name(one)).strip('_')}"
        names.append(free_name(name, position, names))
    return names


def type_name(kind: object) -> str:
    """The name of a type, in words for people and models."""
    if get_origin(kind) is Annotated:
        return type_name(get_args(kind)[0])
    name: str = getattr(kind, "__name__", "") or str(kind)
    return name


def free_name(name: str, position: int, taken: Sequence[str]) -> str:
    """The name, or with the position after it if that is taken."""
    free = name
    while free in taken:
        free, position = f"{name}_{position}", position + 1
    return free
