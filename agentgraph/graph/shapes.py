"""How the engine sees a class of the user's: the fields that are stored, and how each is turned into JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, PydanticUserError, TypeAdapter

from .adapters import adapter_for, unstorable
from .appended import Appended
from .hints import filled, hints_of

__all__ = ["Shape", "shape_of"]


@dataclass(frozen=True)
class Shape:
    """The stored fields of a node class or a state class."""

    cls: type[Any]
    fields: dict[str, TypeAdapter[Any]] = field(default_factory=dict[str, TypeAdapter[Any]])
    lists: dict[str, TypeAdapter[Any]] = field(default_factory=dict[str, TypeAdapter[Any]])
    """The fields that are stored by items: what stores one item."""
    whole_lists: dict[str, TypeAdapter[Any]] = field(default_factory=dict[str, TypeAdapter[Any]])
    """The same fields: what reads all items at once."""
    late: frozenset[str] = frozenset()
    """Fields that the constructor does not take."""
    problems: tuple[str, ...] = ()
    """The fields that cannot be stored, and why."""

    @property
    def name(self) -> str:
        return self.cls.__name__

    def make(self, values: Mapping[str, Any]) -> Any:
        """An object of the class.

        Raises:
            TypeError: a field without a default is missing.
        """
        if self.cls is NoneType:
            return None
        if issubclass(self.cls, BaseModel):
            return _make_model(self.cls, values)
        made = self.cls(**{name: value for name, value in values.items() if name not in self.late})
        for name in self.late & values.keys():
            setattr(made, name, values[name])
        return made


def shape_of(alias: type[Any], names: Mapping[str, Any], *, lists: bool = False) -> Shape:
    """Read a class, or a generic one with its arguments; `names` resolves what its own module does not know.

    With `lists`, as for a state, `Appended` fields are stored by items; else they are stored as any field.
    """
    cls: type[Any] = get_origin(alias) or alias
    if cls is NoneType:
        return Shape(cls)
    if issubclass(cls, BaseModel):
        init = dict.fromkeys(cls.model_fields, True)
    elif dataclasses.is_dataclass(cls):
        init = {item.name: item.init for item in dataclasses.fields(cls)}
    else:
        return Shape(cls, problems=(f"{cls.__name__} is neither a dataclass nor a pydantic model",))
    try:
        hints = hints_of(cls, names)
    except NameError as error:
        return Shape(cls, problems=(f"{cls.__name__} has a field annotated with {error.name!r}, unknown here",))
    return _read(cls, {name: filled(hints[name], alias) for name in init}, init, by_items=lists)


def _read(cls: type[Any], hints: Mapping[str, Any], init: Mapping[str, bool], *, by_items: bool) -> Shape:
    shape = Shape(cls, late=frozenset(name for name, taken in init.items() if not taken))
    problems: list[str] = []
    for name, hint in hints.items():
        if not by_items and name in shape.late:
            continue  # a node's field that its constructor does not take is working memory, not part of the node
        try:
            _place(shape, name, hint, by_items=by_items)
        except (PydanticUserError, NameError, TypeError) as error:
            reason = (
                str(error).splitlines()[0].partition(". Set `arbitrary")[0]
            )  # such a type could not be written either
            problems.append(f"{cls.__name__}.{name} cannot be stored: {reason}")
    return dataclasses.replace(shape, problems=tuple(problems))


def _make_model(cls: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    # The values were validated one by one; validating again would copy the lists and ask for aliases.
    missing = [name for name, info in cls.model_fields.items() if info.is_required() and name not in values]
    if missing:
        message = f"{', '.join(missing)} is missing"
        raise TypeError(message)
    return cls.model_construct(**values)


def _place(shape: Shape, name: str, hint: Any, *, by_items: bool) -> None:
    whole = _list_type(hint) if by_items else None
    refusal = unstorable(adapter_for(hint if whole is None else whole))
    if refusal is not None:
        raise TypeError(refusal)
    if whole is None:
        shape.fields[name] = adapter_for(hint)
    else:
        shape.lists[name], shape.whole_lists[name] = adapter_for(*get_args(whole)), adapter_for(whole)


def _list_type(hint: Any) -> Any:
    # The list[T] of an Annotated[list[T], Appended], or None.
    if get_origin(hint) is not Annotated:
        return None
    inner, *extras = get_args(hint)
    if not any(extra is Appended or isinstance(extra, Appended) for extra in extras):
        return None
    if get_origin(inner) is not list:
        message = "Appended goes with list[…]"
        raise TypeError(message)
    return inner
