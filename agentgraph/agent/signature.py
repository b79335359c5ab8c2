"""Shows the options of a method, written once as a TypedDict, as the parameters they are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import ForwardRef, TypeVar

__all__ = ["spelled_out"]

F = TypeVar("F", bound=Callable[..., object])


def spelled_out(options: type, defaults: Mapping[str, object]) -> Callable[[F], F]:
    """Set the `__signature__` of a function so that its `**options` are spelled out, for help() and editors.

    Defaults that name other parameters are shown for those: where None is only how the function is told of them.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        kept = [
            each.replace(default=defaults.get(each.name, each.default))
            for each in signature.parameters.values()
            if each.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        spelled = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=_words(annotation)
            )
            for name, annotation in options.__annotations__.items()
        ]
        # functools.wraps-like assignment: every function takes attributes, only the type Callable does not say so
        function.__signature__ = signature.replace(parameters=[*kept, *spelled])  # type: ignore[attr-defined]
        return function

    return decorate


def _words(annotation: object) -> object:
    # As the annotations of the other parameters are: the text that was written.
    return annotation.__forward_arg__ if isinstance(annotation, ForwardRef) else annotation
