"""What Groq's models got wrong is a reply, for the agent to deal with."""

from __future__ import annotations

import json

import pytest

from agentgraph.exceptions import ModelHTTPError, UnexpectedModelBehavior
from agentgraph.messages import (
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from agentgraph.model import ModelRequestParameters
from agentgraph.models.groq import GroqModel, GroqModelSettings
from agentgraph.models.groq_reply import GroqReply
from agentgraph.usage import Usage
from tests.models.conversation import HELLO, asked, streamed
from tests.models.local_server import LocalServer, event_reply, json_reply

pytestmark = pytest.mark.anyio

ASK = ModelRequestParameters()


def refusal(said: str = "", code: str = "tool_use_failed") -> dict[str, object]:
    error = {"message": "Failed to call a function.", "code": code, "failed_generation": said, "status_code": 400}
    return {"error": error}


def model(server: LocalServer) -> GroqModel:
    return GroqModel("llama-3.3-70b-versatile", api_key="made-up-key", base_url=server.url)


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ('{"name": "f", "arguments": {"x": "1"}}', ToolCallPart("f", {"x": "1"})),
        ('{"name": "f", "parameters": {"x": "1"}}', ToolCallPart("f", {"x": "1"})),
        ('{"name": "f", "arguments": "{oops"}', ToolCallPart("f", "{oops")),
        ('{"name": "f", "arguments": 7}', ToolCallPart("f", {})),
        ('{"name": 7}', TextPart('{"name": 7}')),
        ("<function=f{}>", TextPart("<function=f{}>")),
    ],
)
async def test_what_the_model_said_is_the_reply(server: LocalServer, said: str, part: ModelResponsePart) -> None:
    server.script(json_reply(refusal(said), 400))
    reply, usage = await asked(model(server))
    stream = await streamed(model(server))
    assert (reply.parts, stream.response.parts) == ([part], [part])
    assert reply.provider_details == {"tool_use_failed": "Failed to call a function."}
    assert usage == stream.usage
    assert (reply.model_name, reply.finish_reason, usage) == ("llama-3.3-70b-versatile", None, Usage())


async def test_a_stream_that_is_broken_off_keeps_what_came(server: LocalServer) -> None:
    chunks = [{"choices": [{"delta": {"reasoning": "Hm"}}]}, {"choices": [{"delta": {"content": "maybe"}}]}]
    server.script(event_reply(*chunks, refusal("maybe"), done=False))
    reply = (await streamed(model(server))).response
    assert reply.parts == [ThinkingPart("Hm"), TextPart("maybe")]


@pytest.mark.parametrize("body", [refusal(), refusal("x", "other"), {"error": "no"}, "no"])
async def test_any_other_refusal_is_an_error(server: LocalServer, body: object) -> None:
    server.script(json_reply(body, 400))
    with pytest.raises(ModelHTTPError, match="400"):
        await asked(model(server))
    with pytest.raises(ModelHTTPError, match="400"):
        await streamed(model(server))


async def test_an_error_in_a_stream_has_its_status(server: LocalServer) -> None:
    server.script(event_reply(refusal("x", "other")))
    with pytest.raises(ModelHTTPError, match="400"):
        await streamed(model(server))


async def test_an_error_after_the_start_is_not_replaced_by_a_reply(server: LocalServer) -> None:
    server.script(event_reply({"choices": [{"delta": {"content": "Hi"}}]}))
    with pytest.raises(ModelHTTPError, match="mine"):
        async with model(server).request_stream(HELLO, None, ASK):
            raise ModelHTTPError(400, "mine", refusal("x"))


async def test_requests_go_to_groq_with_its_settings(server: LocalServer) -> None:
    server.script(json_reply({"choices": [{"message": {"content": "<think>hm</think>Hi"}, "finish_reason": "stop"}]}))
    settings = GroqModelSettings(groq_service_tier="flex", max_tokens=5, logit_bias={"1": 1}, seed=7)
    reply, _ = await model(server).request(HELLO, settings, ASK)
    [request] = server.requests
    assert reply.parts == [ThinkingPart("hm"), TextPart("Hi")]
    assert (request.path, request.headers["authorization"]) == ("/chat/completions", "Bearer made-up-key")
    assert {name: request.json[name] for name in request.json if name not in {"model", "messages", "stream"}} == {
        "service_tier": "flex",
        "max_completion_tokens": 5,
        "seed": 7,
    }


def test_errors_and_usage_may_stand_among_what_is_groqs_own() -> None:
    reply = GroqReply("asked")
    reply.add(json.dumps({"choices": [], "x_groq": {"usage": {"prompt_tokens": 3}}}))
    assert reply.usage() == Usage(0, 3, None, 3)
    with pytest.raises(UnexpectedModelBehavior, match="over capacity"):
        reply.add(json.dumps({"x_groq": {"error": "over capacity"}}))


def test_what_the_service_did_itself_is_told() -> None:
    reply = GroqReply("asked")
    for tools in ([{"index": 0, "type": "search"}], [{"index": 0, "output": "x"}, {"type": "a"}, {"type": "b"}]):
        reply.add(json.dumps({"choices": [{"delta": {"executed_tools": tools}}]}))
    assert reply.response().parts == [
        NativeToolCallPart("web_search"),
        NativeToolReturnPart("web_search", {"output": "x"}),
        NativeToolCallPart("a"),
        NativeToolCallPart("b"),
    ]
    reply.add('{"choices": [{"delta": {"executed_tools": [{"type": "python", "arguments": "{\\"code\\": 1}"}]}}]}')
    reply.add('{"choices": [{"delta": {"executed_tools": [{"type": "python", "arguments": "{"}]}}]}')
    assert reply.response().parts[-2:] == [
        NativeToolCallPart("code_execution", {"code": 1}),
        NativeToolCallPart("code_execution"),
    ]
