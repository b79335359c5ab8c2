"""Requests beside those of a mainstream client: equal, or different for a reason that stands here."""

from __future__ import annotations

from typing import Any, cast

from pydantic.alias_generators import to_camel

from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.models.gemini_request import encode
from tests.models.conversations import Conversation, conversations, references

JSON = dict[str, Any]  # Any: JSON

RETRY = "city: Field required\n\nPlease fix the errors and try again."


def made_here(message: ModelMessage) -> ModelMessage:
    if isinstance(message, ModelResponse):
        message.provider_details = {"origin": "google-gla"}
    return message


def ours(conversation: Conversation, model_name: str) -> JSON:
    messages = [made_here(message) for message in conversation.messages]
    return encode(model_name, messages, conversation.settings, conversation.parameters, "google-gla")


def camel(value: object) -> Any:  # Any: JSON
    """Google takes both spellings of a field, and the reference client mixes them; schemas and arguments stay."""
    if isinstance(value, list):
        return [camel(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("JSON", value)  # cast: this and the one before, from JSON
    named = {to_camel(key) if "_" in key else key: item for key, item in fields.items()}
    return {
        key: item if key in {"parametersJsonSchema", "args", "response"} else camel(item) for key, item in named.items()
    }


def without_habits(reference: JSON) -> JSON:
    body: JSON = camel(reference)
    # Text is what models answer with unless asked for something else.
    del body["generationConfig"]["responseModalities"]
    if not body["generationConfig"]:
        del body["generationConfig"]
    if "systemInstruction" in body:
        # Its role is not looked at; and it is no place for explanations of a client's own habits.
        prompts = [part for part in body["systemInstruction"]["parts"] if "<system>" not in part["text"]]
        body["systemInstruction"] = {"parts": prompts}
    if body.get("toolConfig", {}).get("functionCallingConfig") == {"mode": "VALIDATED"}:
        # A preview; the documented default lets the model choose.
        del body["toolConfig"]
    for part in (part for content in body["contents"] for part in content["parts"]):
        if "functionCall" in part:
            # A stand-in is for models that refuse a call without a signature, which begin with the third generation.
            del part["thoughtSignature"]
        if "inlineData" in part:
            # The alphabet of base64 that JSON is meant to hold.
            part["inlineData"]["data"] = part["inlineData"]["data"].replace("-", "+").replace("_", "/")
    return body


def adapted(name: str, reference: JSON) -> JSON:
    """The reference request as we want it."""
    body = without_habits(reference)
    match name:
        case "retry_of_call":
            # The wording for the model is ours.
            body["contents"][2]["parts"][0]["functionResponse"]["response"] = {"error": RETRY}
        case "two_tool_rounds":
            # null is what the tool gave, and not the same as nothing.
            body["contents"][4]["parts"][0]["functionResponse"]["response"] = {"return_value": None}
        case "thinking_replay":
            # A signature goes back where it was: here, on the thought.
            thought, text = body["contents"][1]["parts"]
            thought["thoughtSignature"] = text.pop("thoughtSignature")
        case "image_url":
            # The reference client downloads it; by Google's documentation the service does so.
            file = {"mimeType": "image/png", "fileUri": "https://example.com/cat.png"}
            body["contents"][0]["parts"][1] = {"fileData": file}
        case _:
            pass
    return body


def test_requests_are_those_of_the_reference_client() -> None:
    known = references("google")
    for name, conversation in conversations().items():
        row = known[name]
        assert ours(conversation, row["model"]) == adapted(name, row["request"]["json"]), name


def test_every_reference_is_covered() -> None:
    assert set(references("google")) - set(conversations()) == set()
