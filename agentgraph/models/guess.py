"""A guess of the tokens that a model without a tokenizer would have used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import assert_never

from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from agentgraph.usage import Usage

__all__ = ["guess_usage"]

REQUEST_TOKENS = 50
"""What a request costs beside its words."""
BETWEEN_WORDS = re.compile(r'[\s",.:]+')


def guess_usage(messages: Iterable[ModelMessage], reply: Sequence[ModelResponsePart] = ()) -> Usage:
    """The usage of asking `messages` and getting `reply`.

    The words of all requests are request tokens, those of all replies response tokens: earlier replies too.
    """
    asked, answered = REQUEST_TOKENS, _of_reply(reply)
    for message in messages:
        if isinstance(message, ModelRequest):
            asked += sum(map(_of_request_part, message.parts))
        else:
            answered += _of_reply(message.parts)
    return Usage(request_tokens=asked, response_tokens=answered, total_tokens=asked + answered)


def _of_request_part(part: ModelRequestPart) -> int:
    match part:
        case SystemPromptPart():
            return _words(part.content)
        case UserPromptPart():
            return _of_content(part.content)
        case ToolReturnPart():
            return _words(part.model_response_str())
        case RetryPromptPart():
            return _words(part.model_response())
        case _:
            assert_never(part)


def _of_content(content: str | Sequence[UserContent]) -> int:
    pieces = [content] if isinstance(content, str) else content
    # Media have no words.
    return sum(_words(piece) for piece in pieces if isinstance(piece, str))


def _of_reply(parts: Sequence[ModelResponsePart]) -> int:
    tokens = 0
    for part in parts:
        match part:
            case TextPart() | ThinkingPart():
                tokens += _words(part.content)
            case ToolCallPart():
                tokens += 1 + _words(part.args_as_json_str())
            case NativeToolCallPart() | NativeToolReturnPart():
                pass  # not what a model of ours says
            case _:
                assert_never(part)
    return tokens


def _words(text: str) -> int:
    # A separator at either end counts an empty word, as splitting does.
    return len(BETWEEN_WORDS.split(text.strip())) if text else 0
