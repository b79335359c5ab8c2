from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import pytest
from hypothesis import given, strategies as st
from pydantic import AfterValidator, BaseModel, Field, RootModel, ValidationError
from pydantic_core import to_json
from typing_extensions import TypeAliasType, TypedDict

from agentgraph.exceptions import ModelRetry, UserError
from agentgraph.messages import ToolCallPart
from agentgraph.result import Accepted, Rejected, ResultSchema

T = TypeVar("T")


class City(BaseModel):
    """A city."""

    name: str
    people: int = 0


@dataclass
class Country:
    """A country."""

    name: str


class River(TypedDict):
    """A river."""

    length: int


class Page(BaseModel, Generic[T]):
    items: list[T]


class Names(RootModel[list[str]]):
    """Names."""


class Node(BaseModel):
    """A node."""

    below: list[Node] = []


Place = City | Country
PlaceAlias = TypeAliasType("PlaceAlias", City | Country)
Maybe = TypeAliasType("Maybe", T | str, type_params=(T,))
Text = TypeAliasType("Text", str)
Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | int | None")
Scores = TypeAliasType("Scores", dict[str, int])


def build(result_type: Any, **options: str) -> ResultSchema[Any]:  # Any: unions are no `type` to the checkers
    return ResultSchema.build(result_type, **options)


def names(result_type: Any) -> list[str]:
    return [tool.name for tool in build(result_type).tools]


@pytest.mark.parametrize("result_type", [str, Text])
def test_text_needs_no_tool(result_type: Any) -> None:
    schema = build(result_type)
    assert (schema.tools, schema.tool_names, schema.allow_text) == ([], frozenset(), True)
    assert schema.read_text("hello") == Accepted("hello")


OBJECTS: list[tuple[Any, dict[str, Any], object]] = [
    (City, {"name": "Oslo"}, City(name="Oslo")),
    (Country, {"name": "Norway"}, Country("Norway")),
    (River, {"length": 3}, {"length": 3}),
    (Page[int], {"items": [1]}, Page[int](items=[1])),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (Scores, {"a": 1}, {"a": 1}),
    (Node, {"below": [{}]}, Node(below=[Node()])),
    (Annotated[City, "the capital"], {"name": "Oslo"}, City(name="Oslo")),
]
WRAPPED: list[tuple[Any, object, object]] = [
    (int, 3, 3),
    (bool, True, True),
    (None, None, None),
    (Decimal, "1.5", Decimal("1.5")),
    (list[City], [{"name": "Oslo"}], [City(name="Oslo")]),
    (tuple[int, str], [1, "a"], (1, "a")),
    (Literal["a", "b"], "b", "b"),
    (Names, ["a"], Names(["a"])),
    (Any, {"x": 1}, {"x": 1}),
    (Annotated[int, Field(gt=2)], 3, 3),
    (Annotated[City | Country, "one of them"], {"name": "Oslo"}, City(name="Oslo")),
]


@pytest.mark.parametrize(("result_type", "sent", "value"), OBJECTS)
@pytest.mark.parametrize("as_text", [True, False])
def test_an_object_is_asked_for_as_it_is(
    result_type: Any, sent: dict[str, Any], value: object, *, as_text: bool
) -> None:
    schema = build(result_type)
    (tool,) = schema.tools
    assert (tool.name, tool.outer_typed_dict_key, schema.allow_text) == ("final_result", None, False)
    assert tool.parameters_json_schema["type"] == "object"
    args = to_json(sent).decode() if as_text else sent
    assert schema.read_call(ToolCallPart("final_result", args)) == Accepted(value)


@pytest.mark.parametrize(("result_type", "sent", "value"), WRAPPED)
def test_anything_else_is_wrapped(result_type: Any, sent: object, value: object) -> None:
    schema = build(result_type)
    (tool,) = schema.tools
    assert tool.outer_typed_dict_key == "response"
    assert tool.parameters_json_schema["required"] == ["response"]
    assert tool.parameters_json_schema["additionalProperties"] is False
    assert "title" not in tool.parameters_json_schema
    assert schema.read_call(ToolCallPart("final_result", {"response": sent})) == Accepted(value)


@given(st.lists(st.integers()) | st.dictionaries(st.text(), st.text()) | st.integers() | st.none())
def test_a_union_of_values_is_read_by_the_tool_of_its_type(value: Any) -> None:
    schema = build(list[int] | dict[str, str] | int | None)
    name, wrapped = f"final_result_{type(value).__name__}", not isinstance(value, dict)
    args: Any = {"response": value} if wrapped else value
    assert schema.read_call(ToolCallPart(name, args)) == Accepted(value)


UNIONS: list[tuple[Any, list[str], bool]] = [
    (City | Country, ["final_result_City", "final_result_Country"], False),
    (Union[City, Country], ["final_result_City", "final_result_Country"], False),  # noqa: UP007 - as below
    (Place, ["final_result_City", "final_result_Country"], False),
    (PlaceAlias, ["final_result_City", "final_result_Country"], False),
    (PlaceAlias | River | City, ["final_result_City", "final_result_Country", "final_result_River"], False),
    (City | str, ["final_result"], True),
    (City | Text, ["final_result"], True),
    (Maybe[City], ["final_result"], True),
    (Optional[City], ["final_result_City", "final_result_NoneType"], False),  # noqa: UP045 - the old way to write it
    (City | str | None, ["final_result_City", "final_result_NoneType"], True),
    (list[int] | list[str] | str, ["final_result_list", "final_result_list_2"], True),
    (Page[int] | Page[str], ["final_result_Page_int", "final_result_Page_str"], False),
    (Json, ["final_result_dict", "final_result_list", "final_result_int", "final_result_NoneType"], False),
    (Scores | int, ["final_result_Scores", "final_result_int"], False),
    (Annotated[int, Field(gt=1)] | list[int], ["final_result_int", "final_result_list"], False),
    (Literal["a"] | Any, ["final_result_Literal", "final_result_Any"], False),
]


@pytest.mark.parametrize(("result_type", "tools", "allow_text"), UNIONS)
def test_a_union_has_a_tool_for_each_member(result_type: Any, tools: list[str], *, allow_text: bool) -> None:
    schema = build(result_type)
    assert [tool.name for tool in schema.tools] == tools
    assert schema.tool_names == set(tools)
    assert schema.allow_text is allow_text


def test_a_number_that_is_taken_is_passed_over() -> None:
    class list_2:  # noqa: N801 - a name to clash with
        __annotations__ = {"x": int}

    first = dataclass(list_2)
    assert names(first | list[int] | list[str])[0] == "final_result_list_2"
    assert len(set(names(first | list[str] | list[int]))) == 3
    third: Any = dataclass(type("list_3", (), {"__annotations__": {"x": int}}))
    assert names(third | list[str] | list[int])[2] == "final_result_list_4"


def test_the_tool_may_be_named_and_described() -> None:
    (tool,) = build(City, name="answer", description="Say which city.").tools
    assert (tool.name, tool.description) == ("answer", "Say which city.\n\nA city.")
    assert "description" not in tool.parameters_json_schema


def test_descriptions_come_from_the_types() -> None:
    assert build(City).tools[0].description == "A city."
    assert build(int).tools[0].description == "Gives the final result, which ends the conversation."
    assert build(int, description="A number.").tools[0].description == "A number."
    assert [one.description for one in build(City | River).tools] == ["City: A city.", "River: A river."]


def test_a_type_without_schema_is_refused_with_every_member_that_has_none() -> None:
    class Opaque: ...

    class Dark: ...

    with pytest.raises(UserError) as caught:
        build(Opaque | City | Dark)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()[1:]] == ["  - Opaque", "  - Dark"]


def test_an_alias_of_names_that_mean_nothing_is_refused() -> None:
    with pytest.raises(UserError, match=r"Lost: .*Nowhere"):
        build(TypeAliasType("Lost", "Nowhere | int"))  # noqa: F821 # pyright: ignore[reportGeneralTypeIssues,reportUndefinedVariable]


def test_what_does_not_fit_goes_back_to_the_model() -> None:
    answer = build(City).read_call(ToolCallPart("final_result", '{"people": "many"}', "c1"))
    assert isinstance(answer, Rejected)
    assert (answer.prompt.tool_name, answer.prompt.tool_call_id) == ("final_result", "c1")
    assert not isinstance(answer.prompt.content, str)
    assert [error["loc"] for error in answer.prompt.content] == [("name",), ("people",)]


def test_a_type_may_ask_the_model_itself() -> None:
    def refuse(value: int) -> int:
        raise ModelRetry(f"not {value}")

    answer = build(Annotated[int, AfterValidator(refuse)]).read_call(ToolCallPart("final_result", {"response": 1}))
    assert isinstance(answer, Rejected)
    assert answer.prompt.content == "not 1"


def test_text_where_none_is_allowed_names_the_tools() -> None:
    answer = build(City | int).read_text("Oslo")
    assert isinstance(answer, Rejected)
    assert "final_result_City, final_result_int" in str(answer.prompt.content)
    assert (answer.prompt.tool_name, answer.prompt.tool_call_id) == (None, None)


@pytest.mark.parametrize("result_type", [City, Country, River, int, list[City], City | str, PlaceAlias])
def test_results_are_stored_by_the_whole_type(result_type: Any) -> None:
    schema = build(result_type)
    assert schema.adapter is schema.adapter
    values = {City: City(name="x"), Country: Country("x"), River: {"length": 1}, int: 3, PlaceAlias: Country("x")}
    value = values.get(result_type, [City(name="x")] if result_type == list[City] else City(name="x"))
    assert schema.adapter.dump_json(value)


PARTS: list[tuple[Any, str, object]] = [
    (list[str], '{"response": ["a", "b', ["a", "b"]),
    (list[int], '{"response": [1, 2', [1, 2]),
    (list[City], '{"response": [{"name": "Oslo"}, {"peop', [City(name="Oslo")]),
    (City, '{"name": "Os', City(name="Os")),
    (dict[str, str], '{"a": "b", "c": "d', {"a": "b", "c": "d"}),
    (River, '{"length": 12', {"length": 12}),
]


@pytest.mark.parametrize(("result_type", "text", "value"), PARTS)
def test_a_result_can_be_read_while_it_comes(result_type: Any, text: str, value: object) -> None:
    schema = build(result_type)
    call = ToolCallPart("final_result", text)
    assert schema.read_call(call, partial=True) == Accepted(value)
    assert isinstance(schema.read_call(call), Rejected)


@pytest.mark.parametrize("text", ["", "{", '{"resp', '{"response": "x"'])
def test_too_little_of_it_is_rejected(text: str) -> None:
    assert isinstance(build(list[int]).read_call(ToolCallPart("final_result", text), partial=True), Rejected)


@given(st.lists(st.text()), st.data())
def test_every_beginning_of_a_list_is_a_beginning(items: list[str], data: st.DataObject) -> None:
    text = to_json({"response": items}).decode()
    cut = data.draw(st.integers(0, len(text)))
    answer = build(list[str]).read_call(ToolCallPart("final_result", text[:cut]), partial=True)
    if isinstance(answer, Accepted):
        read = answer.value
        assert read[:-1] == items[: len(read) - 1 if read else 0]
        assert all((part and whole.startswith(part)) or part == "" for part, whole in zip(read, items, strict=False))
    else:
        assert cut < len('{"response":[')


def test_a_call_is_read_while_its_arguments_come() -> None:
    reader = ResultSchema.build(Page[int]).call_reader("final_result")
    reader.feed("")
    with pytest.raises(ValidationError):
        reader.read()
    reader.feed('{"items": [1, ' + "2, " * 300)
    assert reader.read().items == [1, *[2] * 300]
    wrapped = ResultSchema.build(list[int]).call_reader("final_result")
    wrapped.feed('{"response": [1, ' + "2, " * 300)
    assert wrapped.read() == [1, *[2] * 300]
