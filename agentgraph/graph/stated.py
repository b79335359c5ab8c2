"""Copies of a run's state, one for each branch, so that branches share nothing that changes."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Collection
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from .appended import AppendedList

__all__ = ["copied", "rewindable"]

T = TypeVar("T")


def copied(state: T, lists: Collection[str]) -> T:
    """A state for a branch: the fields `lists` hold the same items in lists of their own, all others are copied deep.

    The items of such lists do not change, by contract, so branches may share them.
    """
    return _copied(state, lists, AppendedList[Any])


def rewindable(state: T, lists: Collection[str]) -> T:
    """The same for another attempt of a step: its lists also know what of them is stored."""
    return _copied(state, lists, _twin)


def _twin(items: list[Any]) -> AppendedList[Any]:
    return items.twin() if isinstance(items, AppendedList) else AppendedList(items)


def _copied(state: T, lists: Collection[str], make: Callable[[list[Any]], AppendedList[Any]]) -> T:
    if isinstance(state, BaseModel):
        return cast("T", state.model_copy(update=_values(state, type(state).model_fields, lists, make)))
    if dataclasses.is_dataclass(state) and not isinstance(state, type):
        made = copy.copy(state)
        names = [each.name for each in dataclasses.fields(state)]
        for name, value in _values(state, names, lists, make).items():
            object.__setattr__(made, name, value)  # a frozen state too has fields of its own
        return made
    return copy.deepcopy(state)


def _values(
    state: object, names: Collection[str], lists: Collection[str], make: Callable[[list[Any]], AppendedList[Any]]
) -> dict[str, Any]:
    return {
        name: make(getattr(state, name)) if name in lists else copy.deepcopy(getattr(state, name)) for name in names
    }
