from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, Field

from agentgraph.exceptions import UserError
from agentgraph.models.gemini_schema import KNOWN, gemini_schema

JSON = dict[str, Any]  # Any: JSON


class Point(BaseModel):
    x: int
    y: Annotated[int, Field(gt=0)] = 1


class Tree(BaseModel):
    label: Annotated[str, Field(pattern="^[a-z]+$", description="Its name")]
    kind: Literal["leaf"] = "leaf"
    at: Point = Field(description="Where it stands")
    children: list[Tree] = []


def parts_of(schema: JSON) -> Iterator[JSON]:
    """A schema and all schemas in it."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    inner += [part for key in ("anyOf", "oneOf", "prefixItems") for part in schema.get(key, [])]
    inner += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    for part in inner:
        yield from parts_of(part)


def unknown_keys(schema: JSON) -> set[str]:
    return {key for part in parts_of(schema) for key in part} - KNOWN


def test_what_gemini_knows_stays() -> None:
    schema = {
        "type": "object",
        "properties": {"pattern": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}},
        "required": ["pattern"],
        "additionalProperties": False,
    }
    assert gemini_schema(schema) == schema


def test_what_it_does_not_know_becomes_a_remark() -> None:
    schema = gemini_schema({"type": "string", "pattern": "^a$", "minLength": 1, "description": "A word"})
    assert schema == {"type": "string", "description": "A word (pattern: ^a$, minLength: 1)"}
    assert gemini_schema({"type": "integer", "exclusiveMinimum": 0})["description"] == "(exclusiveMinimum: 0)"
    assert gemini_schema({"type": "string", "$schema": "x", "examples": ["y"]}) == {"type": "string"}


def test_a_constant_is_a_choice_of_one() -> None:
    assert gemini_schema({"const": "a", "type": "string"}) == {"type": "string", "enum": ["a"]}
    assert gemini_schema({"const": True}) == {"description": "(const: True)"}


def test_a_reference_stands_alone() -> None:
    point = {"type": "object", "properties": {"x": {"type": "integer"}}}
    schema = gemini_schema(
        {
            "properties": {"a": {"$ref": "#/$defs/P"}, "b": {"$ref": "#/$defs/P", "description": "B"}},
            "$defs": {"P": point},
        }
    )
    assert schema["properties"] == {"a": {"$ref": "#/$defs/P"}, "b": {**point, "description": "B"}}


def test_a_reference_to_what_it_is_in_stays_one() -> None:
    node = {"properties": {"next": {"$ref": "#/$defs/N", "description": "the next"}}}
    schema = gemini_schema({"$ref": "#/$defs/N", "title": "list", "$defs": {"N": node}})
    assert schema["title"] == "list"
    assert schema["properties"] == {"next": {"$ref": "#/$defs/N"}}


def test_all_of_is_put_together() -> None:
    schema = gemini_schema(
        {
            "allOf": [
                {"$ref": "#/$defs/P"},
                {"type": "object", "properties": {"y": {"type": "string"}}, "required": ["y", "x"]},
                True,
            ],
            "description": "Both",
            "$defs": {"P": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
        }
    )
    assert schema["properties"] == {"x": {"type": "integer"}, "y": {"type": "string"}}
    assert (schema["required"], schema["description"]) == (["x", "y"], "Both")
    assert gemini_schema({"allOf": [{"type": "string"}]}) == {"type": "string"}


def test_a_schema_that_points_nowhere_is_the_callers_mistake() -> None:
    with pytest.raises(UserError, match="'#/\\$defs/P'"):
        gemini_schema({"$ref": "#/$defs/P", "description": "x"})


def test_schemas_of_models_are_understood() -> None:
    schema = gemini_schema(Tree.model_json_schema())
    assert unknown_keys(schema) == set()
    tree = schema["$defs"]["Tree"]["properties"]
    assert tree["label"]["description"] == "Its name (pattern: ^[a-z]+$)"
    assert tree["kind"]["enum"] == ["leaf"]
    assert tree["at"]["properties"]["y"]["description"] == "(exclusiveMinimum: 0)"
    assert tree["children"]["items"] == {"$ref": "#/$defs/Tree"}


LEAVES: st.SearchStrategy[JSON] = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer"])},
    optional={"pattern": st.text(max_size=3), "const": st.integers(), "description": st.text(max_size=3)},
)


def deeper(part: st.SearchStrategy[JSON]) -> st.SearchStrategy[JSON]:
    parts = st.lists(part, min_size=1, max_size=3)
    named = st.dictionaries(st.text(max_size=3), part, max_size=3)
    entries: list[tuple[str, st.SearchStrategy[object]]] = [
        ("properties", named),
        ("additionalProperties", st.booleans() | part),
        ("items", part),
        ("anyOf", parts),
        ("prefixItems", parts),
        ("allOf", parts),
        ("not", part),
    ]
    return st.lists(st.sampled_from(entries), min_size=1, max_size=3).flatmap(
        lambda chosen: st.fixed_dictionaries(dict(chosen))
    )


@given(st.recursive(LEAVES, deeper, max_leaves=8))
def test_no_schema_holds_what_gemini_does_not_know(schema: JSON) -> None:
    adapted = gemini_schema(schema)
    assert unknown_keys(adapted) == set()
    assert gemini_schema(adapted) == adapted
