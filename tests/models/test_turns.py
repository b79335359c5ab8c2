from __future__ import annotations

from typing import assert_never

from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from agentgraph.models.turns import Said, system_prompts, turns
from agentgraph.models.wire import JSON


def said(part: Said) -> list[JSON]:
    match part:
        case ToolReturnPart() | RetryPromptPart():
            return [{"answer": part.tool_call_id}]
        case UserPromptPart():
            return [{"text": part.content}] if part.content else []
        case _:
            assert_never(part)


def replied(reply: ModelResponse) -> list[JSON]:
    texts: list[JSON] = [{"text": part.content} for part in reply.parts if isinstance(part, TextPart) and part.content]
    return texts + [{"call": part.tool_call_id} for part in reply.parts if isinstance(part, ToolCallPart)]


def blocks(*messages: ModelMessage) -> list[tuple[str, list[JSON]]]:
    return list(turns(messages, said, replied))


def user(text: str) -> ModelRequest:
    return ModelRequest([UserPromptPart(text)])


def test_sides_alternate() -> None:
    assert blocks(user("a"), user("b"), ModelResponse([TextPart("c")]), ModelResponse([TextPart("d")])) == [
        ("user", [{"text": "a"}, {"text": "b"}]),
        ("model", [{"text": "c"}, {"text": "d"}]),
    ]


def test_answers_come_first() -> None:
    call = ModelResponse([ToolCallPart("f", "{}", "x")])
    answer = ModelRequest([UserPromptPart("and?"), ToolReturnPart("f", 1, "x")])
    assert blocks(call, answer)[1] == ("user", [{"answer": "x"}, {"text": "and?"}])


def test_what_says_nothing_is_no_turn() -> None:
    assert blocks(user("a"), ModelResponse([TextPart("")]), user("b")) == [("user", [{"text": "a"}, {"text": "b"}])]
    assert blocks(user(""), ModelResponse([TextPart("a")])) == [("model", [{"text": "a"}])]
    assert blocks() == []


def test_system_prompts_stand_apart() -> None:
    first = ModelRequest([SystemPromptPart("Be kind."), SystemPromptPart(" "), UserPromptPart("a")])
    messages: list[ModelMessage] = [first, ModelResponse([]), ModelRequest([SystemPromptPart("Be brief.")])]
    assert blocks(*messages) == [("user", [{"text": "a"}])]
    assert system_prompts(messages) == ["Be kind.", "Be brief."]
