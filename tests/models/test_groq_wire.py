"""Requests beside those of a mainstream client: equal, or different for a reason that stands here."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from agentgraph.exceptions import UserError
from agentgraph.models.openai_request import encode, streamed
from agentgraph.models.openai_settings import profile_of
from agentgraph.providers.services import SERVICES
from tests.models.conversations import Conversation, conversations, references

JSON = dict[str, Any]  # Any: JSON

RETRY = "city: Field required\n\nPlease fix the errors and try again."
REFUSED = {"pdf_bytes", "audio_bytes"}


def ours(conversation: Conversation, model_name: str) -> JSON:
    profile = profile_of(SERVICES["groq"].chat, model_name)
    body = encode(model_name, conversation.messages, conversation.settings, conversation.parameters, profile)
    return streamed(body, profile) if conversation.stream else body


def adapted(name: str, reference: JSON) -> JSON:
    """The reference request as we want it."""
    body = deepcopy(reference)
    # One reply is what there is without asking for a number of them.
    del body["n"]
    if "max_tokens" in body:
        # The service calls this name deprecated: https://console.groq.com/docs/api-reference#chat-create
        body["max_completion_tokens"] = body.pop("max_tokens")
    for message in body["messages"]:
        if message["role"] == "assistant":
            message.setdefault("content", None)
    match name:
        case "streamed":
            # Without it, not every model of the service reports its usage in a stream.
            body["stream_options"] = {"include_usage": True}
        case "retry_of_call":
            # The protocol has no mark for a failed call; the wording for the model is ours.
            body["messages"][2]["content"] = RETRY
        case "two_tool_rounds":
            # null is what the tool gave, and not the same as an empty text.
            body["messages"][4]["content"] = "null"
        case "thinking_replay":
            # The protocol takes no thinking back; as text it would teach the model to write such tags itself.
            body["messages"][1]["content"] = "No."
        case _:
            pass
    return body


def test_requests_are_those_of_the_reference_client() -> None:
    known = references("groq")
    for name, conversation in conversations().items():
        if name not in REFUSED:
            row = known[name]
            assert ours(conversation, row["model"]) == adapted(name, row["request"]["json"]), name


def test_what_the_reference_refuses_is_refused() -> None:
    known = conversations()
    assert set(known) - set(references("groq")) == REFUSED
    for name in REFUSED:
        with pytest.raises(UserError, match="takes images and text"):
            ours(known[name], "llama-3.3-70b-versatile")
