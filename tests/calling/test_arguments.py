from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from agentgraph.calling import SchemaError, call_json, describe, refusal, typed_dict
from agentgraph.exceptions import ModelRetry, UnexpectedModelBehavior
from agentgraph.messages import ModelMessagesTypeAdapter, ModelRequest, ToolCallPart


def test_arguments_are_read_as_json() -> None:
    assert call_json(ToolCallPart("f", '{"x": 1}')) == '{"x": 1}'
    assert call_json(ToolCallPart("f", {"x": 1})) == '{"x":1}'
    assert call_json(ToolCallPart("f", "")) == "{}"


def test_arguments_that_json_cannot_hold_are_the_models_fault() -> None:
    with pytest.raises(UnexpectedModelBehavior, match="of 'f' cannot be JSON"):
        call_json(ToolCallPart("f", {"x": object()}))


def failure() -> ValidationError:
    def refuse(value: object) -> object:
        raise ValueError(value)

    from typing import Annotated

    from pydantic import AfterValidator

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(dict[str, Annotated[int, AfterValidator(refuse)]]).validate_json('{"x": 1}')
    return caught.value


def test_a_refusal_carries_the_errors_and_the_call() -> None:
    prompt = refusal(failure(), ToolCallPart("f", "{}", "c1"))
    assert (prompt.tool_name, prompt.tool_call_id) == ("f", "c1")
    assert not isinstance(prompt.content, str)
    (error,) = prompt.content
    assert (error["loc"], error["input"]) == (("x",), 1)
    assert ModelMessagesTypeAdapter.dump_json([ModelRequest([prompt])])


def test_a_refusal_of_text_is_about_no_call() -> None:
    prompt = refusal(ModelRetry("shorter, please"), None)
    assert (prompt.content, prompt.tool_name, prompt.tool_call_id) == ("shorter, please", None, None)


def test_a_type_without_schema_is_an_error() -> None:
    with pytest.raises(SchemaError) as caught:
        describe(object())
    assert not caught.value.undefined


def test_a_name_that_is_not_defined_yet_is_told_apart() -> None:
    kind = typed_dict("Late", {"it": "Nowhere"})
    with pytest.raises(SchemaError) as caught:
        describe(kind)
    assert caught.value.undefined
