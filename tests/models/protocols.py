"""Every protocol: its client, and what its service would answer, plain and streamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
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
from agentgraph.providers.bedrock import BedrockProvider
from tests.models import anthropic_service, bedrock_service
from tests.models.local_server import Reply, chat_events, chat_reply, event_reply, json_reply

JSON = dict[str, Any]  # Any: JSON
KEY = "sk-made-up"


@dataclass(frozen=True)
class Said:
    """What the model says: calls of `weather`, by id and city, or a text in pieces."""

    calls: tuple[tuple[str, str], ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "".join(self.texts)


@dataclass(frozen=True)
class Protocol:
    """A protocol, by the name of its models' prefix."""

    name: str
    client: Callable[[str], Model]
    """The client of a service at a URL."""
    plain: Callable[[Said], Reply]
    streamed: Callable[[Said], Reply]


def _completions(name: str, client: Callable[[str], Model]) -> Protocol:
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

    return Protocol(name, client, plain, streamed)


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
        lambda url: OpenAIResponsesModel("gpt-5", api_key=KEY, base_url=url),
        lambda said: json_reply({**last, "output": items(said)}),
        streamed,
    )


def _anthropic() -> Protocol:
    def message(said: Said) -> JSON:
        if said.texts:
            return anthropic_service.message(anthropic_service.text(said.text))
        calls = [anthropic_service.call("weather", {"city": city}, call_id) for call_id, city in said.calls]
        return anthropic_service.message(*calls, stop_reason="tool_use")

    return Protocol(
        "anthropic",
        lambda url: AnthropicModel("claude-sonnet-4-5", api_key=KEY, base_url=url),
        lambda said: json_reply(message(said)),
        lambda said: event_reply(*anthropic_service.streamed(message(said)), done=False),
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
        lambda url: GeminiModel("gemini-3-pro-preview", api_key=KEY, base_url=url),
        lambda said: json_reply(reply(*([{"text": said.text}] if said.texts else calls(said)), finish="STOP")),
        streamed,
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

    def client(url: str) -> Model:
        return CohereModel("command-a-03-2025", api_key=KEY, base_url=url)

    return Protocol("cohere", client, plain, streamed)


def _bedrock() -> Protocol:
    def whole(said: Said) -> JSON:
        if said.texts:
            return bedrock_service.converse({"text": said.text})
        calls = [bedrock_service.call("weather", {"city": city}, call_id) for call_id, city in said.calls]
        return bedrock_service.converse(*calls, stopReason="tool_use")

    def client(url: str) -> Model:
        provider = BedrockProvider(region_name="eu-west-1", api_key=KEY, base_url=url)
        return BedrockConverseModel("amazon.nova-pro-v1:0", provider=provider)

    return Protocol(
        "bedrock",
        client,
        lambda said: json_reply(whole(said)),
        lambda said: bedrock_service.frames_reply(*bedrock_service.whole_frames(whole(said))),
    )


CHAT = _completions("openai", lambda url: OpenAIModel("gpt-4o", api_key=KEY, base_url=url))
PROTOCOLS = [
    CHAT,
    _responses(),
    _anthropic(),
    _gemini(),
    _completions("mistral", lambda url: MistralModel("mistral-large-latest", api_key=KEY, base_url=url)),
    _completions("groq", lambda url: GroqModel("openai/gpt-oss-120b", api_key=KEY, base_url=url)),
    _cohere(),
    _bedrock(),
]
