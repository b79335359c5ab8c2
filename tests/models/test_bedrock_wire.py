"""Requests beside those of a mainstream client: equal, or different for a reason that stands here."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.models.bedrock_request import encode
from tests.models.conversations import Conversation, conversations, references

JSON = dict[str, Any]  # Any: JSON

RETRY = "city: Field required\n\nPlease fix the errors and try again."


def own(message: ModelMessage, model_name: str) -> ModelMessage:
    """Replies were made by the model asked."""
    if not isinstance(message, ModelResponse):
        return message
    return replace(message, model_name=model_name, provider_details={"origin": "bedrock"})


def ours(conversation: Conversation, model_name: str) -> JSON:
    messages = [own(message, model_name) for message in conversation.messages]
    return encode(model_name, messages, conversation.settings, conversation.parameters)


def without_habits(reference: JSON) -> JSON:
    # Fields that may be left out and hold nothing are left out.
    body = {field: value for field, value in deepcopy(reference).items() if value not in ([], {})}
    # That the model may choose is so without saying, and some models refuse the field.
    if body.get("toolConfig", {}).get("toolChoice") == {"auto": {}}:
        del body["toolConfig"]["toolChoice"]
    # No prose of that client's own about system messages that come late.
    if "system" in body:
        body["system"] = [prompt for prompt in body["system"] if "<system>" not in prompt["text"]]
    return body


def adapted(name: str, reference: JSON) -> JSON:
    """The reference request as we want it."""
    body = without_habits(reference)
    match name:
        case "text":
            # The service itself bounds a reply by what its model can; nothing is streamed behind the scenes.
            body.pop("inferenceConfig", None)
        case "strict_tool":
            # Tool definitions have no `strict`.
            body["toolConfig"]["tools"][0]["toolSpec"].pop("strict", None)
        case "retry_of_call":
            # The wording for the model is ours.
            body["messages"][2]["content"][0]["toolResult"]["content"][0]["text"] = RETRY
        case "two_tool_rounds":
            # The service refuses texts that are blank, but a result may have no content.
            body["messages"][2]["content"][0]["toolResult"]["content"] = []
        case "thinking_asked" if "additionalModelRequestFields" in body:
            # An effort stands for the same number of tokens with every service.
            body["additionalModelRequestFields"]["thinking"]["budget_tokens"] = 8192
        case _:
            pass
    return body


@pytest.mark.parametrize("provider", ["bedrock", "bedrock_nova"])
def test_requests_are_those_of_the_reference_client(provider: str) -> None:
    known = references(provider)
    # A URL is not the service's to fetch: see test_wire_heads.py. Whose thought it is makes a difference: see below.
    for name in (conversations().keys() & known.keys()) - {"image_url", "thinking_replay"}:
        row = known[name]
        assert ours(conversations()[name], row["model"]) == adapted(name, row["request"]["json"]), name


def test_thoughts_go_back_to_the_model_that_sealed_them() -> None:
    row = references("bedrock")["thinking_replay"]
    body = ours(conversations()["thinking_replay"], row["model"])
    assert body == adapted("thinking_replay", row["request"]["json"])


def test_thoughts_of_another_model_are_left_out() -> None:
    row = references("bedrock_nova")["thinking_replay"]
    conversation = conversations()["thinking_replay"]
    messages = [own(message, "us.anthropic.claude-sonnet-4-6") for message in conversation.messages]
    reference = adapted("thinking_replay", row["request"]["json"])
    # The seal means nothing to this model; as text the thought would teach it to write such tags itself.
    assert reference["messages"][1]["content"].pop(0)["text"].startswith("<think>")
    assert encode(row["model"], messages, conversation.settings, conversation.parameters) == reference


def test_every_reference_is_covered() -> None:
    assert references("bedrock").keys() - conversations().keys() == set()
    assert references("bedrock_nova").keys() - conversations().keys() == set()


def test_what_the_service_cannot_fetch_is_refused() -> None:
    with pytest.raises(UserError, match="S3 alone"):
        ours(conversations()["image_url"], "us.amazon.nova-lite-v1:0")


def test_audio_is_sent_where_the_reference_client_refuses() -> None:
    assert conversations().keys() - references("bedrock").keys() == {"audio_bytes"}
    # The API has had a block for it since: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_AudioBlock.html
    body = ours(conversations()["audio_bytes"], "mistral.voxtral-small-24b-2507")
    audio = body["messages"][0]["content"][1]["audio"]
    assert audio == {"format": "wav", "source": {"bytes": "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAA=="}}
