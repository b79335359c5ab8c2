from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, strategies as st
from pydantic import (
    UUID1,
    UUID3,
    UUID4,
    UUID5,
    AnyUrl,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ByteSize,
    ConfigDict,
    DirectoryPath,
    Field,
    FilePath,
    HttpUrl,
    IPvAnyAddress,
    IPvAnyNetwork,
    Json,
    JsonValue,
    NewPath,
    PostgresDsn,
    SecretStr,
    TypeAdapter,
    create_model,
)
from typing_extensions import TypedDict

from agentgraph.exceptions import UserError
from agentgraph.models.schema_data import made_up

SEEDS = (0, 1, 2, 5, 30)


class Colour(Enum):
    RED = "red"
    BLUE = 2


class Tree(BaseModel):
    kids: list[Tree]
    value: int


class Chain(BaseModel):
    next: Chain | None


class Folders(BaseModel):
    folders: dict[str, Folders]


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    friend: Friend


class Bird(BaseModel):
    kind: Literal["wren", "tit"] = "tit"
    sings: bool


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Friend(BaseModel):
    pet: Pet


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Partly(TypedDict, total=False):
    a: int
    b: str


class Pair(NamedTuple):
    a: int
    b: str = "b"


class Ever(BaseModel):
    again: Ever


def fits(annotation: Any, seed: int = 0) -> Any:  # Any: any type, and JSON
    """Data made up for a type's schema, once pydantic has accepted it."""
    adapter = TypeAdapter(annotation)
    data = made_up(adapter.json_schema(), seed)
    adapter.validate_json(json.dumps(data))
    return data


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "annotation",
    [
        *(bool, int, float, str, bytes, None, Any, object, Decimal, complex | str, re.Pattern[str], Path),
        *(date, datetime, time, timedelta, AwareDatetime, UUID, UUID1, UUID3, UUID4, UUID5),
        *(
            IPv4Address,
            IPv4Interface,
            IPv4Network,
            IPv6Address,
            IPv6Interface,
            IPv6Network,
            IPvAnyAddress,
            IPvAnyNetwork,
        ),
        *(AnyUrl, HttpUrl, PostgresDsn, SecretStr, Base64Bytes, ByteSize, FilePath, DirectoryPath, NewPath),
        *(Json[int], Json[list[str]], JsonValue, Colour, Literal[1, "a"]),
        *(list[int], set[int], frozenset[str], tuple[int, ...], tuple[int, str], Sequence[Any], list[Any], set[Colour]),
        *(dict[str, int], dict[int, str], dict[bool, int], dict[UUID, int], dict[date, int], dict[Colour, int]),
        *(dict[Literal["a", "b"], int], Mapping[str, list[Tree]], dict[str, Any], int | None, str | int | list[int]),
        *(Tree, Chain, Folders, list[Tree], Cat | Dog, Pet, Dog, Friend, Open, Partly, Pair),
        list[Annotated[Pet | Bird, Field(discriminator="kind")]],
        Annotated[set[int], Field(min_length=40)],
        Annotated[set[str], Field(min_length=40)],
        Annotated[set[bool], Field(min_length=2)],
        Annotated[list[Chain], Field(min_length=3, max_length=4)],
        Annotated[list[int], Field(max_length=0)],
        Annotated[dict[str, int], Field(min_length=4)],
        Annotated[dict[str, Any], Field(min_length=2)],
        Annotated[dict[str, int], Field(max_length=0)],
        dict[Annotated[str, Field(pattern="^a+$")], int],
        dict[Annotated[str, Field(min_length=3)], int],
    ],
)
def test_data_fits_the_type(annotation: Any, seed: int) -> None:  # Any: any type
    fits(annotation, seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "bounds",
    [
        Field(gt=3, lt=5),
        Field(ge=-7, le=-3, multiple_of=2),
        Field(multiple_of=7, gt=100),
        Field(le=-5),
        Field(gt=-5, lt=100),
    ],
)
def test_integers_keep_within_their_bounds(bounds: Any, seed: int) -> None:  # Any: pydantic's own type of Field(...)
    fits(Annotated[int, bounds], seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "bounds",
    [
        Field(gt=0, lt=1e-5),
        Field(ge=0.5, le=0.5),
        Field(gt=1e300),
        Field(lt=-1e300),
        Field(gt=-1e308, lt=1e308),
        Field(multiple_of=0.1, gt=3),
        Field(ge=-1, lt=0),
    ],
)
def test_numbers_keep_within_their_bounds(bounds: Any, seed: int) -> None:  # Any: pydantic's own type of Field(...)
    fits(Annotated[float, bounds], seed)
    fits(Annotated[Decimal, bounds], seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("pattern", "least"),
    [
        (r"^[A-Z]{3}-\d{4}$", 0),
        (r"^(foo|bar)[^a-z]+\.(com|org)$", 20),
        (r"^(?P<user>\w+)@(?:[\w-]+\.)+[a-z]{2,3}$", 12),
        (r"\bx\b", 5),
        (r"^\p{Lu}\p{Nd}$", 0),
        (r"^[]a^-]+$", 0),
        (r"^\x41\t?a{2,}?\$[\d.]*$", 6),
        (r"^(?:a|b|)c{,2}x{}$|^\.$", 0),
        (r"^\S\D\W\s.$", 5),
        (r"^[^\w\s]{3}$", 0),
        (r"^20\d\d-[01]\d-[0-3]\d$", 0),
        (r"[a-z", 0),
        (r"a)b", 0),
    ],
)
def test_texts_match_their_pattern(pattern: str, least: int, seed: int) -> None:
    made = made_up({"type": "string", "pattern": pattern, "minLength": least}, seed)
    assert len(made) >= least
    if pattern not in {r"[a-z", r"a)b", r"^\p{Lu}\p{Nd}$"}:
        assert re.search(pattern, made)


def test_unicode_categories_are_guessed() -> None:
    assert fits(Annotated[str, Field(pattern=r"^\p{Lu}\p{Nd}\p{L}$")]) == "A0a"


@pytest.mark.parametrize(
    ("pattern", "most"), [(r"^(?=b)a$", None), (r"^(a)\1b$", None), (r"^aaa$", 2), ("^" + "x" * 70 + "$", 60)]
)
def test_a_pattern_beyond_us_is_an_error_that_names_the_way_out(pattern: str, most: int | None) -> None:
    schema = {"type": "string", "pattern": pattern} | ({} if most is None else {"maxLength": most})
    with pytest.raises(UserError, match="examples"):
        made_up(schema)


def test_a_look_around_may_be_skipped() -> None:
    assert made_up({"type": "string", "pattern": r"^(?!b)(?<=)\w(?#)$|a"}) == "a"


def test_the_values_are_the_simplest_and_the_seed_shifts_them() -> None:
    model = create_model("M", a=(int, ...), b=(str, ...), c=(float, ...), d=(bool, ...), e=(list[str], ...))
    assert fits(model) == {"a": 0, "b": "a", "c": 0, "d": False, "e": ["a"]}
    assert fits(model, 1) == {"a": 1, "b": "b", "c": 1, "d": True, "e": ["b"]}
    assert fits(str, 27) == "bb"
    assert fits(Annotated[str, Field(max_length=1)], 27) == "b"


def test_only_what_is_required_is_made() -> None:
    assert fits(create_model("M", a=(int, ...), b=(int, 1))) == {"a": 0}


def test_the_seed_chooses_the_member_of_a_union() -> None:
    assert [fits(int | str | None, seed) for seed in range(3)] == [0, "b", None]
    assert [fits(Pet, seed)["kind"] for seed in range(2)] == ["cat", "dog"]


def test_examples_win() -> None:
    annotation = Annotated[str, Field(examples=["Oslo", "Rome"])]
    assert [fits(annotation, seed) for seed in range(3)] == ["Oslo", "Rome", "Oslo"]


def test_what_contains_itself_is_followed_once() -> None:
    assert fits(Tree) == {"kids": [{"kids": [], "value": 0}], "value": 0}
    assert fits(Chain) == {"next": {"next": None}}


def test_what_never_ends_is_an_error() -> None:
    with pytest.raises(UserError, match="never ends"):
        fits(Ever)


PARTS: dict[str, Any] = {  # Any: JSON
    "allOf": [{"$ref": "#/$defs/a~1b"}, {"required": ["y"], "properties": {"y": {"const": 2}}}, {"minProperties": 1}],
    "properties": {"x": {"const": 1}},
    "$defs": {"a/b": {"required": ["x"], "properties": {}}},
}
SCHEMAS: list[tuple[dict[str, Any], object]] = [  # Any: JSON
    ({"type": ["null", "string"]}, None),
    (PARTS, {"x": 1, "y": 2}),
    ({"properties": {"a": {"minimum": 1}}, "required": ["a", "b"]}, {"a": 1.0, "b": "a"}),
    ({"items": {"type": "null"}}, [None]),
    ({"type": "array", "minItems": 2}, ["a", "a"]),
    ({"type": "object", "minProperties": 1, "properties": {"a": {"const": 1}, "b": {"const": 2}}}, {"a": 1}),
    ({"properties": {"a": {"$ref": "#"}}, "additionalProperties": False}, {}),
    ({"properties": {"a": {"const": 1}}, "required": ["a"], "additionalProperties": {"const": 2}}, {"a": 1, "0": 2}),
    ({"propertyNames": {"enum": [1]}, "additionalProperties": {"const": 1}}, {}),
    ({"anyOf": [False, {"const": 1}], "const": 2}, 2),
    ({"type": "array", "uniqueItems": True, "prefixItems": [{"const": 1}], "items": {"const": 1}}, [1]),
]


@pytest.mark.parametrize(("schema", "data"), SCHEMAS)
def test_schemas_that_pydantic_does_not_write(schema: dict[str, Any], data: object) -> None:  # Any: JSON
    assert made_up(schema) == data


def around_itself(value: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    node = {"type": "object", "properties": {"a": value}, "required": ["a"]}
    return {"$ref": "#/$defs/node", "$defs": {"node": node}}


NODE = {"$ref": "#/$defs/node"}


@pytest.mark.parametrize(
    ("value", "inner"),
    [
        ({"anyOf": [NODE, {"const": 1}]}, 1),
        ({"anyOf": [NODE, {"type": "array", "prefixItems": [True], "items": NODE}]}, ["a"]),
        ({"anyOf": [NODE, {"type": "object", "required": ["b"], "additionalProperties": NODE}]}, {"b": "a"}),
    ],
)
def test_the_member_that_ends_soonest_ends_a_schema_around_itself(value: dict[str, Any], inner: object) -> None:
    assert made_up(around_itself(value)) == {"a": {"a": inner}}


@pytest.mark.parametrize(
    "value",
    [
        {"allOf": [NODE]},
        {"type": "array", "minItems": 1, "items": NODE},
        {"type": "array", "minItems": 1, "items": False},
        {"type": "object", "minProperties": 1, "additionalProperties": NODE},
    ],
)
def test_a_schema_that_needs_itself_never_ends(value: dict[str, Any]) -> None:  # Any: JSON
    with pytest.raises(UserError, match="never ends"):
        made_up(around_itself({"anyOf": [NODE, value]}))


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ({"type": "integer", "minimum": 2, "maximum": 1}, "bounds"),
        ({"type": "number", "exclusiveMinimum": 1, "maximum": 1}, "bounds"),
        ({"type": "array", "uniqueItems": True, "minItems": 2, "items": {"const": 1}}, "2 different items"),
        ({"type": "object", "minProperties": 3, "propertyNames": {"enum": ["a", "b"]}}, "3 different keys"),
        ({"type": "array", "minItems": 1, "items": False}, "nothing at all"),
        ({"$ref": "#/$defs/missing"}, "missing"),
    ],
)
def test_what_nothing_fits_is_an_error_that_says_where(schema: dict[str, Any], what: str) -> None:  # Any: JSON
    with pytest.raises(UserError, match=what):
        made_up(schema)


def test_a_long_schema_is_shortened_in_errors() -> None:
    schema = {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"enum": ["long" * 100]}}
    with pytest.raises(UserError) as raised:
        made_up(schema)
    assert len(str(raised.value)) < 300


def test_a_web_of_schemas_stays_small() -> None:
    names = [f"n{number}" for number in range(30)]
    every = {name: {"type": "array", "items": {"$ref": f"#/$defs/{name}"}} for name in names}
    node = {"type": "object", "properties": every, "required": names[:3]}
    schema = {"$ref": "#/$defs/n0", "$defs": dict.fromkeys(names, node)}
    assert len(json.dumps(made_up(schema))) < 100_000


bounds = st.tuples(st.integers(-9, 9), st.integers(0, 9))
widths = st.tuples(st.integers(-9, 9), st.floats(0.01, 9))
lengths = st.tuples(st.integers(0, 5), st.integers(0, 5))


def constrained(kind: object, constraint: object) -> Any:  # Any: a type made at run time
    return Annotated[kind, constraint]


def list_of(kind: Any, least: int) -> Any:  # Any: as above
    return constrained(list[kind], Field(min_length=least))


def model_of(fields: dict[str, Any]) -> type[BaseModel]:  # Any: as above
    definitions: dict[str, Any] = {name: (kind, ...) for name, kind in fields.items()}  # Any: as pydantic has it
    return create_model("Made", **definitions)


scalars: st.SearchStrategy[Any] = (  # Any: as above
    st.sampled_from([int, str, float, bool, None, date, datetime, UUID, Colour, Decimal, Tree, Chain, Pet])
    | bounds.map(lambda b: constrained(int, Field(ge=b[0], le=sum(b))))
    | widths.map(lambda b: constrained(float, Field(gt=b[0], lt=sum(b))))
    | lengths.map(lambda b: constrained(str, Field(min_length=b[0], max_length=sum(b))))
)


def composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:  # Any: as above
    return (
        st.builds(list_of, inner, st.integers(0, 3))
        | inner.map(lambda kind: dict[str, kind])  # type: ignore[valid-type]  # made at run time
        | inner.map(lambda kind: kind | None if kind is not None else kind)
        | st.tuples(inner, inner).map(lambda kinds: tuple[kinds])  # type: ignore[valid-type]  # made at run time
        | st.dictionaries(st.sampled_from("abc"), inner).map(model_of)
    )


@given(st.recursive(scalars, composed, max_leaves=6), st.integers(0, 99))
def test_data_fits_random_types(annotation: Any, seed: int) -> None:  # Any: any type
    fits(annotation, seed)
