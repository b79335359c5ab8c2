from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agentgraph.context import RunContext
from agentgraph.exceptions import UserError
from agentgraph.messages import ToolCallPart
from agentgraph.tools import Tool, ToolConfig, ToolOptions


def find(name: str, limit: int = 10) -> list[str]:
    """Find customers by name.

    Args:
        name: A part of the name.
        limit: How many to find at most.
    """
    return [name] * limit


def refund(ctx: RunContext[int], order: int) -> int:
    return ctx.deps + order


class Desk:
    """A desk."""

    def close(self, ticket: int) -> int:
        """Close a ticket."""
        return ticket

    def __call__(self, ticket: int) -> int:
        return ticket


def test_a_tool_describes_its_function() -> None:
    assert Tool(find).definition.parameters_json_schema == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "A part of the name."},
            "limit": {"type": "integer", "default": 10, "description": "How many to find at most."},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    assert (Tool(find).definition.name, Tool(find).description) == ("find", "Find customers by name.")


def test_the_context_is_no_parameter() -> None:
    tool = Tool(refund)
    assert tool.takes_ctx
    assert list(tool.definition.parameters_json_schema["properties"]) == ["order"]


def test_options_win_over_what_the_function_says() -> None:
    tool = Tool(find, name="search", description="", max_retries=3, timeout=2.5)
    assert (tool.definition.name, tool.definition.description) == ("search", "")
    assert (tool.max_retries, tool.timeout, tool.prepare, tool.docstring_format) == (3, 2.5, None, "auto")
    assert not tool.require_parameter_descriptions
    assert repr(tool) == "Tool('search')"


@pytest.mark.parametrize(
    ("args", "fits"), [('{"name": "a"}', True), ({"name": "a", "limit": "many"}, False), ("{", False)]
)
def test_whether_arguments_fit_is_known_before_the_call(args: str | dict[str, object], fits: object) -> None:
    assert Tool(find).accepts(ToolCallPart("find", args)) is fits


def test_the_definition_is_made_once() -> None:
    tool = Tool(find)
    assert tool.definition is tool.definition


def test_every_shape_of_function_has_a_name() -> None:
    assert Tool(Desk().close).name == "close"
    assert Tool(Desk()).name == "Desk"
    assert Tool(partial(find, limit=3)).name == "find"
    assert Tool(Desk).name == "Desk"


def test_a_lambda_must_be_given_a_name() -> None:
    with pytest.raises(UserError, match="give it one with `name=`"):
        Tool(lambda: 1)
    assert Tool(lambda: 1, name="one").name == "one"


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="retries"):
        Tool(find, retries=3)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue]


def test_the_options_are_the_same_everywhere() -> None:
    names = list(ToolOptions.__annotations__)
    assert list(ToolConfig.__dataclass_fields__) == names
    assert list(inspect.signature(Tool).parameters) == ["function", *names]
    assert inspect.signature(Tool).parameters["docstring_format"].default == "auto"


def test_what_a_partial_has_bound_stays_hidden_and_fixed() -> None:
    def call(query: str, key: str, **more: str) -> tuple[str, str, dict[str, str]]:
        return query, key, more

    tool = Tool(partial(call, key="secret"))
    assert "key" not in tool.definition.parameters_json_schema["properties"]
    with pytest.raises(ValueError, match="Extra inputs"):
        tool.read(ToolCallPart("call", {"query": "q", "key": "mine"}))
    assert tool.read(ToolCallPart("call", {"query": "q", "keys": "x"})) == ((), {"query": "q", "keys": "x"})


class Order(BaseModel):
    """An order."""

    number: int = Field(description="Its number.")


@dataclass
class Line:
    amount: int


class Note(TypedDict):
    text: str


def take_order(order: Order) -> None: ...
def take_line(line: Line, /) -> None: ...
def take_note(*, note: Note) -> None: ...


OBJECTS: list[tuple[Callable[..., object], dict[str, Any], tuple[tuple[object, ...], dict[str, object]]]] = [
    (take_order, {"number": 1}, ((Order(number=1),), {})),
    (take_line, {"amount": 1}, ((Line(1),), {})),
    (take_note, {"text": "x"}, ((), {"note": {"text": "x"}})),
]


@pytest.mark.parametrize(("function", "args", "bound"), OBJECTS)
def test_a_single_object_is_the_schema_itself(
    function: Callable[..., object], args: dict[str, Any], bound: object
) -> None:
    tool = Tool(function)
    assert list(tool.definition.parameters_json_schema["properties"]) == list(args)
    assert tool.read(ToolCallPart("f", args)) == bound


def test_the_description_of_a_single_object_is_its_own_or_that_of_the_parameter() -> None:
    def described(line: Line) -> None:
        """Take.

        :param line: What to take.
        """

    assert Tool(take_order).definition.parameters_json_schema["description"] == "An order."
    assert Tool(described).definition.parameters_json_schema["description"] == "What to take."


def test_a_name_that_is_defined_later_is_found_later() -> None:
    def use(it: Later) -> None: ...

    tool = Tool(use)

    class Later(BaseModel):
        x: int

    assert tool.definition.parameters_json_schema["required"] == ["x"]
    assert tool.read(ToolCallPart("use", {"x": 1})) == ((Later(x=1),), {})


def nowhere(x: Nowhere, y: int) -> None: ...  # type: ignore[name-defined] # noqa: F821 # pyright: ignore[reportUndefinedVariable,reportUnknownParameterType]


def test_a_name_that_is_never_defined_is_an_error_at_first_use() -> None:
    tool = Tool(nowhere)  # pyright: ignore[reportUnknownArgumentType]
    with pytest.raises(UserError, match="'Nowhere' of parameter 'x' means nothing"):
        tool.read(ToolCallPart("nowhere", "{}"))


def test_every_reason_is_listed() -> None:
    def bad(x: Callable[[], int], y: int, z: pytest.Mark | list[Tool], late: RunContext[int]) -> None:
        """Be bad."""

    with pytest.raises(UserError) as caught:
        Tool(bad, require_parameter_descriptions=True, takes_ctx=True)
    lines = str(caught.value).splitlines()
    assert lines[0] == "the signature of tool 'bad' cannot be turned into a schema:"
    assert [line.split("'")[1] for line in lines[1:]] == ["x", "late", "y", "z", "z"]


def test_a_context_needs_a_first_parameter() -> None:
    def keyword(*, x: int) -> None: ...

    with pytest.raises(UserError, match="no first parameter"):
        Tool(lambda: 1, name="one", takes_ctx=True)
    with pytest.raises(UserError, match="no first parameter"):
        Tool(keyword, takes_ctx=True)


def test_a_function_without_signature_cannot_be_a_tool() -> None:
    with pytest.raises(UserError, match="Python knows no signature"):
        Tool(dict)


def test_required_descriptions_may_come_from_anywhere() -> None:
    def fine(  # noqa: D417 - the others describe themselves
        a: Annotated[int, Field(description="The a.")], b: int = Field(description="The b."), *c: int, **d: int
    ) -> None:
        """Be fine.

        Args:
            c: The c.
            d: The d.
        """

    schema = Tool(fine, require_parameter_descriptions=True).definition.parameters_json_schema
    assert [one["description"] for one in schema["properties"].values()] == ["The a.", "The b.", "The c."]
    assert schema["additionalProperties"] == {"type": "integer", "description": "The d."}


def test_missing_descriptions_are_an_error_if_required() -> None:
    def poor(a: int, *b: int, **c: int) -> None:
        """Be poor."""

    with pytest.raises(UserError) as caught:
        Tool(poor, require_parameter_descriptions=True)
    assert str(caught.value).count("has no description") == 3


@pytest.mark.parametrize(("doc", "loaded"), [("One line.", False), ("Two\\n\\nArgs:\\n    x: y\\n", True)])
def test_the_docstring_parser_is_loaded_by_those_who_need_it(doc: str, *, loaded: bool) -> None:
    script = f"""
import sys
from agentgraph.tools import Tool
def f(x: int): "{doc}"
Tool(f)
assert ('docstring_parser' in sys.modules) is {loaded}
"""
    subprocess.run([sys.executable, "-c", script], check=True)
