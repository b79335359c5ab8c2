"""Requests beside those of a mainstream client: equal, or different for a reason that stands here."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from agentgraph.models.openai_request import encode, streamed
from agentgraph.models.openai_settings import profile_of
from agentgraph.providers.services import SERVICES
from tests.models.conversations import Conversation, conversations, references

JSON = dict[str, Any]  # Any: JSON

RETRY = "city: Field required\n\nPlease fix the errors and try again."


def ours(conversation: Conversation, model_name: str) -> JSON:
    profile = profile_of(SERVICES["openai"].chat, model_name)
    body = encode(model_name, conversation.messages, conversation.settings, conversation.parameters, profile)
    return streamed(body, profile) if conversation.stream else body


def adapted(name: str, reference: JSON) -> JSON:
    """The reference request as we want it."""
    body = deepcopy(reference)
    match name:
        case "pdf_bytes":
            # The name of the file is free; ours says what it is and where it came from no more than theirs.
            body["messages"][0]["content"][1]["file"]["filename"] = "document.pdf"
        case "tool_without_args":
            # Schemas are sent as they are given; closing an object is for who makes them.
            del body["tools"][0]["function"]["parameters"]["additionalProperties"]
        case "strict_tool":
            # Tool definitions have no `strict`: without it a default stays, and no parameter becomes required.
            body["tools"][0]["function"] = conversation_tool(name)
        case "output_tool_no_text":
            # As above: `strict` is not switched on where a schema happens to fit.
            del body["tools"][0]["function"]["strict"]
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


def conversation_tool(name: str) -> JSON:
    tool = conversations()[name].parameters.function_tools[0]
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters_json_schema}


def test_requests_are_those_of_the_reference_client() -> None:
    known = references("openai_chat")
    for name, conversation in conversations().items():
        row = known[name]
        assert ours(conversation, row["model"]) == adapted(name, row["request"]["json"]), name


def test_every_reference_is_covered() -> None:
    assert set(references("openai_chat")) - set(conversations()) == set()
