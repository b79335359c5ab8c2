"""Our dataclasses are those of the standard library to whoever looks at them."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import KW_ONLY, FrozenInstanceError, asdict, field, fields, replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from agentgraph.values import dataclass

# Any: what is made here is of classes that are made by the test, of one decorator or the other.

FLAGS: list[dict[str, bool]] = [
    {},
    {"slots": True},
    {"frozen": True},
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "eq": False},
    {"kw_only": True},
    {"slots": True, "unsafe_hash": True},
]


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


@dataclass(frozen=True)
class Named:
    name: str


class Tagged(Named):
    tag = ""


def classes(flags: dict[str, bool]) -> list[Any]:
    """The same class, made by each of the two."""
    made: list[Any] = []
    for decorator in (dataclasses.dataclass, dataclass):

        class Thing:
            """A thing."""

            name: str
            size: int = 1
            parts: list[int] = field(default_factory=list[int])
            hidden: int = field(default=2, repr=False, compare=False)
            kind: str = field(default="thing", init=False)
            seen: list[int] = field(default_factory=list[int], init=False)
            _: KW_ONLY
            colour: str | None = None

        made.append(decorator(**flags)(Thing))
    return made


def outcome(look: Callable[[Any], object], cls: Any) -> object:
    try:
        return look(cls)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other is to raise it as well
        return type(error), str(error)


@pytest.mark.parametrize("flags", FLAGS)
def test_a_dataclass_is_as_one_of_the_standard_library(flags: dict[str, bool]) -> None:
    theirs, ours = classes(flags)
    looks: list[Callable[[Any], object]] = [
        lambda cls: str(inspect.signature(cls)),
        lambda cls: [(each.name, each.kw_only, each.init) for each in fields(cls)],
        lambda cls: cls.__match_args__,
        lambda cls: cls.__doc__,
        lambda cls: hasattr(cls, "__slots__"),
        lambda cls: repr(cls(name="a", colour="red")),
        lambda cls: asdict(replace(cls(name="a", parts=[1]), size=2)),
        lambda cls: cls(name="a", hidden=1) == cls(name="a", hidden=2),
        lambda cls: cls(name="a") == cls(name="b"),
        lambda cls: cls(name="a") == "a",
        lambda cls: cls(name="a").parts is cls(name="a").parts,
        lambda cls: cls.__hash__ is None,
        lambda cls: setattr(cls(name="a"), "size", 2),
        lambda cls: delattr(cls(name="a"), "size"),
        lambda cls: asdict(copy(cls(name="a", size=3))),
        lambda cls: asdict(deepcopy(cls(name="a", parts=[4]))),
        lambda cls: TypeAdapter(cls).json_schema(),
        lambda cls: TypeAdapter(cls).validate_json(b'{"name": "a", "size": "2", "colour": null}').size,
    ]
    for look in looks:
        assert outcome(look, ours) == outcome(look, theirs)


def test_methods_that_a_class_writes_are_its_own() -> None:
    @dataclass(frozen=True)
    class Word:
        text: str

        def __post_init__(self) -> None:
            object.__setattr__(self, "text", self.text.strip())

        def __repr__(self) -> str:
            return self.text

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Word) and other.text.lower() == self.text.lower()

        def __hash__(self) -> int:
            return hash(self.text.lower())

    assert repr(Word(" A ")) == "A"
    assert {Word("A"), Word("a")} == {Word("a")}


def test_a_frozen_value_refuses_to_change_and_is_pickled() -> None:
    point = Point(1)
    changes: list[Callable[[], None]] = [lambda: setattr(point, "x", 2), lambda: delattr(point, "x")]
    for change in changes:
        with pytest.raises(FrozenInstanceError, match="'x'"):
            change()
    again = pickle.loads(pickle.dumps(point))  # noqa: S301 - just written
    assert (again, hash(again)) == (point, hash(point))
    match point:
        case Point(1, 0):
            pass
        case _:
            pytest.fail("the pattern reads the fields in their order")


def test_what_derives_from_a_frozen_value_has_attributes_of_its_own() -> None:
    tagged = Tagged("a")
    tagged.tag = "t"
    assert tagged.tag == "t"
    del tagged.tag
    with pytest.raises(FrozenInstanceError):
        tagged.name = "b"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - that is the point
    with pytest.raises(FrozenInstanceError):
        del tagged.name  # pyright: ignore[reportAttributeAccessIssue]


def test_a_frozen_value_is_derived_from_as_in_the_standard_library() -> None:
    @dataclass(frozen=True)
    class Ours(Named):
        size: int = 0

    @dataclasses.dataclass(frozen=True)
    class Theirs(Named):
        size: int = 0

    assert asdict(Ours("a", 1)) == asdict(Theirs("a", 1)) == {"name": "a", "size": 1}
    with pytest.raises(TypeError, match="non-frozen"):
        dataclasses.dataclass(type("Loose", (Named,), {}))


def test_a_class_without_fields_or_words_is_a_value_too() -> None:
    @dataclass
    class Nothing:
        pass

    @dataclass
    class Later:
        """A value of which something is not known yet."""

        due: int = field(init=False)

    assert Nothing() == Nothing()
    assert not hasattr(Later(), "due")
    assert Nothing.__doc__ == "Nothing"


def test_a_value_that_holds_itself_can_be_shown() -> None:
    @dataclass
    class Chain:
        rest: Any = None

    chain = Chain()
    chain.rest = chain
    assert repr(chain).endswith("Chain(rest=...)")
