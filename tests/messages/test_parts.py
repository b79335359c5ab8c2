from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.messages import (
    ModelMessagesTypeAdapter,
    ModelRequest,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)


class Point(BaseModel):
    x: int


@dataclass
class Pair:
    a: int


def errors_of(value: object) -> list[ErrorDetails]:
    try:
        TypeAdapter(list[int]).validate_python(value)
    except ValidationError as error:
        return error.errors()
    raise AssertionError


def test_parts_are_dated_now_in_utc() -> None:
    assert UserPromptPart("hi").timestamp.tzinfo is UTC


def test_parts_are_equal_by_their_fields() -> None:
    assert TextPart("a") == TextPart("a") != TextPart("b")
    assert ToolCallPart("f", {}) != ToolCallPart("f", "{}")


@pytest.mark.parametrize(
    ("content", "text"),
    [("as it is", "as it is"), ({"a": [1, None]}, '{"a":[1,null]}'), (Point(x=1), '{"x":1}'), (b"\xff", '"_w=="')],
)
def test_a_tool_return_as_text(content: object, text: str) -> None:
    assert ToolReturnPart("f", content).model_response_str() == text


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"a": 1}, {"a": 1}),
        (Pair(1), {"a": 1}),
        (Point(x=1), {"x": 1}),
        ([1], {"return_value": [1]}),
        ("a", {"return_value": "a"}),
    ],
)
def test_a_tool_return_as_an_object(content: object, found: dict[str, object]) -> None:
    assert ToolReturnPart("f", content).model_response_object() == found


def test_a_tool_return_looks_the_same_to_the_model_when_it_was_stored() -> None:
    part = ToolReturnPart("f", Point(x=1))
    [stored] = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([ModelRequest([part])]))
    again = stored.parts[0]
    assert isinstance(again, ToolReturnPart)
    assert again.model_response_object() == part.model_response_object()
    assert again.model_response_str() == part.model_response_str()


def test_a_retry_prompt_of_text_asks_to_try_again() -> None:
    said = RetryPromptPart("No such city.").model_response()
    assert said.startswith("No such city.")
    assert said.endswith("fix the errors and try again.")


def test_a_retry_prompt_of_errors_lists_them_without_their_urls() -> None:
    said = RetryPromptPart(errors_of(["a", 1, "b"]), "f").model_response()
    assert said.startswith("2 validation errors:")
    listed = from_json(said[said.index("[") : said.rindex("]") + 1])
    assert [error["loc"] for error in listed] == [[0], [2]]
    assert set(listed[0]) == {"type", "loc", "msg", "input"}


def test_a_single_error_is_counted_as_one() -> None:
    assert RetryPromptPart(errors_of(["a"])).model_response().startswith("1 validation error:")


@pytest.mark.parametrize("args", ['{"a": 1}', {"a": 1}])
def test_arguments_as_an_object(args: str | dict[str, object]) -> None:
    assert ToolCallPart("f", args).args_as_dict() == {"a": 1}


@pytest.mark.parametrize("args", ["", " ", {}, "{}"])
def test_no_arguments(args: str | dict[str, object]) -> None:
    assert ToolCallPart("f", args).args_as_dict() == {}
    assert ToolCallPart("f", args).args_as_json_str() == "{}"


def test_arguments_as_text() -> None:
    assert ToolCallPart("f", '{"a": 1').args_as_json_str() == '{"a": 1'
    assert ToolCallPart("f", {"a": 1}).args_as_json_str() == '{"a":1}'


@pytest.mark.parametrize("args", ["[1]", "null", '{"a": ', "nonsense"])
def test_arguments_that_are_no_object_name_the_tool(args: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match="'weather'"):
        ToolCallPart("weather", args).args_as_dict()


def test_whether_there_is_content() -> None:
    assert TextPart("a").has_content()
    assert not TextPart("").has_content()
    assert ToolCallPart("f", {"a": 0}).has_content()
    assert not ToolCallPart("f", "").has_content()
    assert ThinkingPart("", signature="s").has_content()
    assert not ThinkingPart("").has_content()
