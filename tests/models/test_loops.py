"""A whole agent over a real socket, in every protocol: a call, its answer, a text; plain and streamed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from agentgraph import Agent
from agentgraph.exceptions import UnexpectedModelBehavior
from agentgraph.model import Model
from agentgraph.models.cohere import CohereModel
from agentgraph.models.gemini import GeminiModel
from agentgraph.models.groq import GroqModel
from agentgraph.models.mistral import MistralModel
from agentgraph.models.openai import OpenAIModel
from agentgraph.models.openai_responses import OpenAIResponsesModel
from tests.models.conversation import streamed
from tests.models.local_server import LocalServer, Reply, chat_events, chat_reply, event_reply, json_reply

pytestmark = pytest.mark.anyio

JSON = dict[str, Any]  # Any: JSON
KEY = "sk-made-up"
CITY = {"city": "Oslo"}
TEXTS = ("It is ", "4 degrees.")


@dataclass(frozen=True)
class Protocol:
    """A client, and what its service answers: a call of `weather`, then the text."""

    client: Callable[[str], Model]
    plain: tuple[Reply, Reply]
    streamed: tuple[Reply, Reply]
    call_id: str = "c1"

    def model(self, server: LocalServer) -> Model:
        return self.client(server.url)


def chat() -> Protocol:
    return completions(lambda url: OpenAIModel("gpt-4o", api_key=KEY, base_url=url))


def groq() -> Protocol:
    return completions(lambda url: GroqModel("openai/gpt-oss-120b", api_key=KEY, base_url=url))


def mistral() -> Protocol:
    return completions(lambda url: MistralModel("mistral-large-latest", api_key=KEY, base_url=url), "abcDEF123")


def completions(client: Callable[[str], Model], call_id: str = "c1") -> Protocol:
    function = {"name": "weather", "arguments": json.dumps(CITY)}
    call = {"tool_calls": [{"index": 0, "id": call_id, "type": "function", "function": function}]}
    whole = {"choices": [{"message": {"role": "assistant", **call}, "finish_reason": "tool_calls"}]}
    events: list[JSON] = [{"choices": [{"delta": call}]}, {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}]
    return Protocol(
        client,
        (json_reply(whole), chat_reply("".join(TEXTS))),
        (event_reply(*events), event_reply(*chat_events(*TEXTS))),
        call_id,
    )


def responses() -> Protocol:
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": json.dumps(CITY)}
    says = {"type": "message", "content": [{"type": "output_text", "text": "".join(TEXTS)}]}
    last: JSON = {"id": "resp_1", "model": "gpt-5", "status": "completed", "usage": {"input_tokens": 3}}

    def event(kind: str, **fields: object) -> JSON:
        return {"type": f"response.{kind}", "output_index": 0, **fields}

    end = event("completed", response={**last, "output": []})
    return Protocol(
        lambda url: OpenAIResponsesModel("gpt-5", api_key=KEY, base_url=url),
        (json_reply({**last, "output": [call]}), json_reply({**last, "output": [says]})),
        (
            event_reply(
                event("output_item.added", item={**call, "arguments": ""}),
                event("function_call_arguments.delta", delta=json.dumps(CITY)),
                end,
                done=False,
            ),
            event_reply(*(event("output_text.delta", delta=text) for text in TEXTS), end, done=False),
        ),
    )


def gemini() -> Protocol:
    def reply(*parts: JSON, finish: str | None = None) -> JSON:
        candidate = {"content": {"parts": list(parts)}, **({"finishReason": finish} if finish else {})}
        return {"candidates": [candidate], "modelVersion": "gemini-3-pro", "usageMetadata": {"promptTokenCount": 3}}

    call = {"functionCall": {"id": "c1", "name": "weather", "args": CITY}, "thoughtSignature": "s"}
    text = {"text": "".join(TEXTS)}
    return Protocol(
        lambda url: GeminiModel("gemini-3-pro-preview", api_key=KEY, base_url=url),
        (json_reply(reply(call, finish="STOP")), json_reply(reply(text, finish="STOP"))),
        (
            event_reply(reply(call), reply({"text": ""}, finish="STOP"), done=False),
            event_reply(*(reply({"text": text}) for text in TEXTS), reply(finish="STOP"), done=False),
        ),
    )


def cohere() -> Protocol:
    function = {"name": "weather", "arguments": json.dumps(CITY)}
    call = {"id": "c1", "type": "function", "function": function}
    usage = {"tokens": {"input_tokens": 3, "output_tokens": 2}}
    last: JSON = {"finish_reason": "COMPLETE", "usage": usage}

    def piece(kind: str, **message: object) -> JSON:
        return {"type": kind, "index": 0, "delta": {"message": message}}

    end = {"type": "message-end", "delta": last}
    return Protocol(
        lambda url: CohereModel("command-a-03-2025", api_key=KEY, base_url=url),
        (
            json_reply({"message": {"tool_calls": [call], "tool_plan": "I will."}, **last}),
            json_reply({"message": {"content": [{"type": "text", "text": "".join(TEXTS)}]}, **last}),
        ),
        (
            event_reply(
                piece("tool-plan-delta", tool_plan="I will."),
                piece("tool-call-start", tool_calls=call),
                end,
                done=False,
            ),
            event_reply(*(piece("content-delta", content={"text": text}) for text in TEXTS), end, done=False),
        ),
    )


PROTOCOLS = [chat, responses, groq, mistral, gemini, cohere]
protocols = pytest.mark.parametrize("protocol", [make() for make in PROTOCOLS], ids=[p.__name__ for p in PROTOCOLS])


def forecaster(model: Model) -> tuple[Agent[None, str], list[str]]:
    """An agent, and the cities that its tool was asked for."""
    asked: list[str] = []
    agent = Agent(model)

    @agent.tool_plain
    def weather(city: str) -> str:
        asked.append(city)
        return "4 degrees"

    return agent, asked


def without_times(messages: bytes) -> Any:  # Any: JSON
    return json.loads(messages, object_hook=lambda entry: {k: v for k, v in entry.items() if k != "timestamp"})


@protocols
async def test_plain_and_streamed_runs_end_alike(server: LocalServer, protocol: Protocol) -> None:
    server.script(*protocol.plain, *protocol.streamed)
    agent, asked = forecaster(protocol.model(server))
    plain = await agent.run("Weather in Oslo?")
    async with agent.run_stream("Weather in Oslo?") as response:
        texts = [text async for text in response.stream_text(delta=True, debounce_by=None)]
    assert (plain.data, "".join(texts), asked) == ("It is 4 degrees.", "It is 4 degrees.", ["Oslo", "Oslo"])
    assert without_times(response.all_messages_json()) == without_times(plain.all_messages_json())
    assert response.usage() == plain.usage()


@protocols
async def test_the_answer_to_a_call_reaches_the_service(server: LocalServer, protocol: Protocol) -> None:
    server.script(*protocol.plain)
    await forecaster(protocol.model(server))[0].run("Weather in Oslo?")
    second = server.requests[1].body.decode()
    assert "4 degrees" in second
    assert second.count(f'"{protocol.call_id}"') == 2


@protocols
async def test_a_stream_without_its_end_is_an_error(server: LocalServer, protocol: Protocol) -> None:
    whole = protocol.streamed[1]
    server.script(Reply(whole.chunks[:1], headers=whole.headers), Reply((b": hello\n\n",), headers=whole.headers))
    with pytest.raises(UnexpectedModelBehavior, match="is cut off"):
        await streamed(protocol.model(server))
    with pytest.raises(UnexpectedModelBehavior, match="holds no"):
        await streamed(protocol.model(server))
