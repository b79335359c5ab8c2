"""Tools that services run themselves: told as parts, sent back to the same service as they came, and to no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from agentgraph import Agent
from agentgraph.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    UserPromptPart,
)
from agentgraph.model import ModelRequestParameters
from agentgraph.models import (
    anthropic_reply,
    anthropic_request,
    bedrock_reply,
    bedrock_request,
    cohere_request,
    gemini_reply,
    gemini_request,
    openai_request,
    openai_responses_reply,
    openai_responses_request,
)
from agentgraph.models.guess import guess_usage
from agentgraph.models.openai_responses_request import ResponsesDialect
from agentgraph.providers.services import SERVICES
from tests.agent.scripted import says

JSON = dict[str, Any]  # Any: JSON
Encode = Callable[[Sequence[ModelMessage]], JSON]
ASK = ModelRequestParameters()
CLAUDE: list[JSON] = [
    {"type": "text", "text": "Wait."},
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "Oslo"}, "caller": {"type": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"encrypted_content": "x"}]},
    {"type": "mcp_tool_use", "id": "m1", "name": "ask", "server_name": "wiki", "input": {"q": 1}},
    {"type": "mcp_tool_result", "tool_use_id": "m1", "content": [{"type": "text", "text": "a"}], "is_error": False},
    {"type": "text", "text": "Rain."},
]
ITEMS: list[JSON] = [
    {"type": "web_search_call", "id": "w", "status": "completed", "action": {"query": "x", "sources": ["s"]}},
    {"type": "code_interpreter_call", "id": "c", "container_id": "k", "code": "1", "outputs": [{"logs": "2"}]},
    {"type": "mcp_call", "id": "m", "server_label": "s", "name": "n", "arguments": '{"a": 1}', "error": None},
    {"type": "tool_search_call", "id": "t", "execution": "server", "arguments": {"paths": ["p"]}},
    {"type": "tool_search_output", "id": "o", "execution": "server", "tools": [{"name": "f"}]},
    {"role": "assistant", "content": "Rain."},
]
GOOGLE: list[JSON] = [
    {"executableCode": {"code": "1", "language": "PYTHON", "id": "c"}, "thoughtSignature": "s"},
    {"codeExecutionResult": {"outcome": "OK", "output": "1", "id": "c"}},
    {"text": "Rain."},
]
NOVA: list[JSON] = [
    {"toolUse": {"toolUseId": "s", "name": "nova_code_interpreter", "input": {"a": 1}, "type": "server_tool_use"}},
    {"toolResult": {"toolUseId": "s", "status": "success", "content": [{"json": {"stdOut": "2"}}]}},
    {"text": "Rain."},
]


def of_anthropic() -> ModelResponse:
    return anthropic_reply.decode(json.dumps({"content": CLAUDE, "model": "claude"}), "claude")[0]


def of_openai() -> ModelResponse:
    said: JSON = {"type": "message", "content": [{"type": "output_text", "text": "Rain."}]}
    return openai_responses_reply.decode(json.dumps({"output": [*ITEMS[:-1], said]}), "gpt-5", "openai")[0]


def of_google() -> ModelResponse:
    body = {"candidates": [{"content": {"parts": GOOGLE}, "finishReason": "STOP"}]}
    return gemini_reply.decode(json.dumps(body), "gemini-3-pro", "google-gla")[0]


def of_bedrock() -> ModelResponse:
    return bedrock_reply.decode(json.dumps({"output": {"message": {"content": NOVA}}, "stopReason": "end_turn"}), "n")[
        0
    ]


def to_anthropic(messages: Sequence[ModelMessage]) -> JSON:
    return anthropic_request.encode("claude-sonnet-4-5", messages, None, ASK)


def to_openai(messages: Sequence[ModelMessage]) -> JSON:
    dialect = ResponsesDialect("openai", SERVICES["openai"].chat)
    return openai_responses_request.encode("gpt-5", messages, None, ASK, dialect)


def to_google(messages: Sequence[ModelMessage]) -> JSON:
    return gemini_request.encode("gemini-3-pro", messages, None, ASK, "google-gla")


def to_bedrock(messages: Sequence[ModelMessage]) -> JSON:
    return bedrock_request.encode("us.amazon.nova-lite-v1:0", messages, None, ASK)


def to_chat(messages: Sequence[ModelMessage]) -> JSON:
    return openai_request.encode("gpt-4o", messages, None, ASK, SERVICES["openai"].chat)


def to_cohere(messages: Sequence[ModelMessage]) -> JSON:
    return cohere_request.encode("command-a", messages, None, ASK, "cohere")


SERVED: list[tuple[Callable[[], ModelResponse], Encode, Callable[[JSON], list[JSON]], list[JSON]]] = [
    (of_anthropic, to_anthropic, lambda body: body["messages"][1]["content"], CLAUDE),
    (of_openai, to_openai, lambda body: body["input"][1:-1], ITEMS),
    (of_google, to_google, lambda body: body["contents"][1]["parts"], GOOGLE),
    (of_bedrock, to_bedrock, lambda body: body["messages"][1]["content"], NOVA),
]
served = pytest.mark.parametrize(
    ("reply_of", "encode", "sent", "blocks"), SERVED, ids=["anthropic", "openai", "google", "bedrock"]
)
TO_ALL = [to_anthropic, to_openai, to_google, to_bedrock, to_chat, to_cohere]


def around(reply: ModelResponse) -> list[ModelMessage]:
    """The reply in a conversation, as it comes out of a store."""
    messages: list[ModelMessage] = [
        ModelRequest([UserPromptPart("Hello")]),
        reply,
        ModelRequest([UserPromptPart("And now?")]),
    ]
    return ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages))


@served
def test_the_same_service_gets_them_back_as_they_were(reply_of: Any, encode: Any, sent: Any, blocks: Any) -> None:
    messages = around(reply_of())
    assert sent(encode(messages)) == blocks
    assert sent(encode(messages)) == blocks  # what is sent is a copy


@served
def test_other_services_get_the_text_alone(reply_of: Any, encode: Any, sent: Any, blocks: Any) -> None:
    messages = around(reply_of())
    for other in TO_ALL:
        body = json.dumps(other(messages))
        assert "Rain." in body
        assert other is encode or not any(word in body for word in ("server_tool_use", "_call", "executableCode"))


@served
def test_a_reply_that_was_cut_off_goes_without_them(reply_of: Any, encode: Any, sent: Any, blocks: Any) -> None:
    messages = around(replace(reply_of(), state="interrupted"))
    assert len(sent(encode(messages))) == sum(isinstance(part, TextPart) for part in reply_of().parts)


@served
def test_the_service_wants_none_that_it_did_not_make(reply_of: Any, encode: Any, sent: Any, blocks: Any) -> None:
    own = replace(reply_of(), parts=[NativeToolCallPart("f"), NativeToolReturnPart("f"), TextPart("Rain.")])
    assert len(sent(encode(around(own)))) == 1


def test_what_a_part_holds_is_not_stored_twice() -> None:
    stored = ModelMessagesTypeAdapter.dump_json([of_anthropic()]).decode()
    assert stored.count("encrypted_content") == 1
    assert stored.count("Oslo") == 1


def test_parts_have_defaults_that_json_may_leave_out() -> None:
    parts: list[ModelResponsePart] = [NativeToolCallPart("web_search"), NativeToolReturnPart("web_search")]
    [message] = json.loads(ModelMessagesTypeAdapter.dump_json([ModelResponse([*parts])]))
    assert message["parts"] == [
        {"tool_name": "web_search", "args": {}, "tool_call_id": None, "part_kind": "native-tool-call"},
        {"tool_name": "web_search", "content": None, "tool_call_id": None, "part_kind": "native-tool-return"},
    ]
    short: JSON = {"kind": "response", "parts": [{"tool_name": "f", "part_kind": "native-tool-call"}]}
    assert ModelMessagesTypeAdapter.validate_python([short])[0].parts == [NativeToolCallPart("f")]


@pytest.mark.anyio
async def test_an_agent_never_runs_them() -> None:
    natives: list[ModelResponsePart] = [
        NativeToolCallPart("look", {"x": 1}, "n"),
        NativeToolReturnPart("look", "seen", "n"),
    ]
    agent = Agent(says([*natives, TextPart("Rain.")]))

    @agent.tool_plain
    def look(x: int) -> str:
        raise AssertionError

    result = await agent.run("x")
    assert (result.data, result.usage().requests) == ("Rain.", 1)
    async with agent.run_stream("x") as response:
        assert await response.get_data() == "Rain."
    reply = response.all_messages()[-1]
    assert isinstance(reply, ModelResponse)
    assert reply.parts[:2] == natives


def test_they_are_no_words_of_the_model() -> None:
    assert guess_usage(
        [], [NativeToolCallPart("f", {"x": "many words"}), NativeToolReturnPart("f", "a b")]
    ) == guess_usage([])
