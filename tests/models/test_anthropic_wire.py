"""Requests beside those of a mainstream client: equal, or different for a reason that stands here."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.models.anthropic_request import encode, streamed
from tests.models.conversations import Conversation, conversations, references

JSON = dict[str, Any]  # Any: JSON

RETRY = "city: Field required\n\nPlease fix the errors and try again."


def own(message: ModelMessage, model_name: str) -> ModelMessage:
    """Replies were made by the service asked, unless the conversation says otherwise."""
    if not isinstance(message, ModelResponse):
        return message
    return replace(message, model_name=model_name, provider_details={"origin": "anthropic"})


def ours(conversation: Conversation, model_name: str) -> JSON:
    messages = [own(message, model_name) for message in conversation.messages]
    body = encode(model_name, messages, conversation.settings, conversation.parameters)
    return streamed(body) if conversation.stream else body


def adapted(name: str, reference: JSON) -> JSON:
    """The reference request as we want it."""
    body = deepcopy(reference)
    match name:
        case "text":
            # Without `max_tokens` there has to be some bound; a plain request is not streamed behind the scenes.
            body |= {"max_tokens": 32_000, "stream": False}
        case "system_and_instructions":
            # No prose of that client's own about system messages that come late; ours all stand before the messages.
            body["system"][0]["text"] = "You are a guide."
        case "tool_call_and_result":
            body["system"] = "Use tools."  # as above
        case "strict_tool":
            # Tool definitions have no `strict`, and the schema is sent as it was given.
            tool = conversations()[name].parameters.function_tools[0]
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters_json_schema}
            ]
        case "retry_of_call":
            # The wording for the model is ours.
            body["messages"][2]["content"][0]["content"][0]["text"] = RETRY
        case "two_tool_rounds":
            # The service refuses texts that are empty (`text content blocks must be non-empty`), but a result may have
            # no content.
            del body["messages"][2]["content"][0]["content"]
        case "thinking_asked":
            # An effort stands for the same number of tokens with every service.
            body["thinking"]["budget_tokens"] = 8192
        case _:
            pass
    return body


def test_requests_are_those_of_the_reference_client() -> None:
    known = references("anthropic")
    for name in conversations().keys() & known.keys():
        row = known[name]
        assert ours(conversations()[name], row["model"]) == adapted(name, row["request"]["json"]), name


def test_every_reference_is_covered() -> None:
    assert references("anthropic").keys() - conversations().keys() == set()


def test_what_the_reference_client_refuses_we_refuse() -> None:
    assert conversations().keys() - references("anthropic").keys() == {"audio_bytes"}
    with pytest.raises(UserError, match="no 'audio/wav'"):
        ours(conversations()["audio_bytes"], "claude-sonnet-4-5")
