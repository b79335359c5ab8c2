"""TypedDicts made at run time: pydantic's way to validate a handful of named values in one go."""

from __future__ import annotations

from collections.abc import Mapping
from types import new_class

from pydantic import ConfigDict
from typing_extensions import TypedDict

__all__ = ["NOTHING", "typed_dict"]

NOTHING = object()
"""Stands for "no other keys" where any type could stand."""


def typed_dict(name: str, annotations: Mapping[str, object], extra: object = NOTHING) -> type:
    """A TypedDict class with these keys.

    Args:
        name: the class's name, seen in error messages only.
        annotations: the type of each key, in `Required` or `NotRequired` where it matters.
        extra: the type of all other keys; left out, they are forbidden.
    """

    def body(namespace: dict[str, object]) -> None:
        namespace.update(__annotations__=dict(annotations), __module__=__name__)
        if extra is NOTHING:
            namespace["__pydantic_config__"] = ConfigDict(extra="forbid")

    return new_class(name, (TypedDict,), {} if extra is NOTHING else {"extra_items": extra}, body)
