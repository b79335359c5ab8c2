"""What Mistral wants otherwise than other services that speak chat completions."""

from __future__ import annotations

from typing import Any

import pytest

from agentgraph.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from agentgraph.model import ModelRequestParameters
from agentgraph.models.mistral import MistralModel, MistralModelSettings
from agentgraph.settings import ModelSettings
from tests.models.conversation import streamed, tools
from tests.models.local_server import LocalServer, event_reply, json_reply

pytestmark = pytest.mark.anyio

JSON = dict[str, Any]  # Any: JSON
REPLY = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}


async def body(
    server: LocalServer,
    *messages: ModelMessage,
    settings: ModelSettings | None = None,
    parameters: ModelRequestParameters | None = None,
    model_name: str = "mistral-large-latest",
) -> JSON:
    server.script(json_reply(REPLY))
    model = MistralModel(model_name, api_key="made-up-key", base_url=server.url)
    await model.request(list(messages), settings, parameters or ModelRequestParameters())
    return server.requests[-1].json


async def settled(server: LocalServer, settings: ModelSettings, model_name: str = "mistral-large-latest") -> JSON:
    fields = await body(server, settings=settings, model_name=model_name)
    return {name: value for name, value in fields.items() if name not in {"model", "messages", "stream"}}


async def test_requests_go_to_the_chat_with_the_key(server: LocalServer) -> None:
    server.script(event_reply({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}))
    await streamed(MistralModel("mistral-large-latest", api_key="made-up-key", base_url=server.url))
    [request] = server.requests
    assert (request.path, request.headers["authorization"]) == ("/chat/completions", "Bearer made-up-key")
    assert (request.json["stream"], "stream_options" in request.json) == (True, False)


async def test_ids_are_made_to_fit(server: LocalServer) -> None:
    calls = ModelResponse([ToolCallPart("f", "{}", "call_1"), ToolCallPart("g", "{}", "abcdEF123")])
    answers = ModelRequest([ToolReturnPart("f", 1, "call_1"), ToolReturnPart("g", 2, "abcdEF123")])
    made, first, second = (await body(server, calls, answers))["messages"]
    ids = [call["id"] for call in made["tool_calls"]]
    assert [first["tool_call_id"], second["tool_call_id"]] == ids
    assert ids[1] == "abcdEF123"
    assert len(ids[0]) == 9


async def test_the_model_says_a_word_between_tools_and_user(server: LocalServer) -> None:
    call = ModelResponse([ToolCallPart("f", "{}", "a")])
    messages = (await body(server, call, ModelRequest([UserPromptPart("And?"), ToolReturnPart("f", 1, "a")])))[
        "messages"
    ]
    assert [message["role"] for message in messages] == ["assistant", "tool", "assistant", "user"]
    messages = (await body(server, call, ModelRequest([ToolReturnPart("f", 1, "a")]), call))["messages"]
    assert [message["role"] for message in messages] == ["assistant", "tool"]


async def test_system_prompts_do_not_follow_tools_either(server: LocalServer) -> None:
    call = ModelResponse([ToolCallPart("f", "{}", "a")])
    request = ModelRequest([ToolReturnPart("f", 1, "a"), SystemPromptPart("Be brief.")])
    assert [each["role"] for each in (await body(server, call, request))["messages"]][2:] == ["assistant", "system"]


async def test_thinking_goes_back_as_a_block(server: LocalServer) -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    [message] = (await body(server, ModelResponse([ThinkingPart("hm"), TextPart("4")])))["messages"]
    assert message["content"] == [thinking, {"type": "text", "text": "4"}]
    called = ModelResponse([ThinkingPart("hm"), ToolCallPart("f", "{}", "a")])
    messages = (await body(server, called, ModelRequest([ToolReturnPart("f", 1, "a")])))["messages"]
    assert messages[0]["content"] == [thinking]


@pytest.mark.parametrize(
    ("content", "block"),
    [
        (AudioUrl("https://h/a.mp3"), {"type": "input_audio", "input_audio": "https://h/a.mp3"}),
        (DocumentUrl("https://h/a.pdf"), {"type": "document_url", "document_url": "https://h/a.pdf"}),
        (BinaryContent(b"x", "audio/flac"), {"type": "input_audio", "input_audio": "eA=="}),
        (
            BinaryContent(b"x", "application/pdf"),
            {"type": "document_url", "document_url": "data:application/pdf;base64,eA=="},
        ),
    ],
)
async def test_audio_and_documents_are_addresses(server: LocalServer, content: UserContent, block: JSON) -> None:
    [message] = (await body(server, ModelRequest([UserPromptPart([content])])))["messages"]
    assert message["content"] == [block]


async def test_settings_have_the_services_own_names(server: LocalServer) -> None:
    settings = MistralModelSettings(
        seed=7, max_tokens=5, stop_sequences=["x"], logit_bias={"1": 1}, mistral_safe_prompt=True
    )
    assert await settled(server, settings) == {"random_seed": 7, "max_tokens": 5, "stop": ["x"], "safe_prompt": True}
    assert await settled(server, {"extra_body": {"n": 2}}) == {"n": 2}


@pytest.mark.parametrize(("asked", "effort"), [("low", "high"), (0, "none"), (900, "high")])
async def test_models_that_can_think_or_not_are_told_which(server: LocalServer, asked: Any, effort: str) -> None:
    # Any: an effort or a number
    settings = ModelSettings(thinking=asked)
    assert await settled(server, settings, "magistral-medium-latest") == {"reasoning_effort": effort}
    assert await settled(server, settings, "codestral-latest") == {}


async def test_a_call_is_demanded_by_another_word(server: LocalServer) -> None:
    demanded = await body(server, settings={"tool_choice": "required"}, parameters=tools("f", "g"))
    assert demanded["tool_choice"] == "any"
    chosen = await body(server, settings={"tool_choice": ["g"]}, parameters=tools("f", "g"))
    assert chosen["tool_choice"] == {"type": "function", "function": {"name": "g"}}
