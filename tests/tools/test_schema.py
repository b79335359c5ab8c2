"""What a model sends is what the function gets, for any signature."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import partial
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar, Unpack

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field, RootModel, ValidationError
from pydantic_core import to_json
from typing_extensions import ReadOnly, TypeAliasType, TypedDict

from agentgraph.context import RunContext
from agentgraph.exceptions import UserError
from agentgraph.messages import ToolCallPart
from agentgraph.tools import Tool

T = TypeVar("T")

VALUES: Mapping[Any, st.SearchStrategy[Any]] = {  # Any: the types and their values
    int: st.integers(-(10**6), 10**6),
    str: st.text(max_size=5),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    list[int]: st.lists(st.integers(0, 9), max_size=3),
    int | None: st.none() | st.integers(0, 9),
    dict[str, str]: st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=2),
}
TYPES = st.sampled_from(list(VALUES))
NAMES = st.permutations(["a", "b", "ctx", "self", "args", "kwargs", "copy", "_x", "model_", "json"])
ORDER = [
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.VAR_POSITIONAL,
    Parameter.KEYWORD_ONLY,
    Parameter.VAR_KEYWORD,
]


@st.composite
def signatures(draw: st.DrawFn) -> Signature:
    """Any legal signature."""
    names = draw(NAMES)
    kinds = draw(st.lists(st.sampled_from(ORDER), max_size=6))
    variadic = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    kinds = [kind for at, kind in enumerate(kinds) if kind not in variadic or kind not in kinds[:at]]
    parameters = list[Parameter]()
    optional = False
    for name, kind in zip(names, sorted(kinds, key=ORDER.index), strict=False):
        annotation = draw(TYPES)
        parameter = Parameter(name, kind, annotation=annotation)
        optional = (kind not in variadic and draw(st.booleans())) or (optional and kind < Parameter.VAR_POSITIONAL)
        if optional and kind not in variadic:
            parameter = parameter.replace(default=draw(VALUES[annotation]))
        parameters.append(parameter)
    return Signature(parameters)


def made(shape: Signature) -> Callable[..., dict[str, Any]]:
    """A function of this signature that returns what it got, by parameter."""
    defaults = {f"default{at}": one.default for at, one in enumerate(shape.parameters.values())}
    plain = [
        one.replace(annotation=one.empty, default=one.empty if one.default is one.empty else _Name(f"default{at}"))
        for at, one in enumerate(shape.parameters.values())
    ]
    namespace: dict[str, Any] = dict(defaults)  # Any: what is executed
    got = ", ".join(f"{name!r}: {name}" for name in shape.parameters)
    exec(f"def function{Signature(plain)}:\n    return {{{got}}}", namespace)  # noqa: S102 - how else to write any signature
    function: Callable[..., dict[str, Any]] = namespace["function"]
    function.__annotations__ = {name: one.annotation for name, one in shape.parameters.items()}
    return function


class _Name:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


@st.composite
def calls(draw: st.DrawFn) -> tuple[Signature, dict[str, Any], dict[str, Any]]:
    """A signature, what a model sends, and what the function must get."""
    shape = draw(signatures())
    sent, expected = dict[str, Any](), dict[str, Any]()
    for name, one in shape.parameters.items():
        value = VALUES[one.annotation]
        match one.kind:
            case Parameter.VAR_POSITIONAL:
                items = draw(st.lists(value, max_size=3))
                expected[name] = tuple(items)
                if draw(st.booleans()) or items:
                    sent[name] = items
            case Parameter.VAR_KEYWORD:
                keys = st.sampled_from(["k1", "k2", "class", "ünï", "with space"])
                expected[name] = draw(st.dictionaries(keys, value, max_size=3))
                sent |= expected[name]
            case _ if one.default is not one.empty and draw(st.booleans()):
                expected[name] = one.default
            case _:
                sent[name] = expected[name] = draw(value)
    return shape, sent, expected


@given(calls(), st.booleans())
def test_a_function_gets_exactly_what_was_sent(
    call: tuple[Signature, dict[str, Any], dict[str, Any]],
    as_text: bool,  # noqa: FBT001
) -> None:
    shape, sent, expected = call
    function = made(shape)
    args, kwargs = Tool(function).read(ToolCallPart("function", to_json(sent).decode() if as_text else sent))
    assert function(*args, **kwargs) == expected


@given(calls())
def test_the_schema_names_exactly_the_parameters(call: tuple[Signature, dict[str, Any], dict[str, Any]]) -> None:
    shape, _, _ = call
    schema = Tool(made(shape)).definition.parameters_json_schema
    named = {name: one for name, one in shape.parameters.items() if one.kind != Parameter.VAR_KEYWORD}
    assert list(schema["properties"]) == list(named)
    needed = [n for n, one in named.items() if one.default is one.empty and one.kind != Parameter.VAR_POSITIONAL]
    assert schema.get("required", []) == needed
    assert (schema["additionalProperties"] is False) is (len(named) == len(shape.parameters))


@given(signatures(), st.data())
def test_the_context_comes_first_whatever_follows(shape: Signature, data: st.DataObject) -> None:
    context = Parameter("the_context", Parameter.POSITIONAL_ONLY, annotation=RunContext[int])
    if not any(one.kind == Parameter.POSITIONAL_ONLY for one in shape.parameters.values()) and data.draw(st.booleans()):
        context = context.replace(kind=Parameter.POSITIONAL_OR_KEYWORD)
    tool = Tool(made(Signature([context, *shape.parameters.values()])))
    assert tool.takes_ctx
    assert "the_context" not in tool.definition.parameters_json_schema["properties"]


def test_no_keyword_can_stand_in_for_the_context() -> None:
    def open_ended(ctx: RunContext[int], **more: int) -> None: ...

    with pytest.raises(ValidationError) as caught:
        Tool(open_ended).read(ToolCallPart("open_ended", {"ctx": 1}))
    assert caught.value.errors()[0]["loc"] == ("ctx",)


def test_no_keyword_can_stand_in_for_self() -> None:
    class Owner:
        def method(self, **more: int) -> dict[str, int]:
            return more

    tool = Tool(Owner().method)
    with pytest.raises(ValidationError):
        tool.read(ToolCallPart("method", {"self": 1}))
    assert tool.read(ToolCallPart("method", {"other": 1})) == ((), {"other": 1})


def test_a_default_is_the_very_object() -> None:
    default = [1]

    def function(x: int, y: list[int] = default, /, *rest: int) -> None: ...

    args, _ = Tool(function).read(ToolCallPart("function", {"x": 1, "rest": [2]}))
    assert args == (1, default, 2)
    assert args[1] is default


def test_a_field_may_be_the_default() -> None:
    def function(
        a: int = Field(ge=3, description="The a."),
        b: int = Field(default=5),
        c: list[int] = Field(default_factory=list),  # noqa: B008 - so it is written for pydantic
        d: Annotated[int, Field(default=7)] = 8,
        e: int = Field(alias="from", default=1),
    ) -> None: ...

    tool = Tool(function)
    assert tool.definition.parameters_json_schema["required"] == ["a"]
    assert tool.definition.parameters_json_schema["properties"]["b"] == {"type": "integer", "default": 5}
    assert tool.read(ToolCallPart("function", {"a": 3, "from": 2}))[1] == {"a": 3, "b": 5, "c": [], "d": 8, "e": 2}
    with pytest.raises(ValidationError):
        tool.read(ToolCallPart("function", {"a": 2}))


class Options(TypedDict, total=False):
    limit: Annotated[int, Field(description="How many.")]
    strict: bool


class StrictOptions(Options):
    name: ReadOnly[Annotated[str, "a name"]]
    note: NotRequired[ReadOnly[str]]


def test_keywords_may_be_a_typed_dict() -> None:
    def search(query: str, **options: Unpack[StrictOptions]) -> None: ...

    tool = Tool(search)
    schema = tool.definition.parameters_json_schema
    assert set(schema["properties"]) == {"query", "limit", "strict", "name", "note"}
    assert schema["required"] == ["query", "name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["limit"]["description"] == "How many."
    call = ToolCallPart("search", {"query": "x", "name": "y", "limit": 2})
    assert tool.read(call) == ((), {"query": "x", "name": "y", "limit": 2})


class Color(Enum):
    RED = "red"


@dataclass
class Point:
    x: int


DEFAULTS: list[tuple[object, dict[str, object]]] = [
    (None, {"default": None}),
    (Color.RED, {"default": "red"}),
    (date(2025, 3, 1), {"default": "2025-03-01"}),
    (Point(1), {"default": {"x": 1}}),
    (object(), {}),
    (math.nan, {}),
    (iter([1]), {}),
]


@pytest.mark.parametrize(("default", "shown"), DEFAULTS)
def test_a_default_is_shown_if_json_can_hold_it(default: object, shown: dict[str, object]) -> None:
    def function(x: Any = default) -> None: ...  # Any: all the defaults

    assert Tool(function).definition.parameters_json_schema["properties"]["x"] == shown


class Tree(BaseModel):
    """A tree."""

    branches: list[Tree] = []


class Numbers(RootModel[list[int]]):
    """Numbers."""


@dataclass
class Box(Generic[T]):
    it: T


class Secret(BaseModel):
    value: Any = object()


def test_a_recursive_model_has_an_object_on_top() -> None:
    def plant(tree: Tree) -> None: ...

    schema = Tool(plant).definition.parameters_json_schema
    assert schema["type"] == "object"
    assert schema["properties"]["branches"]["items"] == {"$ref": "#/$defs/Tree"}
    assert "Tree" in schema["$defs"]


Boxed = TypeAliasType("Boxed", "Annotated[Box[int], 'boxed']")


def take_alias(x: Boxed) -> None: ...


def take_box(x: Annotated[Box[int], "boxed"]) -> None: ...
def take_numbers(x: Numbers) -> None: ...
def take_optional(x: Box[int] | None) -> None: ...
def take_default(x: Box[int] = Box(1)) -> None: ...  # noqa: B008 - a default like any other
def take_many(*x: Box[int]) -> None: ...
def take_keys(**x: Box[int]) -> None: ...
def take_two(x: Box[int], y: Box[int]) -> None: ...
def take_secret(x: Secret) -> None: ...


WRAPPED: list[tuple[Callable[..., object], list[str]]] = [
    (take_alias, ["it"]),
    (take_box, ["it"]),
    (take_secret, ["value"]),
    (take_numbers, ["x"]),
    (take_optional, ["x"]),
    (take_default, ["x"]),
    (take_many, ["x"]),
    (take_keys, []),
    (take_two, ["x", "y"]),
]


@pytest.mark.parametrize(("function", "keys"), WRAPPED)
def test_only_a_lone_object_that_must_be_given_is_the_schema(function: Callable[..., object], keys: list[str]) -> None:
    assert list(Tool(function).definition.parameters_json_schema["properties"]) == keys


def test_a_parameter_without_annotation_takes_anything() -> None:
    anything: Callable[[Any], Any] = lambda x: x  # noqa: E731 - Any: nothing is said
    tool = Tool(anything, name="anything")
    assert tool.definition.parameters_json_schema["properties"] == {"x": {}}
    assert tool.read(ToolCallPart("anything", '{"x": [null, 1.5]}')) == ((), {"x": [None, 1.5]})


def test_a_parameter_may_be_hidden_from_the_model() -> None:
    from pydantic.json_schema import SkipJsonSchema

    def function(x: int, y: SkipJsonSchema[int] = 2) -> None: ...

    assert list(Tool(function).definition.parameters_json_schema["properties"]) == ["x"]


def test_strict_types_are_judged_as_json_however_the_arguments_came() -> None:
    class Day(BaseModel, strict=True):
        day: date

    def function(it: Day) -> None: ...

    for args in ('{"day": "2025-03-01"}', {"day": "2025-03-01"}):
        assert Tool(function).read(ToolCallPart("function", args)) == ((Day(day=date(2025, 3, 1)),), {})


@pytest.mark.parametrize("args", ["", "  ", "{}", {}])
def test_no_arguments_may_be_said_in_any_way(args: str | dict[str, Any]) -> None:
    assert Tool(lambda: 1, name="one").read(ToolCallPart("one", args)) == ((), {})


@pytest.mark.parametrize("args", ["{", "[]", "1", '{"y": 1}', '{"x": "a"}', '{"x": 1, "y": 1}', '{"x": "\\ud800"}'])
def test_arguments_that_do_not_fit_are_refused(args: str) -> None:
    def function(x: int) -> None: ...

    with pytest.raises(ValidationError):
        Tool(function).read(ToolCallPart("function", args))


def starred(*x: *tuple[int, str]) -> None: ...


def test_positional_arguments_of_several_types_have_no_schema() -> None:
    with pytest.raises(UserError, match="parameter 'x'"):
        Tool(starred)


def test_what_is_undefined_inside_a_type_may_be_defined_later() -> None:
    class Holder(TypedDict):
        it: Held

    def function(x: Holder, y: int) -> None: ...

    tool = Tool(function)

    with pytest.raises(UserError, match="parameter 'x'"):
        _ = tool.definition

    class Held(BaseModel):
        z: int


def test_bound_positional_arguments_cannot_be_given_again() -> None:
    def function(a: int, b: int, **more: int) -> None: ...

    tool = Tool(partial(function, 1))
    assert list(tool.definition.parameters_json_schema["properties"]) == ["b"]
    with pytest.raises(ValidationError):
        tool.read(ToolCallPart("function", {"a": 2, "b": 3}))


def colors(first: Literal["red"], *others: Literal["green"]) -> Iterator[str]:
    yield first


def test_signature_and_schema_agree_on_literals() -> None:
    schema = Tool(colors).definition.parameters_json_schema
    assert schema["properties"]["others"] == {"type": "array", "items": {"const": "green", "type": "string"}}
    assert list(signature(colors).parameters) == list(schema["properties"])


def test_sequences_are_read_as_what_they_are_declared() -> None:
    def function(x: Sequence[int], y: tuple[int, ...], z: set[int]) -> None: ...

    _, kwargs = Tool(function).read(ToolCallPart("function", {"x": [1], "y": [2], "z": [3]}))
    assert kwargs == {"x": [1], "y": (2,), "z": {3}}
