"""Results that come as JSON in a text: what is asked for, and what of it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from hypothesis import given, strategies as st
from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import to_json

from agentgraph import ModelRetry, NativeResult, PromptedResult, UserError
from agentgraph.result import Accepted, Rejected, ResultSchema, data_type


class City(BaseModel):
    """A place to live."""

    name: str
    people: int = 0


@dataclass
class River:
    name: str


class Unknown:
    """Nothing that pydantic knows."""


EITHER: Any = City | River  # Any: a union is no type to a checker


def schema_of(result_type: Any) -> dict[str, Any]:
    wanted = ResultSchema.build(result_type).format
    assert wanted is not None
    return wanted.json_schema


def read(result_type: Any, text: str) -> Any:
    verdict = ResultSchema.build(result_type).read_text(text)
    return verdict.value if isinstance(verdict, Accepted) else verdict.prompt.content


def test_an_object_is_asked_for_by_its_own_schema() -> None:
    wanted = ResultSchema.build(NativeResult(City)).format
    assert wanted is not None
    assert (wanted.mode, wanted.name, wanted.description, wanted.outer_key) == (
        "native",
        "City",
        "A place to live.",
        None,
    )
    assert list(wanted.json_schema["properties"]) == ["name", "people"]
    assert "description" not in wanted.json_schema


def test_what_is_no_object_is_put_under_a_key() -> None:
    assert schema_of(NativeResult(list[int]))["properties"] == {
        "response": {"type": "array", "items": {"type": "integer"}}
    }
    assert read(NativeResult(list[int]), '{"response": [1, 2]}') == [1, 2]


def test_a_union_says_which_member_it_holds() -> None:
    schema = schema_of(NativeResult(EITHER))
    members = [schema["$defs"][entry["$ref"].rpartition("/")[2]] for entry in schema["properties"]["response"]["anyOf"]]
    assert [member["properties"]["kind"]["const"] for member in members] == ["City", "River"]
    assert read(PromptedResult(EITHER), '{"response": {"kind": "River", "data": {"name": "Po"}}}') == River("Po")
    assert read(PromptedResult(EITHER), '{"response": {"kind": "City", "data": {"name": "Pisa"}}}') == City(name="Pisa")


def test_members_of_one_name_are_told_apart() -> None:
    twins: Any = list[int] | list[str]
    assert read(NativeResult(twins), '{"response": {"kind": "list_2", "data": ["a"]}}') == ["a"]


def test_names_and_words_can_be_given() -> None:
    wanted = ResultSchema.build(NativeResult(City, name="a city!", description="Where to?")).format
    assert wanted is not None
    assert (wanted.name, wanted.description) == ("a_city", "Where to?")
    nameless = ResultSchema.build(NativeResult(City, name="?")).format
    assert nameless is not None
    assert nameless.name == "result"


@pytest.mark.parametrize("kind", [str, str | City])
@pytest.mark.parametrize("mark", [NativeResult, PromptedResult])
def test_text_is_not_asked_for_as_json(mark: Any, kind: Any) -> None:
    with pytest.raises(UserError, match=r"`str` is any text: leave `(Native|Prompted)Result` out"):
        ResultSchema.build(mark(kind))


def test_what_cannot_be_described_is_refused() -> None:
    with pytest.raises(UserError, match="result type Unknown cannot be described to a model"):
        ResultSchema.build(NativeResult(Unknown))


def test_a_template_holds_the_schema() -> None:
    form = ResultSchema.build(PromptedResult(City, template="As JSON: {schema}!")).form
    assert form is not None
    assert form.instructions is not None
    assert form.instructions.startswith('As JSON: {"properties":')
    with pytest.raises(UserError, match="where the schema belongs: 'As JSON"):
        ResultSchema.build(PromptedResult(City, template="As JSON."))


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Rome"}',
        ' \n{"name": "Rome"}\n',
        '{"name": "Rome"} {}',
        '```json\n{"name": "Rome"}\n```',
        '```\n{"name": "Rome"}```',
        'Set {braces} aside:\n\n```json\n{"name": "Rome"}\n```\nThat is it. {}',
        'Here it is: {"name": "Rome"} Anything else?',
    ],
)
def test_json_is_found_among_words(text: str) -> None:
    assert read(PromptedResult(City), text) == City(name="Rome")


@given(st.dictionaries(st.text(), st.text() | st.integers()), st.sampled_from(["", "Sure:\n", "```json\n"]))
def test_any_object_is_read_back(value: dict[str, str | int], before: str) -> None:
    after = "\n```" if before.startswith("`") else ""
    text = before + to_json(value).decode() + after
    assert read(PromptedResult(dict[str, str | int]), text) == value


@pytest.mark.parametrize("text", ["Rome", '{"name"', '{"name": 1}', "[" * 9, '{"name": ' * 9999, "{} and {}"])
def test_what_does_not_fit_is_told_to_the_model(text: str) -> None:
    verdict = ResultSchema.build(NativeResult(City)).read_text(text)
    assert isinstance(verdict, Rejected)
    assert verdict.prompt.tool_name is None
    assert "1 validation error" in verdict.prompt.model_response()


def test_validators_of_the_type_may_object() -> None:
    def refuse(city: City) -> City:
        message = "Not there."
        raise ModelRetry(message)

    refused: Any = Annotated[City, AfterValidator(refuse)]  # Any: what is annotated is no type to a checker
    assert read(NativeResult(refused), '{"name": "Rome"}') == "Not there."


def test_a_part_of_the_json_is_read_as_far_as_it_is_valid() -> None:
    schema = ResultSchema.build(PromptedResult(list[str]))
    assert schema.validate_text('```json\n{"response": ["a", "b', partial=True) == ["a", "b"]
    assert ResultSchema.build(str).validate_text("a", partial=True) == "a"


def test_markers_know_their_type() -> None:
    assert data_type(NativeResult(City)) is data_type(PromptedResult(City)) is data_type(City) is City
    assert repr(PromptedResult(int)) == "PromptedResult(<class 'int'>)"
    assert repr(NativeResult(int)) == "NativeResult(<class 'int'>)"


@pytest.mark.parametrize("before", [" ", "```json\n", "As {JSON}:\n\n```\n"])
def test_json_in_a_text_is_read_while_it_comes(before: str) -> None:
    form = ResultSchema.build(PromptedResult(list[int])).form
    assert form is not None
    reader = form.reader()
    text = before + '{"response": [1, ' + "22, " * 300
    for at in range(0, len(text), 50):
        reader.feed(text[at : at + 50])
    assert reader.read() == form.read(text, partial=True) == [1, *[22] * 300]


def test_words_before_the_json_may_be_many() -> None:
    form = ResultSchema.build(PromptedResult(City)).form
    assert form is not None
    reader = form.reader()
    reader.feed("Well. " * 100)
    with pytest.raises(ValidationError):
        reader.read()
    reader.feed('{"name": "Rome"')
    assert reader.read() == City(name="Rome")
