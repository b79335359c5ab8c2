"""Any history, also one that other services made, becomes a conversation that a service takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import Any, Literal

import pytest
from hypothesis import given, strategies as st

from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from agentgraph.model import ModelRequestParameters
from agentgraph.models import cohere_request, gemini_request, openai_request, openai_responses_request
from agentgraph.models.openai_responses_request import ResponsesDialect
from agentgraph.providers.services import SERVICES
from tests.messages.strategies import json_objects, request_parts, response_parts, texts, times

JSON = dict[str, Any]  # Any: JSON
Kind = Literal["calls", "answers", "else"]
Turn = tuple[Kind, list[str]]
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
    return turns_of(body)


def chat(messages: Sequence[ModelMessage]) -> list[Turn]:
    return turns_of(openai_request.encode("m", messages, None, ModelRequestParameters(), SERVICES["openrouter"].chat))


def mistral(messages: Sequence[ModelMessage]) -> list[Turn]:
    body = openai_request.encode("m", messages, None, ModelRequestParameters(), SERVICES["mistral"].chat)
    roles = [message["role"] for message in body["messages"]]
    assert ("tool", "user") not in pairwise(roles)
    turns = turns_of(body)
    assert all(len(call_id) == 9 for _, ids in turns for call_id in ids)
    return turns


def responses_api(messages: Sequence[ModelMessage]) -> list[Turn]:
    dialect = ResponsesDialect("openai", SERVICES["openai"].chat)
    body = openai_responses_request.encode("m", messages, None, ModelRequestParameters(), dialect)
    kinds: dict[object, Kind] = {"function_call": "calls", "function_call_output": "answers"}

    def kind_of(item: JSON) -> Kind:
        return kinds.get(item.get("type"), "else")

    def is_said(item: JSON) -> bool:
        return item.get("role") == "assistant" or item.get("type") == "reasoning"

    turns: list[Turn] = []
    # What the model says and thinks beside its calls may stand between these and the answers.
    input_items = [item for item in through_json(body)["input"] if not is_said(item)]
    for kind, items in groupby(input_items, key=kind_of):
        turns.append((kind, [item["call_id"] for item in items if kind != "else"]))
    return turns


def turns_of(body: JSON) -> list[Turn]:
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
    provider_details=st.none()
    | json_objects
    | st.sampled_from([{"origin": name} for name in ("google-gla", "cohere", "openai")]),
    state=st.sampled_from(["complete", "interrupted"]),
)


@pytest.mark.parametrize("encode", [gemini, cohere, chat, mistral, responses_api])
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
