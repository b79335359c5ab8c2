"""From a signature to the schema a model sees, and from what a model sends to what the function takes.

The parameters become the keys of a TypedDict, which pydantic validates in one go. Nothing is put in for a parameter
that the model leaves out: Python's own default holds then, the very object. A single parameter whose type is an
object itself (a model, dataclass or TypedDict) is not wrapped: its schema is the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from pydantic import TypeAdapter

from agentgraph.calling import SchemaError, Unresolved, call_json, describe, is_context, parameters, resolve, underlying
from agentgraph.messages import ToolCallPart

from .binding import Bound, layout_of, reserved_names
from .fields import annotate_schema, extra_type, fields_dict, fields_of, is_object

__all__ = ["Arguments", "Bound", "Unfit", "read_signature"]


@dataclass(frozen=True, slots=True)
class Unfit:
    """A signature that cannot be turned into a schema."""

    problems: tuple[str, ...]
    may_resolve: bool = False
    """Whether it is only that names are not defined yet."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a function takes from a model."""

    json_schema: dict[str, Any]  # Any: JSON
    adapter: TypeAdapter[Any]  # Any: a TypedDict made at run time, or the type of the single parameter
    bind: Callable[[Any], Bound]  # Any: what the adapter gives

    def read(self, call: ToolCallPart) -> Bound:
        """Validate the arguments of a call.

        Raises:
            ValidationError: they do not fit (pydantic's).
        """
        return self.bind(self.adapter.validator.validate_json(call_json(call)))


@dataclass(frozen=True, slots=True)
class _Problem:
    text: str
    may_resolve: bool = False


def read_signature(
    function: Callable[..., object],
    *,
    takes_ctx: bool,
    descriptions: Mapping[str, str],
    require_descriptions: bool = False,
) -> Arguments | Unfit:
    """What `function` takes, or every reason why that cannot be told to a model.

    Args:
        function: the tool's function.
        takes_ctx: whether its first argument is the run's context.
        descriptions: of the parameters, by name.
        require_descriptions: whether a parameter without description is a reason.
    """
    try:
        signature = parameters(function)
    except ValueError as error:
        return Unfit((f"Python knows no signature of it: {error}",))
    resolved = [one.replace(annotation=_annotation(function, one)) for one in signature]
    given = [one for one in (resolved[1:] if takes_ctx else resolved) if not is_context(one.annotation)]
    problems = [*_context_problems(resolved, takes_ctx=takes_ctx), *_unresolved(given)]
    if require_descriptions:
        problems += _undescribed(given, descriptions)
    if not any(isinstance(one.annotation, Unresolved) for one in given):
        read = _read(function, given, descriptions)
        if isinstance(read, Arguments) and not problems:
            return read
        problems += () if isinstance(read, Arguments) else read
    return Unfit(tuple(one.text for one in problems), all(one.may_resolve for one in problems))


def _annotation(function: Callable[..., object], one: Parameter) -> object:
    return Any if one.annotation is one.empty else resolve(function, one.annotation)


def _context_problems(resolved: Sequence[Parameter], *, takes_ctx: bool) -> Iterable[_Problem]:
    if takes_ctx:
        first = resolved[0] if resolved else None
        if first is None or first.kind in {first.KEYWORD_ONLY, first.VAR_KEYWORD}:
            yield _Problem("it has no first parameter that could take the run's context")
        elif first.annotation is not Any and not is_context(first.annotation):
            yield _Problem(f"its first parameter {first.name!r} takes the run's context and must be a RunContext")
    for one in resolved[1:] if takes_ctx else resolved:
        if is_context(one.annotation):
            yield _Problem(
                f"parameter {one.name!r} is a RunContext, which only the first of a tool with context can be"
            )


def _unresolved(given: Iterable[Parameter]) -> Iterable[_Problem]:
    for one in given:
        if isinstance(one.annotation, Unresolved):
            text = f"the type {one.annotation.annotation!r} of parameter {one.name!r} means nothing"
            yield _Problem(f"{text}: {one.annotation.reason}", may_resolve=True)


def _undescribed(given: Iterable[Parameter], descriptions: Mapping[str, str]) -> Iterable[_Problem]:
    readable = [one.replace(annotation=Any) if isinstance(one.annotation, Unresolved) else one for one in given]
    described = {field.name: field.description for field in fields_of(readable, descriptions)}
    extra = extra_type(given)
    if extra is not None:
        described[extra.name] = descriptions.get(extra.name)
    return [_Problem(f"parameter {name!r} has no description") for name, text in described.items() if not text]


def _read(
    function: Callable[..., object], given: Sequence[Parameter], descriptions: Mapping[str, str]
) -> Arguments | list[_Problem]:
    try:
        return _single(given, descriptions) or _several(function, given, descriptions)
    except SchemaError as error:
        return _culprits(given) or [_Problem(error.reason, error.undefined)]


def _single(given: Sequence[Parameter], descriptions: Mapping[str, str]) -> Arguments | None:
    """The arguments of a function of one object; None if it is none."""
    if len(given) != 1:
        return None
    one = given[0]
    by_name = one.kind in {one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}
    if not by_name or one.default is not one.empty or not is_object(one.annotation):
        return None
    adapter, schema = describe(one.annotation)
    if schema.get("type") != "object":
        return None
    text = fields_of(given, descriptions)[0].description
    if text is not None:
        schema.setdefault("description", text)
    if one.kind is one.KEYWORD_ONLY:
        return Arguments(schema, adapter, lambda value: ((), {one.name: value}))
    return Arguments(schema, adapter, lambda value: ((value,), {}))


def _several(function: Callable[..., object], given: Sequence[Parameter], descriptions: Mapping[str, str]) -> Arguments:
    fields, extra = fields_of(given, descriptions), extra_type(given)
    name: str = getattr(underlying(function), "__name__", "arguments")
    adapter, schema = describe(fields_dict(name, fields, extra))
    annotate_schema(schema, fields, extra, descriptions)
    layout = layout_of(given, reserved_names(function, given))
    return Arguments(schema, adapter, layout.bind)


def _culprits(given: Iterable[Parameter]) -> list[_Problem]:
    problems = list[_Problem]()
    for one in given:
        try:
            describe(one.annotation)
        except SchemaError as error:
            text = f"the type of parameter {one.name!r} has no JSON schema: {error.reason}"
            problems.append(_Problem(text, error.undefined))
    return problems
