"""Partial results: what is read by parts is, at every moment, what pydantic reads in the whole text."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, Optional, Required, TypeVar

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    RootModel,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from agentgraph.exceptions import ModelRetry
from agentgraph.result.partial import PartialReader, Source
from agentgraph.result.partial_types import Plans

T = TypeVar("T")


class Item(BaseModel):
    name: str
    n: int


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    a: int = 1
    items: list[Item] = []


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: list[int] | None = None
    items: list[Item] = Field(default_factory=list[Item])


class Renamed(BaseModel):
    xs: list[Item] = Field(alias="items")
    opt: Item | None = Field(None, validation_alias="a")


class Tree(BaseModel):
    name: str = ""
    items: list[Tree] = []


class Trimmed(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)
    name: str = ""
    items: dict[str, Trimmed] = {}

    @model_validator(mode="after")
    def fits(self) -> Trimmed:
        return self


def backwards(items: list[Item]) -> list[Item]:
    return items[::-1]


class Checked(BaseModel):
    items: Annotated[list[Item], AfterValidator(backwards)]
    a: int = 0
    _count: int = PrivateAttr(default=0)

    @model_validator(mode="after")
    def fits(self) -> Checked:
        if self.a == 3:
            raise ValueError("3")
        return self

    def model_post_init(self, context: Any) -> None:
        self._count = len(self.items)


class Refusing(BaseModel):
    a: int = 0
    items: list[int] = []

    @field_validator("items")
    @classmethod
    def fits(cls, items: list[int]) -> list[int]:
        if 7 in items:
            raise ModelRetry("seven")
        return items


class Looking(BaseModel):
    a: int = 0
    items: list[int] = []

    @field_validator("items")
    @classmethod
    def fits(cls, items: list[int], info: ValidationInfo) -> list[int]:
        if len(items) > info.data.get("a", 0) + 1:
            raise ValueError("too many")
        return items


class Folder(TypedDict, total=False):
    a: int
    items: list[Folder]
    b: dict[str, int]


class Named(TypedDict):
    name: Required[str]
    items: list[Item]


@dataclass
class Record:
    name: str = ""
    items: list[Item] = field(default_factory=list[Item])


class Items(RootModel[list[Item]]):
    pass


class Page(BaseModel, Generic[T]):
    items: list[T]
    a: Optional[T] = None  # noqa: UP045 - of a type variable


class Numbers(BaseModel):
    name: Literal["x"]
    items: list[int]


class Things(TypedDict):
    name: Literal["y"]
    items: list[Item]


Either = Annotated[Numbers | Things, Discriminator("name")]


class Aliased(BaseModel):
    xs: list[Item] = Field([], validation_alias=AliasChoices("items", "b"))


class Both(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    xs: list[Item] = Field([], alias="items")


class Defaulted(BaseModel):
    model_config = ConfigDict(validate_default=True)
    items: list[Item] = []


class Made(BaseModel):
    items: list[Item] = []

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)


class Wide(BaseModel):
    a: Closed | None = None
    items: list[list[Either]] = []
    b: dict[str, Open] = {}


def same(value: list[Item]) -> list[Item]:
    return value


TYPES: list[Any] = [  # pyright: ignore[reportUnknownVariableType] # Any: types of all kinds, which checkers have no common one for
    list[Item],
    list[list[int]],
    dict[str, int],
    dict[int, list[Item]],
    dict[str, dict[str, Item]],
    Closed,
    Open,
    Renamed,
    Tree,
    Trimmed,
    Checked,
    Refusing,
    Looking,
    Folder,
    Named,
    Record,
    Items,
    RootModel[Closed],
    RootModel[list[Annotated[int, AfterValidator(lambda value, info: value)]]],  # pyright: ignore[reportUnknownLambdaType]
    Page[Item],
    Either,
    list[Either],
    Annotated[Numbers | Things | None, Discriminator("name")],
    Aliased,
    Both,
    Defaulted,
    Made,
    Wide,
    Any,
    list[Item] | None,
    list[int] | list[str],
    tuple[list[int], ...],
    set[int],
    Annotated[list[Item], Field(max_length=2)],
    Annotated[list[Item], AfterValidator(same)],
    Annotated[list[Item], BeforeValidator(same)],
    Annotated[Open, AfterValidator(lambda value: value)],
    Annotated[list[int], AfterValidator(lambda value, info: value)],  # pyright: ignore[reportUnknownLambdaType]
    list[Annotated[int, AfterValidator(lambda value, info: value)]],  # pyright: ignore[reportUnknownLambdaType]
]
ADAPTERS = [TypeAdapter(each) for each in TYPES]
PLANS = [Plans(adapter.core_schema) for adapter in ADAPTERS]

words = st.sampled_from(["x", "y", "ab c", "é", '"q\\', "\n", "", "1", " s ", "\U0001f600", "long" * 9])
scalars = st.integers(-1, 9) | st.sampled_from([12345678901234567890, 1.5, 1e300, True, None]) | words
keys = st.sampled_from(["a", "b", "items", "name", "n"]) | words
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
item = st.fixed_dictionaries({"name": words, "n": st.integers(0, 9)}) | anything
items = st.lists(item, max_size=5)
record = st.fixed_dictionaries(
    {}, optional={"items": items | st.lists(st.integers(0, 9)), "name": words, "a": scalars | item, "b": anything}
)
either = st.fixed_dictionaries({"name": st.sampled_from("xyz"), "items": st.lists(st.integers(0, 9)) | items})
tree = st.recursive(
    record, lambda inner: st.fixed_dictionaries({"name": words, "items": st.lists(inner, max_size=3)}), max_leaves=8
)
shapes = st.one_of(
    anything,
    items,
    record,
    tree,
    either,
    st.lists(st.lists(either, max_size=2), max_size=3),
    st.lists(tree, max_size=3),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """JSON, some of it with a character too many or of the wrong kind."""
    value, wide, plain = draw(st.tuples(shapes, st.booleans(), st.booleans()))
    text = json.dumps(value, ensure_ascii=plain, indent=1 if wide else None)
    text += draw(st.sampled_from(["", "", " x", "]", "\n"]))
    at = draw(st.none() | st.integers(0, len(text)))
    return text if at is None else text[:at] + draw(st.sampled_from(',}]"x\\{[1: ')) + text[at:]


def outcome(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (ValidationError, ModelRetry):
        return "nothing"


def looks(value: Any) -> Any:
    """Everything that can be seen of a value, to compare it with another one."""
    match value:
        case BaseModel():
            own = value.__pydantic_private__, value.__pydantic_extra__, sorted(value.model_fields_set)
            return type(value), looks(value.__dict__), *own
        case Record():
            return type(value), looks(value.__dict__)
        case dict():
            return [(key, looks(each)) for key, each in value.items()]  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return type(value), [*map(looks, value)]  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return type(value), repr(value)


def read_both(position: int, text: str, grain: int, step: int) -> None:
    adapter = ADAPTERS[position]

    def whole(text: str) -> Any:
        return adapter.validate_json(text, experimental_allow_partial="trailing-strings")

    reader = PartialReader[Any](Source(PLANS[position], whole, lambda text: text.lstrip(" \n")), grain)
    for at in range(0, len(text), step):
        reader.feed(text[at : at + step])
        so_far = text[: at + step]
        assert looks(outcome(reader.read)) == looks(outcome(lambda: whole(so_far))), so_far  # noqa: B023 - called here


@settings(max_examples=150)
@given(st.integers(0, len(TYPES) - 1), texts(), st.sampled_from([0, 1, 7, 40]), st.sampled_from([1, 1, 3, 20]))
def test_what_is_read_by_parts_is_what_the_whole_text_holds(position: int, text: str, grain: int, step: int) -> None:
    read_both(position, text, grain, step)


TEXTS = [
    '{"items": [{"name": "x", "n": 1}, {"n": 2, "name": "y"}, {"n": 7}], "a": 3, "name": "x", "b": {"x": 1, "y": "z"}}',
    '{"name": "x", "items": [1, 2, 3, 7, 12], "a": 2, "zz": [[]]}',
    '{"name": "y", "items": [{"name": "x", "n": 1}, {"name": " s ", "n": 2}]} and more',
    ' {"name": "r", "items": [{"name": "a", "items": [{"items": []}, {"name": "b"}]}, {"items": [{"zz": 1}]}]}',
    '{"items": {" a ": {"name": " b ", "items": {"c": {}, "d": {"name": 3}}}}, "a": {"name": "x", "n": 1}}',
    '[{"name": "x", "n": 1}, {"name": "y", "n": 22}, {"name": "z", "n": "w"}, {"name": "z", "n": 2}]',
    '[[1, 2], [3, "4", "five"], [6, true, 7.5, null], "x"]',
    '[[{"name": "x", "items": [1, 2]}, {"name": "y", "items": []}], [{"items": [1, 2], "name": "x"}]]',
    '{"1": [{"name": "x", "n": 1}], "x": [{"name": "y", "n": 2}], "a": 1, "a": 2}',
    '{"a": {"a": 1, "items": [{"name": "x", "n": 1}]}, "b": {"k": {"items": [], "other": [1, {"x": 2}]}}}',
    '{"a": 1, "items": [{"name": "x", "n":]}',
    '{"a" 1}',
    '{"a": 1,}',
    '{"a\\q": 1}',
    '{"\\u00e9\\n": 1, "b": ["\\ud83d\\ude00", "\\"", -1.5e3]}',
    "[1 2]",
    '{"items": "x"}',
    "[" * 70 + "]" * 70,
    "[[1}, 2]",
    "[[1}, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]",
    "[1, 2, x]",
]


@pytest.mark.parametrize("position", range(len(TYPES)), ids=lambda position: str(TYPES[position])[:40])
def test_so_it_is_for_every_type_and_every_beginning_of_these_texts(position: int) -> None:
    for text in TEXTS:
        read_both(position, text, 0, 1)
        read_both(position, text, 30, 5)


def test_a_schema_that_pydantic_would_refuse_is_no_plan() -> None:
    config = {"extra_fields_behavior": "no such"}
    plans = Plans({"type": "typed-dict", "fields": {}, "config": config})
    assert plans.find(plans.root, "{") is None


def test_errors_of_validators_are_seen_as_they_are() -> None:
    def fail(value: int) -> int:
        return 1 // value

    adapter = TypeAdapter(list[Annotated[int, AfterValidator(fail)]])
    reader = PartialReader[Any](Source(Plans(adapter.core_schema), adapter.validate_json, str), 0)
    reader.feed("[1, 0, 1]")
    with pytest.raises(ZeroDivisionError):
        reader.read()


def test_what_had_ended_is_read_once_and_shared() -> None:
    adapter = TypeAdapter(list[Item])
    reader = PartialReader[Any](Source(Plans(adapter.core_schema), adapter.validate_json, str), 0)
    reader.feed('[{"name": "x", "n": 1}, {"name": "y", "n": 2}, ')
    first = reader.read()
    reader.feed('{"name": "z", "n": 3}]')
    second = reader.read()
    assert first is not second
    assert first[0] is second[0]
    assert [each.name for each in first] == ["x", "y"]
    assert [each.name for each in second] == ["x", "y", "z"]
