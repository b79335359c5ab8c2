"""Every protocol: its client, and what its service would answer, plain and streamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from agentgraph.model import Model
from agentgraph.models.anthropic import AnthropicModel
from agentgraph.models.bedrock import BedrockConverseModel
from agentgraph.models.cohere import CohereModel
from agentgraph.models.gemini import GeminiModel
from agentgraph.models.groq import GroqModel
from agentgraph.models.mistral import MistralModel
from agentgraph.models.openai import OpenAIModel
from agentgraph.models.openai_responses import OpenAIResponsesModel
from agentgraph.providers import Provider, RetrySettings
from agentgraph.providers.anthropic import AnthropicProvider
from agentgraph.providers.bedrock import BedrockProvider
from agentgraph.providers.cohere import CohereProvider
from agentgraph.providers.google_gla import GoogleGLAProvider
from agentgraph.providers.groq import GroqProvider
from agentgraph.providers.mistral import MistralProvider
from agentgraph.providers.openai import OpenAIProvider
from tests.models import anthropic_service, bedrock_service
from tests.models.local_server import Reply, chat_events, chat_reply, event_reply, json_reply

JSON = dict[str, Any]  # Any: JSON
KEY = "sk-made-up"


@dataclass(frozen=True)
class Said:
    """What the model says: calls of `weather`, by id (None: the service gives none) and city, or a text in pieces."""

    calls: tuple[tuple[str | None, str], ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def size(self) -> int:
        """The characters that a piece has where all are alike."""
        return max(map(len, self.texts), default=4)


@dataclass(frozen=True)
class Protocol:
    """A protocol, by the name of its models' prefix."""

    name: str
    model: Callable[[Provider], Model]
    provider: Callable[..., Provider]
    plain: Callable[[Said], Reply]
    streamed: Callable[[Said], Reply]
    empty: JSON
    """An answer of the right form without any reply in it."""
    failure: bytes
    """The piece of a stream that says that something is `gone`."""
    status: int | None
    """The status that this failure stands for."""

    @property
    def is_text(self) -> bool:
        """Whether streams are server-sent events."""
        return self.name != "bedrock"

    def client(self, url: str, retries: RetrySettings | int = 2) -> Model:
        """The client of a service at a URL."""
        return self.model(self.provider(api_key=KEY, base_url=url, max_retries=retries))


def _event(data: JSON) -> bytes:
    return event_reply(data, done=False).chunks[0]


def _completions(name: str, model: Callable[[Provider], Model], provider: Callable[..., Provider]) -> Protocol:
    def message(said: Said) -> JSON:
        functions = [{"name": "weather", "arguments": json.dumps({"city": city})} for _, city in said.calls]
        calls = [
            {"index": index, "id": call_id, "type": "function", "function": function}
            for index, ((call_id, _), function) in enumerate(zip(said.calls, functions, strict=True))
        ]
        return {"role": "assistant", "tool_calls": calls}

    def plain(said: Said) -> Reply:
        if said.texts:
            return chat_reply(said.text)
        return json_reply({"choices": [{"message": message(said), "finish_reason": "tool_calls"}]})

    def streamed(said: Said) -> Reply:
        if said.texts:
            return event_reply(*chat_events(*said.texts))
        end: JSON = {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}
        return event_reply({"choices": [{"delta": message(said)}]}, end)

    failure = _event({"error": {"code": 502, "status_code": 502, "message": "gone"}})
    return Protocol(name, model, provider, plain, streamed, {"choices": []}, failure, 502)


def _responses() -> Protocol:
    last: JSON = {"id": "resp_1", "model": "gpt-5", "status": "completed", "usage": {"input_tokens": 3}}

    def items(said: Said) -> list[JSON]:
        if said.texts:
            return [{"type": "message", "content": [{"type": "output_text", "text": said.text}]}]
        return [
            {"type": "function_call", "call_id": call_id, "name": "weather", "arguments": json.dumps({"city": city})}
            for call_id, city in said.calls
        ]

    def streamed(said: Said) -> Reply:
        events: list[JSON] = [{"type": "output_text.delta", "output_index": 0, "delta": text} for text in said.texts]
        for index, item in enumerate(items(said) if said.calls else []):
            events.append({"type": "output_item.added", "output_index": index, "item": {**item, "arguments": ""}})
            arguments = {"output_index": index, "delta": item["arguments"]}
            events.append({"type": "function_call_arguments.delta", **arguments})
        events.append({"type": "completed", "response": {**last, "output": []}})
        return event_reply(*({**event, "type": f"response.{event['type']}"} for event in events), done=False)

    return Protocol(
        "openai-responses",
        lambda provider: OpenAIResponsesModel("gpt-5", provider=provider),
        OpenAIProvider,
        lambda said: json_reply({**last, "output": items(said)}),
        streamed,
        {"id": "resp_1"},
        _event({"type": "error", "code": "server_error", "message": "gone"}),
        500,
    )


def _anthropic() -> Protocol:
    def message(said: Said) -> JSON:
        if said.texts:
            return anthropic_service.message(anthropic_service.text(said.text))
        calls = [anthropic_service.call("weather", {"city": city}, call_id) for call_id, city in said.calls]
        return anthropic_service.message(*calls, stop_reason="tool_use")

    return Protocol(
        "anthropic",
        lambda provider: AnthropicModel("claude-sonnet-4-5", provider=provider),
        AnthropicProvider,
        lambda said: json_reply(message(said)),
        lambda said: event_reply(*anthropic_service.streamed(message(said), said.size), done=False),
        {"type": "message"},
        _event({"type": "error", "error": {"type": "overloaded_error", "message": "gone"}}),
        529,
    )


def _gemini() -> Protocol:
    def reply(*parts: JSON, finish: str | None = None) -> JSON:
        candidate = {"content": {"parts": list(parts)}, **({"finishReason": finish} if finish else {})}
        return {"candidates": [candidate], "modelVersion": "gemini-3-pro", "usageMetadata": {"promptTokenCount": 3}}

    def calls(said: Said) -> list[JSON]:
        return [
            {"functionCall": {"id": call_id, "name": "weather", "args": {"city": city}}, "thoughtSignature": "s"}
            for call_id, city in said.calls
        ]

    def streamed(said: Said) -> Reply:
        if said.texts:
            return event_reply(*(reply({"text": text}) for text in said.texts), reply(finish="STOP"), done=False)
        return event_reply(reply(*calls(said)), reply({"text": ""}, finish="STOP"), done=False)

    return Protocol(
        "google-gla",
        lambda provider: GeminiModel("gemini-3-pro-preview", provider=provider),
        GoogleGLAProvider,
        lambda said: json_reply(reply(*([{"text": said.text}] if said.texts else calls(said)), finish="STOP")),
        streamed,
        {"candidates": []},
        _event({"error": {"code": 503, "message": "gone", "status": "UNAVAILABLE"}}),
        503,
    )


def _cohere() -> Protocol:
    last: JSON = {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 3, "output_tokens": 2}}}

    def calls(said: Said) -> list[JSON]:
        return [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": "weather", "arguments": json.dumps({"city": city})},
            }
            for call_id, city in said.calls
        ]

    def plain(said: Said) -> Reply:
        if said.texts:
            return json_reply({"message": {"content": [{"type": "text", "text": said.text}]}, **last})
        return json_reply({"message": {"tool_calls": calls(said), "tool_plan": "I will."}, **last})

    def piece(kind: str, index: int = 0, **message: object) -> JSON:
        return {"type": kind, "index": index, "delta": {"message": message}}

    def streamed(said: Said) -> Reply:
        events = [piece("content-delta", content={"text": text}) for text in said.texts]
        if said.calls:
            events.append(piece("tool-plan-delta", tool_plan="I will."))
        events += [piece("tool-call-start", index, tool_calls=call) for index, call in enumerate(calls(said))]
        return event_reply(*events, {"type": "message-end", "delta": last}, done=False)

    failure = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "gone"}}
    return Protocol(
        "cohere",
        lambda provider: CohereModel("command-a-03-2025", provider=provider),
        CohereProvider,
        plain,
        streamed,
        {"message": None},
        _event(failure),
        None,
    )


def _bedrock() -> Protocol:
    def whole(said: Said) -> JSON:
        if said.texts:
            return bedrock_service.converse({"text": said.text})
        calls = [bedrock_service.call("weather", {"city": city}, call_id) for call_id, city in said.calls]
        return bedrock_service.converse(*calls, stopReason="tool_use")

    return Protocol(
        "bedrock",
        lambda provider: BedrockConverseModel("amazon.nova-pro-v1:0", provider=provider),
        partial(BedrockProvider, region_name="eu-west-1"),
        lambda said: json_reply(whole(said)),
        lambda said: bedrock_service.frames_reply(*bedrock_service.whole_frames(whole(said), said.size)),
        {"output": {}},
        bedrock_service.exception_frame("throttlingException", "gone"),
        429,
    )


CHAT = _completions("openai", lambda provider: OpenAIModel("gpt-4o", provider=provider), OpenAIProvider)
PROTOCOLS = [
    CHAT,
    _responses(),
    _anthropic(),
    _gemini(),
    _completions("mistral", lambda provider: MistralModel("mistral-large-latest", provider=provider), MistralProvider),
    _completions("groq", lambda provider: GroqModel("openai/gpt-oss-120b", provider=provider), GroqProvider),
    _cohere(),
    _bedrock(),
]
