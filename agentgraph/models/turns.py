"""A conversation as two sides that take turns, for protocols that take nothing else, or as what was said one by one.

What answers a model's calls comes first of all that follows it. Where sides take turns, user and model alternate and
system prompts stand apart; else these stay in their places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, TypeVar, assert_never

from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ToolReturnPart,
    UserPromptPart,
)

from .transcript import answers_call, transcript
from .wire import JSON

__all__ = ["Said", "Side", "one_by_one", "system_prompts", "turns"]

Side: TypeAlias = Literal["user", "model"]
Said: TypeAlias = UserPromptPart | ToolReturnPart | RetryPromptPart
PartT = TypeVar("PartT", bound=ModelRequestPart)


def turns(
    messages: Sequence[ModelMessage],
    said: Callable[[Said], list[JSON]],
    replied: Callable[[ModelResponse], list[JSON]],
) -> list[tuple[Side, list[JSON]]]:
    """What each side says in turn.

    Args:
        messages: the conversation.
        said: the blocks of one part of a request, but for system prompts.
        replied: the blocks of a reply.

    Returns:
        The turns with their blocks; none is empty, and no two of one side follow one another.
    """
    sides: list[tuple[Side, list[JSON]]] = []
    waiting: list[Said] = []
    for message in transcript(messages):
        match message:
            case ModelRequest():
                waiting += (part for part in message.parts if not isinstance(part, SystemPromptPart))
            case ModelResponse():
                _add(sides, "user", _said(waiting, said))
                waiting = []
                _add(sides, "model", replied(message))
            case _:
                assert_never(message)
    _add(sides, "user", _said(waiting, said))
    return sides


def one_by_one(
    messages: Sequence[ModelMessage],
    said: Callable[[ModelRequestPart], JSON],
    replied: Callable[[ModelResponse], list[JSON]],
) -> list[JSON]:
    """All that was said, in order, with the answers to a reply's calls right after it.

    Args:
        messages: the conversation.
        said: a part of a request as the protocol has it.
        replied: a reply as the protocol has it.
    """
    wire: list[JSON] = []
    waiting: list[ModelRequestPart] = []
    for message in transcript(messages):
        match message:
            case ModelRequest():
                waiting += message.parts
            case ModelResponse():
                wire += map(said, _answers_first(waiting))
                waiting = []
                wire += replied(message)
            case _:
                assert_never(message)
    return [*wire, *map(said, _answers_first(waiting))]


def system_prompts(messages: Sequence[ModelMessage]) -> list[str]:
    """The system prompts of the whole conversation that are not blank, in order."""
    requests = (message for message in messages if isinstance(message, ModelRequest))
    prompts = (part for request in requests for part in request.parts if isinstance(part, SystemPromptPart))
    return [prompt.content for prompt in prompts if prompt.content.strip()]


def _said(parts: Sequence[Said], said: Callable[[Said], list[JSON]]) -> list[JSON]:
    return [block for part in _answers_first(parts) for block in said(part)]


def _answers_first(parts: Sequence[PartT]) -> list[PartT]:
    return sorted(parts, key=lambda part: not answers_call(part))  # keeps all other order


def _add(sides: list[tuple[Side, list[JSON]]], side: Side, blocks: list[JSON]) -> None:
    if blocks and sides and sides[-1][0] == side:
        sides[-1][1].extend(blocks)
    elif blocks:
        sides.append((side, blocks))
