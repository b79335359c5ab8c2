"""The service's own mode for JSON, in every protocol that has one."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from agentgraph import NativeResult, PromptedResult, UserError
from agentgraph.model import ModelRequestParameters
from agentgraph.models import (
    anthropic_request,
    bedrock_request,
    cohere_request,
    gemini_request,
    openai_request,
    openai_responses_request,
)
from agentgraph.models.openai_responses_request import ResponsesDialect
from agentgraph.models.result_schema import bounded_schema, closed_schema, named_schema
from agentgraph.providers.services import SERVICES
from agentgraph.result import ResultSchema
from agentgraph.settings import ModelSettings
from tests.models.conversation import HELLO, tools

JSON = dict[str, Any]  # Any: JSON
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


class City(BaseModel):
    """A place to live."""

    name: str


class Loose(BaseModel):
    """With what strict schemas refuse."""

    people: Annotated[int, Field(ge=1, description="How many")] = 1
    tags: dict[str, Literal["a"]]


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Pets(BaseModel):
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]]


def asked(result_type: Any, *names: str) -> ModelRequestParameters:
    return ModelRequestParameters(tools(*names).function_tools, result_format=ResultSchema.build(result_type).format)


CITY = asked(NativeResult(City))
SCHEMA = {
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "title": "City",
    "type": "object",
    "additionalProperties": False,
}


def chat(service: str, parameters: ModelRequestParameters = CITY) -> JSON:
    return openai_request.encode("m", HELLO, None, parameters, SERVICES[service].chat)


def responses(settings: ModelSettings) -> JSON:
    dialect = ResponsesDialect("openai", SERVICES["openai"].chat)
    return openai_responses_request.encode("m", HELLO, settings, CITY, dialect)


@pytest.mark.parametrize("service", ["openai", "groq", "mistral", "openrouter"])
def test_chat_completions_name_the_schema(service: str) -> None:
    named = {"name": "City", "description": "A place to live.", "schema": SCHEMA, "strict": True}
    assert chat(service)["response_format"] == {"type": "json_schema", "json_schema": named}
    assert "response_format" not in chat(service, ModelRequestParameters())


def test_responses_keep_what_else_is_said_about_the_text() -> None:
    settings: Any = {"openai_verbosity": "low"}  # Any: a setting of this service
    text = responses(settings)["text"]
    assert (text["verbosity"], text["format"]["type"], text["format"]["schema"]) == ("low", "json_schema", SCHEMA)
    assert responses({})["text"].keys() == {"format"}


def test_anthropic_keeps_the_effort_beside_the_schema() -> None:
    body = anthropic_request.encode("claude-opus-4-7", HELLO, {"thinking": "low"}, CITY)
    assert body["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}


def test_bedrock_takes_the_schema_as_text() -> None:
    body = bedrock_request.encode(CLAUDE, HELLO, None, CITY)
    wanted = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (wanted["name"], wanted["description"], json.loads(wanted["schema"])) == ("City", "A place to live.", SCHEMA)
    assert "description" not in str(
        bedrock_request.encode(CLAUDE, HELLO, None, asked(NativeResult(Cat)))["outputConfig"]
    )


def test_gemini_keeps_its_other_settings() -> None:
    body = gemini_request.encode("gemini-2.5-pro", HELLO, {"seed": 1}, CITY, "google-gla")
    config = body["generationConfig"]
    assert (config["seed"], config["responseMimeType"]) == (1, "application/json")
    assert config["responseJsonSchema"]["description"] == "A place to live."
    newer = gemini_request.encode("gemini-3-pro", HELLO, None, asked(NativeResult(Cat), "f"), "google-gla")
    assert newer.keys() >= {"tools", "generationConfig"}


def test_cohere_takes_the_schema_with_a_json_object() -> None:
    body = cohere_request.encode("command-a", HELLO, None, CITY, "cohere")
    assert body["response_format"]["type"] == "json_object"
    assert body["response_format"]["json_schema"]["properties"] == SCHEMA["properties"]


def test_a_prompted_result_is_no_matter_of_the_service() -> None:
    assert "response_format" not in chat("openai", asked(PromptedResult(City)))


@pytest.mark.parametrize(
    ("encode", "why"),
    [
        (lambda: chat("deepseek"), "has no mode for JSON"),
        (lambda: chat("zai"), "has no mode for JSON"),
        (lambda: bedrock_request.encode("us.amazon.nova-lite-v1:0", HELLO, None, CITY), "has no mode for JSON"),
        (lambda: anthropic_request.encode("claude-3-5-haiku-latest", HELLO, None, CITY), "has no mode for JSON"),
        (lambda: anthropic_request.encode("claude-sonnet-4-0", HELLO, None, CITY), "has no mode for JSON"),
        (lambda: cohere_request.encode("c", HELLO, None, asked(NativeResult(City), "f"), "cohere"), "has tools"),
        (
            lambda: gemini_request.encode("gemini-2.5-pro", HELLO, None, asked(NativeResult(City), "f"), "x"),
            "has tools",
        ),
    ],
)
def test_a_service_without_the_mode_is_not_asked(encode: Any, why: str) -> None:
    with pytest.raises(UserError, match=f"{why}.*: ask for the result by its plain type, .* or as PromptedResult"):
        encode()


def test_what_is_not_fit_for_strictness_is_sent_as_it_is() -> None:
    for kind in (Loose, dict[str, Any], list[Any]):
        wanted = asked(NativeResult(kind)).result_format
        assert wanted is not None
        named = named_schema(wanted)
        assert (named["strict"], named["schema"]) == (False, wanted.json_schema)


def test_a_reference_with_words_beside_it_is_not_strict() -> None:
    class Holder(BaseModel):
        city: Annotated[City, Field(description="Which?")]

    class Plain(BaseModel):
        city: City
        date: Annotated[str, Field(json_schema_extra={"format": "date"})]

    class Coded(BaseModel):
        code: Annotated[str, Field(pattern="^[a-z]$")]

    for kind, strict in ((Holder, False), (Plain, True), (Coded, False)):
        wanted = asked(NativeResult(kind)).result_format
        assert wanted is not None
        assert named_schema(wanted)["strict"] is strict


def test_unions_told_apart_by_a_key_become_plain_ones() -> None:
    wanted = asked(NativeResult(Pets)).result_format
    assert wanted is not None
    assert closed_schema(wanted.json_schema)["properties"]["pets"]["items"] == {
        "anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]
    }
    assert named_schema(wanted)["strict"] is True


def test_bounds_become_remarks_for_claude() -> None:
    wanted = asked(NativeResult(Loose)).result_format
    assert wanted is not None
    people = bounded_schema(wanted.json_schema)["properties"]["people"]
    assert people == {"default": 1, "description": "How many (minimum: 1)", "type": "integer"}
