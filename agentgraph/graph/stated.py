"""Copies of a run's state, one for each branch, so that branches share nothing that changes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Collection
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from .appended import AppendedList

__all__ = ["copied"]

T = TypeVar("T")


def copied(state: T, lists: Collection[str]) -> T:
    """A state for a branch: the fields `lists` hold the same items in lists of their own, all others are copied deep.

    The items of such lists do not change, by contract, so branches may share them.
    """
    if isinstance(state, BaseModel):
        return cast("T", state.model_copy(update=_values(state, type(state).model_fields, lists)))
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        made = copy.copy(state)
        for name, value in _values(state, [each.name for each in dataclasses.fields(state)], lists).items():
            object.__setattr__(made, name, value)  # a frozen state too has fields of its own
        return made
    return copy.deepcopy(state)


def _values(state: object, names: Collection[str], lists: Collection[str]) -> dict[str, Any]:
    return {
        name: AppendedList[Any](getattr(state, name)) if name in lists else copy.deepcopy(getattr(state, name))
        for name in names
    }
