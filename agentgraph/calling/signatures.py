"""What the signature of a function says: its parameters, their types, and whether it wants the run's context."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, SimpleNamespace
from typing import Annotated, get_args, get_origin, get_type_hints

from agentgraph.context import RunContext

__all__ = [
    "Unresolved",
    "documentation",
    "is_context",
    "parameters",
    "resolve",
    "takes_context",
    "underlying",
]

_CONTEXT_BY_NAME = re.compile(r"(\w+\.)*RunContext\b")


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An annotation with a name that means nothing (yet)."""

    annotation: str
    reason: str


def underlying(function: Callable[..., object]) -> Callable[..., object]:
    """The plain function or class beneath partials, bound methods, callable objects and `functools.wraps`."""
    if isinstance(function, partial):
        return underlying(function.func)
    if isinstance(function, MethodType):
        return underlying(function.__func__)
    if isinstance(function, FunctionType):
        plain: Callable[..., object] = inspect.unwrap(function)
        return plain
    call = type(function).__call__
    return underlying(call) if isinstance(call, FunctionType) else function


def parameters(function: Callable[..., object]) -> Sequence[inspect.Parameter]:
    """What may still be given to `function`: keywords that a partial has bound are left out.

    Raises:
        ValueError: Python knows no signature of it, as for some functions written in C.
    """
    bound = _bound_keywords(function)
    return [given for given in inspect.signature(function).parameters.values() if given.name not in bound]


def resolve(function: Callable[..., object], annotation: object) -> object:
    """The type that an annotation of `function` means, in the words of the place where the function was written."""
    target = underlying(function)
    namespace = _globals(target)
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        try:
            return get_type_hints(holder, dict(namespace), include_extras=True)["it"]
        except NameError:
            names = _names_around(target)
            return get_type_hints(holder, {**namespace, **names}, include_extras=True)["it"]
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        return Unresolved(annotation if isinstance(annotation, str) else repr(annotation), str(error))


def is_context(annotation: object) -> bool:
    """Whether a resolved annotation is a `RunContext`, as far as can be told."""
    if isinstance(annotation, Unresolved):
        # Types that are imported for checkers only are common in the brackets of RunContext[...].
        return _CONTEXT_BY_NAME.match(annotation.annotation) is not None
    origin = get_origin(annotation)
    if origin is Annotated:
        return is_context(get_args(annotation)[0])
    kind = origin or annotation
    return isinstance(kind, type) and issubclass(kind, RunContext)


def takes_context(function: Callable[..., object], besides: int | None = None) -> bool:
    """Whether `function` wants the run's context as its first argument.

    Its first annotation says so. With `besides`, the number of its other arguments, a function without annotation
    wants it too if it must be given one argument more than these.
    """
    try:
        given = parameters(function)
    except ValueError:
        return False
    positional = [one for one in given if one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD}]
    if not positional:
        return False
    if is_context(resolve(function, positional[0].annotation)):
        return True
    return besides is not None and sum(one.default is one.empty for one in positional) == besides + 1


def documentation(function: Callable[..., object]) -> str | None:
    """The docstring of the function, or of the class of a callable object."""
    if isinstance(function, partial):
        return documentation(function.func)
    if isinstance(function, MethodType | FunctionType):
        return inspect.getdoc(function)
    # Not `getdoc`, which would find the docstring of some base class, or of calling anything at all.
    if isinstance(function, type | BuiltinFunctionType):
        doc = function.__doc__
    else:
        doc = type(function).__call__.__doc__ or type(function).__doc__
    return inspect.cleandoc(doc) if doc else None


def _bound_keywords(function: Callable[..., object]) -> Mapping[str, object]:
    # What was bound is the programmer's, perhaps a key: inspect would show it as a default that a caller may replace.
    return function.keywords if isinstance(function, partial) else {}


def _globals(target: Callable[..., object]) -> Mapping[str, object]:
    if isinstance(target, type):
        return vars(sys.modules[target.__module__])
    names: Mapping[str, object] = getattr(target, "__globals__", {})
    return names


def _names_around(function: Callable[..., object]) -> Mapping[str, object]:
    """The local variables of the function being executed in which `function` was written, if it was in one."""
    code: object = getattr(function, "__code__", None)
    frame = inspect.currentframe() if isinstance(code, CodeType) else None
    while frame is not None:
        if _contains(frame.f_code, code):
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def _contains(outer: CodeType, code: object) -> bool:
    inner = [const for const in outer.co_consts if isinstance(const, CodeType)]
    return any(const is code for const in inner) or any(_contains(const, code) for const in inner)
