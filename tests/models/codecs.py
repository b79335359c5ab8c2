"""The pure halves of every protocol: what was recorded becomes replies, conversations become bodies."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic_core import to_json

from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import ModelRequestParameters
from agentgraph.models import (
    anthropic_reply,
    anthropic_request,
    bedrock_reply,
    bedrock_request,
    cohere_reply,
    cohere_request,
    gemini_reply,
    gemini_request,
    openai_reply,
    openai_request,
    openai_responses_reply,
    openai_responses_request,
)
from agentgraph.models.bedrock_frames import FRAMES
from agentgraph.models.groq_reply import GroqReply
from agentgraph.models.openai_responses_request import ResponsesDialect
from agentgraph.models.sse import SSE, Event, Framing
from agentgraph.models.streamed import WireReply
from agentgraph.providers.services import SERVICES, ChatProfile
from tests.models.conversation import tools
from tests.models.recordings import JSON, body_of, records
from tests.models.replaying import bytes_of, events_of

ASK: ModelRequestParameters = tools("weather")
CLAUDE = "claude-sonnet-4-5"
"""Asked for by its name alone where a name matters."""


@dataclass(frozen=True)
class Codec:
    """A protocol as its service speaks it; `name` is that of the service and of its recordings."""

    name: str
    begin: Callable[[], WireReply]
    """A reply that is put together event by event."""
    whole: Callable[[str], ModelResponse]
    body: Callable[[list[ModelMessage]], JSON]
    framing: Framing = SSE

    def encode(self, messages: Sequence[ModelMessage]) -> JSON:
        """The body as the service reads it."""
        read: JSON = json.loads(to_json(self.body(list(messages))))
        return read

    def decode(self, answer: Answer) -> ModelResponse:
        """The reply of a recorded answer."""
        if isinstance(answer, str):
            return self.whole(answer)
        reply = self.begin()
        for event in answer:
            if not reply.ended:
                reply.add(event)
        return reply.response()


Answer = str | list[str]
"""The body of a whole reply, or the data of the events of a stream."""


def _chat(service: str, reply: Callable[[str], openai_reply.ChatReply] = openai_reply.ChatReply) -> Codec:
    profile: ChatProfile = SERVICES[service].chat
    return Codec(
        "openai_chat" if service == "openai" else service,
        lambda: reply("asked"),
        lambda text: openai_reply.decode(text, reply("asked"))[0],
        lambda messages: openai_request.encode("asked", messages, None, ASK, profile),
    )


RESPONSES = ResponsesDialect("openai", SERVICES["openai"].chat)
CODECS = [
    _chat("openai"),
    _chat("openrouter"),
    _chat("mistral"),
    _chat("groq", GroqReply),
    Codec(
        "openai_responses",
        lambda: openai_responses_reply.ResponsesReply("asked", "openai"),
        lambda text: openai_responses_reply.decode(text, "asked", "openai")[0],
        lambda messages: openai_responses_request.encode("asked", messages, None, ASK, RESPONSES),
    ),
    Codec(
        "anthropic",
        lambda: anthropic_reply.MessageReply("asked"),
        lambda text: anthropic_reply.decode(text, "asked")[0],
        lambda messages: anthropic_request.encode(CLAUDE, messages, None, ASK),
    ),
    Codec(
        "google",
        lambda: gemini_reply.GeminiReply("asked", "google-gla"),
        lambda text: gemini_reply.decode(text, "asked", "google-gla")[0],
        lambda messages: gemini_request.encode("gemini-3-pro", messages, None, ASK, "google-gla"),
    ),
    Codec(
        "cohere",
        lambda: cohere_reply.CohereReply("asked", "cohere"),
        lambda text: cohere_reply.decode(text, "asked", "cohere")[0],
        lambda messages: cohere_request.encode("asked", messages, None, ASK, "cohere"),
    ),
    Codec(
        "bedrock",
        lambda: bedrock_reply.ConverseReply("asked"),
        lambda text: bedrock_reply.decode(text, "asked")[0],
        lambda messages: bedrock_request.encode("amazon.nova-pro-v1:0", messages, None, ASK),
        FRAMES,
    ),
]


@cache
def recorded(codec: Codec) -> list[Answer]:
    """Every recorded answer of the service with a status of success."""
    found = [*records("compat"), *records("openai_chat")] if codec.name == "openrouter" else records(codec.name)
    own = [record for record in found if codec.name != "openrouter" or record["provider"] == "openrouter"]
    return [_answer(record, codec) for record in own if record["response"]["status"] == 200]


def _answer(record: JSON, codec: Codec) -> Answer:
    if not record["stream"]:
        return body_of(record)
    return [event.data for event in events_of(bytes_of(record), framing=codec.framing)]


def driven(work: Coroutine[Any, None, list[Event]]) -> list[Event]:  # Any: nothing is sent in
    """Drive what never waits for anything outside."""
    try:
        work.send(None)
    except StopIteration as end:
        events: list[Event] = end.value
        return events
    raise AssertionError("it waits")
