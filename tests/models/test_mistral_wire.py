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
SAID_BY_DEFAULT = ("n", "top_p", "stop", "presence_penalty", "frequency_penalty")


def ours(conversation: Conversation, model_name: str) -> JSON:
    profile = profile_of(SERVICES["mistral"].chat, model_name)
    body = encode(model_name, conversation.messages, conversation.settings, conversation.parameters, profile)
    return streamed(body, profile) if conversation.stream else body


def adapted(name: str, reference: JSON) -> JSON:
    """The reference request as we want it, but for the ids of calls, which the reference makes at random."""
    body = deepcopy(reference)
    for field in SAID_BY_DEFAULT:
        # What the service assumes anyway.
        if body.get(field) in (None, 1):
            body.pop(field, None)
    for message in body["messages"]:
        if message["role"] == "assistant":
            adapt_reply(message)
    match name:
        case "choice_none":
            # The service knows `none`, and calls that were made before had better have their tools beside them.
            body["tools"] = references("mistral")["one_tool"]["request"]["json"]["tools"]
            body["tool_choice"] = "none"
        case "retry_of_call":
            # The protocol has no mark for a failed call; the wording for the model is ours.
            body["messages"][2]["content"] = RETRY
        case "two_tool_rounds":
            # null is what the tool gave, and not the same as an empty text.
            body["messages"][4]["content"] = "null"
        case _:
            pass
    return without_ids(body)


def adapt_reply(message: JSON) -> None:
    """A text alone needs no block, and defaults need not be said."""
    del message["prefix"]
    match message["content"]:
        case [{"type": "text", "text": text}]:
            message["content"] = text
        case []:
            message["content"] = None
        case _:
            pass
    for call in message["tool_calls"]:
        del call["index"]
    if not message["tool_calls"]:
        del message["tool_calls"]


def without_ids(body: JSON) -> JSON:
    """The body with its calls numbered, as each is answered by the message after it."""
    ids: list[str] = []
    for message in body["messages"]:
        for call in message.get("tool_calls", []):
            ids.append(call["id"])
            call["id"] = len(ids)
        if message["role"] == "tool":
            message["tool_call_id"] = ids.index(message["tool_call_id"]) + 1
    assert all(len(each) == 9 and each.isalnum() for each in ids)
    return body


def test_requests_are_those_of_the_reference_client() -> None:
    known = references("mistral")
    for name, conversation in conversations().items():
        if name not in {"audio_bytes", "output_json_schema"}:
            row = known[name]
            assert without_ids(ours(conversation, row["model"])) == adapted(name, row["request"]["json"]), name


def test_audio_and_schemas_are_sent_though_the_reference_client_knows_no_way() -> None:
    # https://docs.mistral.ai/capabilities/audio
    assert set(conversations()) - set(references("mistral")) == {"audio_bytes", "output_json_schema"}
    # https://docs.mistral.ai/capabilities/structured_output/custom
    body = ours(conversations()["output_json_schema"], "mistral-large-latest")
    assert body["response_format"]["json_schema"]["name"] == "city"
    [message] = ours(conversations()["audio_bytes"], "voxtral-small-latest")["messages"]
    assert message["content"][1] == {"type": "input_audio", "input_audio": "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAA=="}
