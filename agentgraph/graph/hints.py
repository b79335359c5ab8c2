"""Annotations of a user's classes, resolved as their author meant them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

__all__ = ["filled", "hints_of"]


def hints_of(
    cls: type[Any], names: Mapping[str, Any], method: Callable[..., Any] | None = None
) -> dict[str, Any]:  # annotations can be anything
    """The annotations of a class, or of one of its methods.

    A class that a function defines sees `names` first: the local names where its graph was made. Any other class sees
    its own module, and `names` only if that is not enough, as for what it imports under `TYPE_CHECKING`.

    Raises:
        NameError: a name is unknown.
    """
    what = cls if method is None else method
    local = {**names, cls.__name__: cls}
    if "<locals>" not in cls.__qualname__:
        try:
            return get_type_hints(what, include_extras=True)
        except NameError:
            pass
    return get_type_hints(what, localns=local, include_extras=True)


def filled(hint: Any, cls: Any) -> Any:
    """`hint`, a field's annotation, with the type variables replaced that the alias `cls` has arguments for."""
    variables: tuple[Any, ...] = getattr(get_origin(cls), "__parameters__", ())
    given = dict(zip(variables, get_args(cls), strict=False))
    if isinstance(hint, TypeVar):
        return given.get(hint, hint)
    parameters: tuple[Any, ...] = getattr(hint, "__parameters__", ())
    return hint[tuple(given.get(each, each) for each in parameters)] if given and parameters else hint
