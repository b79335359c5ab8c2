"""The result that is read while a reply comes is, at every moment, the one that the reply so far holds."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, strategies as st
from pydantic import BaseModel

from agentgraph.agent.reading import Reading, read_partial
from agentgraph.messages import ModelResponse, ReplyBuilder, TextPart, ThinkingPart, ToolCallPart
from agentgraph.result import PromptedResult, ResultSchema


class Cat(BaseModel):
    name: str = ""
    legs: list[int] = []


class Dog(BaseModel):
    name: str = ""


EITHER: Any = Cat | Dog | str  # Any: to checkers a union is no class
SCHEMAS: list[ResultSchema[Any]] = [  # Any: of results of all kinds
    ResultSchema.build(Cat),
    ResultSchema.build(str),
    ResultSchema.build(EITHER),
    ResultSchema.build(PromptedResult(Cat)),
]
NAMES = ["final_result", "final_result_Dog", "look", "final_", None]
PIECES = ['{"name": "Ti', 'ger", ', '"legs": [1, ', "2, " * 300, "x", ""]

texts = st.tuples(st.just("text"), st.sampled_from(PIECES))
thoughts = st.tuples(st.just("thinking"), st.sampled_from(PIECES))
args = st.sampled_from(PIECES) | st.none()
calls = st.tuples(st.just("tool_call"), st.integers(0, 1), st.sampled_from(NAMES), args)
parts = st.sampled_from([TextPart("A "), ThinkingPart("?"), ToolCallPart("final_result", {"name": "Tom"})])
wholes = st.tuples(st.just("part"), st.integers(2, 3), parts)


def take(builder: ReplyBuilder, step: tuple[Any, ...]) -> Any:
    kind, *rest = step
    if kind == "tool_call":
        return builder.tool_call(rest[0], name=rest[1], args=rest[2])
    return getattr(builder, kind)(*rest)


steps = st.lists(st.one_of(texts, texts, thoughts, calls, calls, wholes), max_size=9)


@given(st.sampled_from(SCHEMAS), steps, st.integers(0, 9))
@example(SCHEMAS[0], [("tool_call", 0, "final_", ""), ("tool_call", 0, "result", "{}")], 0)
@example(SCHEMAS[0], [("part", 2, ToolCallPart("final_result", {"name": "Tom"})), ("text", "Hello")], 0)
@example(SCHEMAS[1], [("text", "Hello"), ("thinking", "?"), ("text", "Bye"), ("text", "!")], 1)
@example(SCHEMAS[3], [("text", '{"name": "Ti'), ("text", 'ger"'), ("thinking", "?"), ("text", "}")], 0)
def test_whatever_a_reply_is_made_of(schema: ResultSchema[Any], steps: list[tuple[Any, ...]], begun: int) -> None:
    builder = ReplyBuilder()
    for step in steps[:begun]:
        take(builder, step)

    def reply() -> ModelResponse:
        return ModelResponse(builder.parts)

    reading = Reading(schema, reply())
    for step in steps[begun:]:
        for event in take(builder, step):
            reading.hear(event)
        assert reading.read(reply) == read_partial(schema, reply())
