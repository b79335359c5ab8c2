"""Values of other types than their fields say are refused, however seldom pydantic is asked about them."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, PlainSerializer

from agentgraph.exceptions import StoreError
from agentgraph.graph.adapters import adapter_for
from agentgraph.graph.encoding import Encoder

Doubled = Annotated[int, PlainSerializer(lambda value: value * 2)]


@dataclass
class Line:
    text: str


class Unfinished(BaseModel):
    other: Missing  # type: ignore[name-defined]  # pyright: ignore[reportUndefinedVariable]  # noqa: F821 - on purpose


def test_a_list_of_what_is_not_defined_yet_is_not_either() -> None:
    assert not adapter_for(list[Unfinished]).pydantic_complete


def encoder(tp: Any) -> Encoder:
    return Encoder(adapter_for(tp), "It")


@pytest.mark.parametrize(
    ("tp", "plain"),
    [
        (int, {int}),
        (str | None, {str, NoneType}),
        (str | list[str], {str}),
        (list[int] | str, set[type]()),
        (Annotated[int | str, Field(default=1)], {int}),
        (Doubled, set[type]()),
        (Doubled | str, set[type]()),
        (int | Doubled, {int}),
        (Line, set[type]()),
    ],
)
def test_plain_are_only_values_of_which_nothing_has_to_be_asked(tp: Any, plain: set[type]) -> None:
    assert encoder(tp).plain == plain


@pytest.mark.parametrize(("tp", "value"), [(int, "1"), (int, 1.0), (str, 1), (float, "x"), (Line, Line(1))])  # type: ignore[arg-type]  # which is the point
def test_a_value_of_another_type_is_refused(tp: Any, value: object) -> None:
    encode = encoder(tp)
    with pytest.raises(StoreError, match="It cannot be stored: "):
        encode.encode(value)
    with pytest.raises(StoreError, match="It cannot be stored: "):
        encode.encode_again(value, b"{}")


def test_a_text_that_utf_8_has_no_bytes_for_is_refused() -> None:
    with pytest.raises(StoreError, match="It cannot be stored: str"):
        encoder(str).encode("\ud800")
    with pytest.raises(StoreError, match="It cannot be stored: list"):
        encoder(list[str]).encode_again(["\ud800"], b'["a"]')


def test_what_a_serializer_makes_of_a_value_is_what_is_stored() -> None:
    assert encoder(Doubled).encode(2) == b"4"
    assert encoder(int | Doubled).encode(2) == b"2"


def test_a_value_that_changed_is_encoded_as_it_is_now() -> None:
    encode, line = encoder(Line), Line("a")
    known = encode.encode_again(line, None)
    assert encode.encode_again(line, known) is known
    line.text = "b" * 1000
    assert encode.encode_again(line, known) == encode.encode(line) != known
    assert encode.encode_again(Line("a"), None) is known
