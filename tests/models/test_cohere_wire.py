"""Requests beside those of a mainstream client: equal, or different for a reason that stands here."""

from __future__ import annotations

from typing import Any

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.models.cohere_request import encode
from tests.models.conversations import Conversation, conversations, references

JSON = dict[str, Any]  # Any: JSON

RETRY = "city: Field required\n\nPlease fix the errors and try again."
SCHEMA = "output_json_schema"
IMAGES = {"image_url", "two_images_between_text"}
"""The reference client knows no images here; the service has models that do."""
REFUSED = {"pdf_bytes", "audio_bytes"}


def made_here(message: ModelMessage) -> ModelMessage:
    if isinstance(message, ModelResponse):
        message.provider_details = {"origin": "cohere"}
    return message


def ours(conversation: Conversation, model_name: str) -> JSON:
    messages = [made_here(message) for message in conversation.messages]
    body = encode(model_name, messages, conversation.settings, conversation.parameters, "cohere")
    return {**body, "stream": conversation.stream}


def adapted(name: str, reference: JSON) -> JSON:
    """The reference request as we want it."""
    body = dict(reference)
    match name:
        case "retry_of_call":
            # The protocol has no mark for a failed call; the wording for the model is ours.
            body["messages"][2]["content"] = RETRY
        case "two_tool_rounds":
            # null is what the tool gave, and not the same as an empty text.
            body["messages"][4]["content"] = "null"
        case _:
            pass
    return body


def test_requests_are_those_of_the_reference_client() -> None:
    known = references("cohere")
    for name, conversation in conversations().items():
        if name not in IMAGES | REFUSED | {SCHEMA}:
            row = known[name]
            assert ours(conversation, row["model"]) == adapted(name, row["request"]["json"]), name


def test_what_the_reference_refuses_is_refused_but_for_images() -> None:
    known = conversations()
    assert set(known) - set(references("cohere")) == IMAGES | REFUSED | {SCHEMA}
    for name in REFUSED:
        with pytest.raises(UserError, match="Cohere takes images and text"):
            ours(known[name], "command-a-03-2025")
    # https://docs.cohere.com/v2/docs/structured-outputs
    assert ours(known[SCHEMA], "command-a-03-2025")["response_format"]["type"] == "json_object"
    [message] = ours(known["image_url"], "command-a-vision-07-2025")["messages"]
    assert message["content"][1] == {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
