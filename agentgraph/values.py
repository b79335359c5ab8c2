"""Dataclasses that are cheap to define, and cheap to make where they are frozen.

`dataclasses.dataclass` writes and compiles the source of up to seven methods for each class. There are some two hundred
of them between `import agentgraph` and the first run, and that was two fifths of the time which the import took. Here
only `__init__` is compiled; the other methods are the same for all classes, and look at the fields. Fields are put into
the slots of a frozen class by the slots themselves, in a third of the time that `object.__setattr__` takes.

Whatever can be seen from outside is as in the standard library, which does the rest: fields, defaults, slots, patterns,
`replace`, pickles, errors. Not offered: `InitVar`, `order`, and leaving a method out by other means than writing it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from operator import attrgetter
from reprlib import recursive_repr
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["dataclass"]

# Any: the fields of a class that is yet unknown are of any type; nothing here looks into them.

T = TypeVar("T")


class _Anew:
    """The default of a parameter whose value is made for each object."""

    def __repr__(self) -> str:
        return "<factory>"


_ANEW = _Anew()


def _dataclass(
    cls: type[T] | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    kw_only: bool = False,
    unsafe_hash: bool = False,
) -> type[T] | Callable[[type[T]], type[T]]:
    def made(cls: type[T]) -> type[T]:
        if _below_frozen(cls):  # such a class may be made by the standard library alone, which looks for it
            flags = {"frozen": frozen, "slots": slots, "eq": eq, "kw_only": kw_only, "unsafe_hash": unsafe_hash}
            return dataclasses.dataclass(**flags)(cls)
        written = vars(cls)
        if cls.__doc__ is None:
            cls.__doc__ = cls.__name__  # or the standard library would write the signature there, of no `__init__`
        plain = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
        methods = {"__init__": _init(plain, frozen=frozen), "__repr__": _repr}
        if eq:
            methods |= _comparing(plain, hashed=frozen or unsafe_hash)
        if frozen:
            methods |= _refusing(plain) | (_PICKLED if slots else {})
        for name, method in methods.items():
            if name not in written or (name == "__hash__" and written[name] is None):  # as `__eq__` alone leaves it
                setattr(plain, name, method)
        parameters: Any = vars(plain)["__dataclass_params__"]
        parameters.init = parameters.repr = True
        parameters.eq, parameters.frozen, parameters.unsafe_hash = eq, frozen, unsafe_hash
        return plain

    return made if cls is None else made(cls)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass


def _below_frozen(cls: type) -> bool:
    bases: tuple[Any, ...] = cls.__mro__[1:]
    return any(base.__dataclass_params__.frozen for base in bases if hasattr(base, "__dataclass_params__"))


def _init(cls: Any, *, frozen: bool) -> Callable[..., None]:
    """The one method that is compiled: it is called the most, and its signature is its own."""
    space: dict[str, Any] = {"__name__": cls.__module__, "_anew": _ANEW, "_put": object.__setattr__}
    ordered, named, lines = ["self"], ["*"], list[str]()
    for field in fields(cls):
        parameter, value = _given(field, space)
        if parameter:
            (named if field.kw_only else ordered).append(parameter)
        if value:
            lines.append(_put(cls, field.name, value, space) if frozen else f"self.{field.name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join(ordered + (named if len(named) > 1 else []))
    exec("\n ".join([f"def __init__({parameters}):", *(lines or ["pass"])]), space)  # noqa: S102 - our own text
    init: Callable[..., None] = space["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {field.name: field.type for field in fields(cls) if field.init} | {"return": None}
    return init


def _given(field: Field[Any], space: dict[str, Any]) -> tuple[str, str]:
    """A field's parameter and value, as source; each empty where there is none."""
    name, default, factory = field.name, f"_default_{field.name}", f"_factory_{field.name}"
    if field.default_factory is not MISSING:
        space[factory] = field.default_factory
        made = f"{factory}()"
        return (f"{name}=_anew", f"{made} if {name} is _anew else {name}") if field.init else ("", made)
    if field.default is not MISSING:
        space[default] = field.default
        return (f"{name}={default}", name) if field.init else ("", default)
    return (name, name) if field.init else ("", "")


def _put(cls: Any, name: str, value: str, space: dict[str, Any]) -> str:
    slot: object = getattr(cls, name, None)
    if not isinstance(slot, MemberDescriptorType):
        return f"_put(self, {name!r}, {value})"
    space[f"_put_{name}"] = slot.__set__
    return f"_put_{name}(self, {value})"


@recursive_repr("...")
def _repr(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self) if field.repr)
    return f"{type(self).__qualname__}({shown})"


def _comparing(cls: Any, *, hashed: bool) -> dict[str, Any]:
    names = [field.name for field in fields(cls) if field.compare]
    # A getter of one name gives no tuple, and there is none of no name.
    values: Callable[[object], tuple[object, ...]] = (
        attrgetter(*names) if len(names) > 1 else lambda self: tuple(getattr(self, name) for name in names)
    )

    def __eq__(self: object, other: object) -> bool:  # noqa: N807 - it becomes the method of that name
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:  # noqa: N807
        return hash(values(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if hashed else None}


def _refusing(cls: Any) -> dict[str, Any]:
    names = frozenset(field.name for field in fields(cls))

    def __setattr__(self: object, name: str, value: object) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        super(cls, self).__setattr__(name, value)

    def __delattr__(self: object, name: str) -> None:  # noqa: N807
        if type(self) is cls or name in names:
            raise FrozenInstanceError(f"cannot delete field {name!r}")
        super(cls, self).__delattr__(name)

    return {"__setattr__": __setattr__, "__delattr__": __delattr__}


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_PICKLED = {"__getstate__": _state, "__setstate__": _set_state}
"""Of a frozen class with slots: what pickles and copies would set otherwise is refused."""
