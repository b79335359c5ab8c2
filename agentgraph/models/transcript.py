"""A conversation as it may go over a wire: what every encoder applies before it writes its own format.

Services refuse a call without an answer and an answer without a call. So each reply is taken together with the requests
up to the next reply, its calls are paired with the answers there, and then:

- A call that nothing answers is left out; so is a reply with nothing left in it.
- A call without an id, or with one that was used before, gets one made from its place in the history: the same every
  time, in the call and in its answer.
- An answer to no call becomes something the user says.
- A reply that was interrupted is left out unless the user said something after it or answered one of its calls.
- Thoughts that then end a reply are left out: services refuse what ends in them, and what they led to is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from typing_extensions import TypeIs

from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    RetryPromptPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

__all__ = ["answers_call", "transcript"]

Answer = ToolReturnPart | RetryPromptPart


def transcript(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The conversation with its calls and answers paired; the messages given are not changed."""
    settled: list[ModelMessage] = []
    used: set[str] = set()
    begin = 0
    while begin < len(messages):
        end = begin + 1
        while end < len(messages) and isinstance(messages[end], ModelRequest):
            end += 1
        settled += _turn(messages[begin:end], begin, used)
        begin = end
    return settled


def answers_call(part: ModelRequestPart) -> TypeIs[Answer]:
    """Whether a part answers a tool call, with what the tool returned or with what was wrong about the call."""
    return isinstance(part, ToolReturnPart) or (isinstance(part, RetryPromptPart) and part.tool_name is not None)


def _turn(messages: Sequence[ModelMessage], position: int, used: set[str]) -> list[ModelMessage]:
    """Settle one reply and the requests after it, or the requests before the first reply; `used` gets its ids."""
    requests = [message for message in messages if isinstance(message, ModelRequest)]
    answers = [part for request in requests for part in request.parts if answers_call(part)]
    reply = messages[0]
    if not isinstance(reply, ModelResponse):
        return _answered(requests, [_said(answer) for answer in answers])
    calls = [part for part in reply.parts if isinstance(part, ToolCallPart)]
    pairs = _pair(calls, answers)
    ids = _ids(calls, position, used)
    used.update(ids)
    settled = [
        _said(answer) if call is None else replace(answer, tool_call_id=ids[call])
        for answer, call in zip(answers, pairs, strict=True)
    ]
    following = _answered(requests, settled)
    answered = {call for call in pairs if call is not None}
    parts = _parts(reply, {call: ids[call] for call in answered})
    while (
        (reply.state == "interrupted" or len(answered) < len(calls)) and parts and isinstance(parts[-1], ThinkingPart)
    ):
        del parts[-1]
    left_out = reply.state == "interrupted" and not answered and not any(map(_is_from_user, requests))
    return following if left_out or not parts else [replace(reply, parts=parts), *following]


def _parts(reply: ModelResponse, ids: Mapping[int, str]) -> list[ModelResponsePart]:
    """The reply's parts with those calls alone that have an id here, by their position among the calls."""
    parts: list[ModelResponsePart] = []
    position = 0
    for part in reply.parts:
        if not isinstance(part, ToolCallPart):
            parts.append(part)
            continue
        if position in ids:
            parts.append(replace(part, tool_call_id=ids[position]))
        position += 1
    return parts


def _answered(requests: Sequence[ModelRequest], answers: Sequence[ModelRequestPart]) -> list[ModelMessage]:
    """The requests with `answers` in the places of their own answers."""
    if not answers:
        return list(requests)
    source = iter(answers)
    return [
        replace(request, parts=[next(source) if answers_call(part) else part for part in request.parts])
        for request in requests
    ]


def _pair(calls: Sequence[ToolCallPart], answers: Sequence[Answer]) -> list[int | None]:
    """For each answer the call it belongs to: the one of its id; where either has no id, the first one of its tool."""
    free = dict(enumerate(calls))
    pairs: list[int | None] = []
    for answer in answers:
        same_id = (i for i, call in free.items() if answer.tool_call_id == call.tool_call_id is not None)
        same_tool = (
            i
            for i, call in free.items()
            if call.tool_name == answer.tool_name and (call.tool_call_id is None or answer.tool_call_id is None)
        )
        found = next(same_id, next(same_tool, None))
        pairs.append(found)
        if found is not None:
            del free[found]
    return pairs


def _ids(calls: Sequence[ToolCallPart], position: int, used: Collection[str]) -> list[str]:
    taken = {*used, *(call.tool_call_id for call in calls)}
    ids: list[str] = []
    for i, call in enumerate(calls):
        own, made = call.tool_call_id, f"call_{position}_{i}"
        while made in taken:
            made += "_"
        ids.append(own if own and own not in ids and own not in used else made)
    return ids


def _said(answer: Answer) -> UserPromptPart:
    match answer:
        case ToolReturnPart():
            content = f"The tool {answer.tool_name!r} returned: {answer.model_response_str()}"
        case RetryPromptPart():
            content = answer.model_response()
        case _:
            assert_never(answer)
    return UserPromptPart(content, answer.timestamp)


def _is_from_user(request: ModelRequest) -> bool:
    return any(isinstance(part, UserPromptPart) for part in request.parts)
