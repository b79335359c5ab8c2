"""Requests beside those of a mainstream client: equal, or different for a reason that stands here."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.models.openai_responses_request import ResponsesDialect, encode
from agentgraph.models.openai_settings import profile_of
from agentgraph.providers.services import SERVICES
from tests.models.conversations import Conversation, conversations, references

JSON = dict[str, Any]  # Any: JSON

RETRY = "city: Field required\n\nPlease fix the errors and try again."


def made_here(message: ModelMessage) -> ModelMessage:
    if isinstance(message, ModelResponse):
        message.provider_details = {"origin": "openai"}
    return message


def ours(conversation: Conversation, model_name: str) -> JSON:
    dialect = ResponsesDialect("openai", profile_of(SERVICES["openai"].chat, model_name))
    messages = [made_here(message) for message in conversation.messages]
    body = encode(model_name, messages, conversation.settings, conversation.parameters, dialect)
    return {**body, "stream": conversation.stream}


def adapted(name: str, reference: JSON) -> JSON:
    """The reference request as we want it."""
    body = deepcopy(reference)
    match name:
        case "system_and_instructions":
            # Instructions are system prompts here, and all of these stay in their order.
            body["input"].insert(1, {"role": "system", "content": body.pop("instructions")})
        case "pdf_bytes":
            # The name of the file is free; ours says what it is and where it came from no more than theirs.
            body["input"][0]["content"][1]["filename"] = "document.pdf"
        case "tool_without_args":
            # Schemas are sent as they are given; closing an object is for who makes them.
            del body["tools"][0]["parameters"]["additionalProperties"]
        case "strict_tool":
            # Tool definitions have no `strict`: without it a default stays, and no parameter becomes required.
            [tool] = conversations()[name].parameters.function_tools
            body["tools"][0] |= {"parameters": tool.parameters_json_schema, "strict": False}
        case "output_tool_no_text":
            # As above: `strict` is not switched on where a schema happens to fit.
            body["tools"][0]["strict"] = False
        case "retry_of_call":
            # The protocol has no mark for a failed call; the wording for the model is ours.
            body["input"][2]["output"] = RETRY
        case "two_tool_rounds":
            # null is what the tool gave, and not the same as an empty text.
            body["input"][5]["output"] = "null"
        case _:
            pass
    return body


def test_requests_are_those_of_the_reference_client() -> None:
    known = references("openai_responses")
    for name, conversation in conversations().items():
        if name != "audio_bytes":
            row = known[name]
            assert ours(conversation, row["model"]) == adapted(name, row["request"]["json"]), name


def test_audio_is_refused_as_by_the_reference_client() -> None:
    assert set(conversations()) - set(references("openai_responses")) == {"audio_bytes"}
    with pytest.raises(UserError, match="take images and documents"):
        ours(conversations()["audio_bytes"], "gpt-4o")
