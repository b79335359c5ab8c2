"""Any history, also one that other services made, becomes a conversation that a service takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given, strategies as st

from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from agentgraph.model import ModelRequestParameters
from agentgraph.models import cohere_request, gemini_request
from tests.messages.strategies import json_objects, request_parts, response_parts, texts, times

JSON = dict[str, Any]  # Any: JSON
Turn = tuple[Literal["calls", "answers", "else"], list[str]]
"""Calls or answers by their ids."""
Encoder = Callable[[Sequence[ModelMessage]], list[Turn]]


def gemini(messages: Sequence[ModelMessage]) -> list[Turn]:
    body = gemini_request.encode("gemini-3-pro", messages, None, ModelRequestParameters(), "google-gla")
    assert body["contents"][0]["role"] == "user"
    turns: list[Turn] = []
    for content in through_json(body)["contents"]:
        assert content["parts"]
        calls = [part["functionCall"]["id"] for part in content["parts"] if "functionCall" in part]
        answers = [part["functionResponse"]["id"] for part in content["parts"] if "functionResponse" in part]
        assert not answers or len(answers) == len(content["parts"])
        turns.append(("calls", calls) if calls else ("answers", answers) if answers else ("else", []))
    return turns


def cohere(messages: Sequence[ModelMessage]) -> list[Turn]:
    body = cohere_request.encode("command-a", messages, None, ModelRequestParameters(), "cohere")
    turns: list[Turn] = []
    for message in through_json(body)["messages"]:
        if message["role"] != "tool":
            calls = [call["id"] for call in message.get("tool_calls", [])]
            turns.append(("calls", calls) if calls else ("else", []))
        elif turns[-1][0] == "answers":
            turns[-1][1].append(message["tool_call_id"])
        else:
            turns.append(("answers", [message["tool_call_id"]]))
    return turns


def through_json(body: JSON) -> JSON:
    read: JSON = json.loads(json.dumps(body))
    return read


spoken = st.builds(UserPromptPart, texts, times)
requests = st.builds(
    ModelRequest, st.lists(request_parts.filter(lambda part: part.part_kind != "user-prompt") | spoken)
)
responses = st.builds(
    ModelResponse,
    st.lists(response_parts, max_size=4),
    timestamp=times,
    provider_details=st.none() | json_objects | st.sampled_from([{"origin": "google-gla"}, {"origin": "cohere"}]),
    state=st.sampled_from(["complete", "interrupted"]),
)


@pytest.mark.parametrize("encode", [gemini, cohere])
@given(history=st.lists(requests | responses, max_size=5))
def test_calls_are_followed_by_their_answers(encode: Encoder, history: list[ModelMessage]) -> None:
    turns = encode(history)
    for i, (kind, ids) in enumerate(turns):
        assert len(set(ids)) == len(ids)
        if kind == "calls":
            assert turns[i + 1][0] == "answers"
            assert sorted(turns[i + 1][1]) == sorted(ids)
        if kind == "answers":
            assert turns[i - 1][0] == "calls"
