from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field, SecretStr

from agentgraph import format_as_xml


@dataclass(frozen=True)
class City:
    name: str
    people: int
    twins: list[str] = field(default_factory=list[str])


class Country(BaseModel):
    name: str
    capital: City
    key: str = Field(default="hidden", exclude=True)


class Size(Enum):
    SMALL = "S"
    NONE = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("a < b & c", "a &lt; b &amp; c"),
        (7, "7"),
        (2.5, "2.5"),
        (True, "True"),
        (Decimal("1.10"), "1.10"),
        (None, "null"),
        (b"bytes", "bytes"),
        (bytearray(b"\xff"), "\ufffd"),
        (date(2025, 3, 14), "2025-03-14"),
        (datetime(2025, 3, 14, 15, 9, tzinfo=UTC), "2025-03-14T15:09:00+00:00"),
        (time(15, 9), "15:09:00"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Size.SMALL, "S"),
        (Size.NONE, "null"),
    ],
)
def test_a_single_value_becomes_text(value: object, text: str) -> None:
    assert format_as_xml(value) == f"<examples>{text}</examples>"


def test_a_mapping_becomes_an_element_an_entry() -> None:
    assert (
        format_as_xml({"name": "Ann", "age": 41, "likes": None}, root_tag="user", none_str="nothing")
        == """\
<user>
  <name>Ann</name>
  <age>41</age>
  <likes>nothing</likes>
</user>"""
    )


def test_a_list_becomes_an_element_an_item() -> None:
    assert (
        format_as_xml(["one", {"two": 2}, ["three"]], item_tag="n")
        == """\
<examples>
  <n>one</n>
  <n>
    <two>2</two>
  </n>
  <n>
    <n>three</n>
  </n>
</examples>"""
    )


def test_instances_in_a_list_have_the_name_of_their_class() -> None:
    rome = City("Rome", 2_800_000, ["Paris"])
    assert (
        format_as_xml([rome, Country(name="Italy", capital=rome)])
        == """\
<examples>
  <City>
    <name>Rome</name>
    <people>2800000</people>
    <twins>
      <example>Paris</example>
    </twins>
  </City>
  <Country>
    <name>Italy</name>
    <capital>
      <name>Rome</name>
      <people>2800000</people>
      <twins>
        <example>Paris</example>
      </twins>
    </capital>
  </Country>
</examples>"""
    )


def test_an_instance_alone_takes_the_root_tag() -> None:
    assert format_as_xml(City("Ur", 0), root_tag="city", indent=None) == (
        "<city><name>Ur</name><people>0</people><twins /></city>"
    )


def test_fields_excluded_from_dumps_stay_out() -> None:
    assert "hidden" not in format_as_xml(Country(name="Italy", capital=City("Rome", 1)))


def test_any_iterable_will_do() -> None:
    def numbers() -> Iterator[int]:
        yield from (1, 2)

    assert format_as_xml(numbers(), indent=None) == "<examples><example>1</example><example>2</example></examples>"


@pytest.mark.parametrize(
    ("indent", "expected"), [("  ", "<a>1</a>\n<b>\n  <c>2</c>\n</b>"), (None, "<a>1</a><b><c>2</c></b>")]
)
def test_without_the_root_the_parts_stand_alone(indent: str | None, expected: str) -> None:
    assert format_as_xml({"a": 1, "b": {"c": 2}}, include_root_tag=False, indent=indent) == expected


def test_without_the_root_a_single_value_is_its_escaped_text() -> None:
    assert format_as_xml("a < b > c & d", include_root_tag=False) == "a &lt; b &gt; c &amp; d"


def test_nothing_without_the_root_is_nothing() -> None:
    assert format_as_xml([], include_root_tag=False) == ""


def test_tags_are_made_legal() -> None:
    data = {"first name": 1, 2: 2, "a:b": 3, "": 4, "</x>": 5}
    assert format_as_xml(data, root_tag="r", indent=None) == (
        "<r><first_name>1</first_name><_2>2</_2><a_b>3</a_b><_>4</_><__x_>5</__x_></r>"
    )


def test_a_value_without_a_form_is_named_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"the object\['users'\]\[1\] is of type SecretStr"):
        format_as_xml({"users": ["ann", SecretStr("pass")]})


def test_a_class_is_no_instance() -> None:
    with pytest.raises(TypeError, match="of type type"):
        format_as_xml(City)


def test_a_key_that_is_no_tag_is_named_with_its_place() -> None:
    with pytest.raises(TypeError, match=r"the object\[0\] has the key \(1, 2\)"):
        format_as_xml([{(1, 2): "pair"}])


def trees() -> st.SearchStrategy[Any]:  # any: nested without bound
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    return st.recursive(
        leaves, lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(), parts, max_size=4)
    )


@given(trees(), st.text(), st.sampled_from(["  ", None]))
def test_whatever_comes_in_a_parser_reads_it(tree: object, tag: str, indent: str | None) -> None:
    ET.fromstring(format_as_xml(tree, root_tag=tag, item_tag=tag, none_str=tag, indent=indent))  # noqa: S314 - our own


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1)))
def test_text_comes_back_as_it_was(items: list[str]) -> None:
    root = ET.fromstring(format_as_xml(items))  # noqa: S314 - our own
    assert [child.text for child in root] == items
