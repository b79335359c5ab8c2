"""How validated values are handed to a function: by position where Python wants that, else by keyword."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from agentgraph.calling import underlying

__all__ = ["Bound", "Layout", "layout_of", "reserved_names"]

Bound: TypeAlias = tuple[tuple[object, ...], dict[str, object]]
"""What a function is called with, besides the context: positional and keyword arguments."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the values of a call go."""

    positional: tuple[Parameter, ...] = ()
    """Those that must be given by position, in order; a default is spelled out, since a later one may be given."""
    rest: str | None = None
    """The name of `*args`."""
    reserved: frozenset[str] = frozenset()
    """Names that a model may not put into `**kwargs`: they mean arguments that are not its own."""

    def bind(self, values: dict[str, Any]) -> Bound:  # Any: validated values
        """Turn validated values into arguments; `values` is used up.

        Raises:
            ValidationError: a keyword has a reserved name (pydantic's).
        """
        clash = self.reserved & values.keys() if self.reserved else ()
        if clash:
            raise _not_permitted(clash, values)
        if not self.positional and self.rest is None:
            return (), values
        args = [values.pop(one.name, one.default) for one in self.positional]
        if self.rest is not None:
            args += values.pop(self.rest, ())
        return tuple(args), values


def layout_of(given: Iterable[Parameter], reserved: frozenset[str]) -> Layout:
    """The layout for these parameters."""
    by_kind: dict[object, list[Parameter]] = {}
    for one in given:
        by_kind.setdefault(one.kind, []).append(one)
    positional = by_kind.get(Parameter.POSITIONAL_ONLY, [])
    rest = by_kind.get(Parameter.VAR_POSITIONAL)
    if rest:
        positional += by_kind.get(Parameter.POSITIONAL_OR_KEYWORD, [])
    open_ended = Parameter.VAR_KEYWORD in by_kind
    return Layout(tuple(positional), rest[0].name if rest else None, reserved if open_ended else frozenset())


def reserved_names(function: Callable[..., object], given: Iterable[Parameter]) -> frozenset[str]:
    """Names of arguments that somebody else gives: the context, `self`, and whatever a partial has bound."""
    by_keyword = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}
    every = signature(underlying(function)).parameters.values()
    return frozenset(one.name for one in every if one.kind in by_keyword) - {one.name for one in given}


def _not_permitted(names: Iterable[str], values: dict[str, object]) -> ValidationError:
    details = [InitErrorDetails(type="extra_forbidden", loc=(name,), input=values[name]) for name in sorted(names)]
    return ValidationError.from_exception_data("arguments", details, input_type="json")
