"""Gemini over a real socket: where requests go, and what lets them in."""

from __future__ import annotations

import pytest

from agentgraph.exceptions import ModelHTTPError, UserError
from agentgraph.model import ModelRequestParameters
from agentgraph.models import override_allow_model_requests
from agentgraph.models.gemini import GeminiModel
from agentgraph.providers import Provider
from tests.models.conversation import asked, streamed
from tests.models.local_server import LocalServer, event_reply, json_reply

pytestmark = pytest.mark.anyio

ASK = ModelRequestParameters()
REPLY = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}], "modelVersion": "gemini-x"}


def model(server: LocalServer, name: str = "gemini-2.5-flash") -> GeminiModel:
    return GeminiModel(name, api_key="made-up-key", base_url=f"{server.url}/v1beta")


async def test_requests_go_to_the_model_with_the_key(server: LocalServer) -> None:
    server.script(json_reply(REPLY), event_reply(REPLY, done=False))
    await asked(model(server))
    await streamed(model(server, "tunedModels/mine"))
    plain, stream = server.requests
    assert plain.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert stream.path == "/v1beta/tunedModels/mine:streamGenerateContent?alt=sse"
    assert {request.headers["x-goog-api-key"] for request in server.requests} == {"made-up-key"}


async def test_plain_and_streamed_replies_are_equal(server: LocalServer) -> None:
    timed = {**REPLY, "createTime": "2026-01-01T00:00:00Z", "usageMetadata": {"promptTokenCount": 3}}
    server.script(json_reply(timed), event_reply(timed, done=False))
    reply, usage = await asked(model(server))
    stream = await streamed(model(server))
    assert (stream.response, stream.usage) == (reply, usage)


async def test_a_stream_tells_who_answers_and_when(server: LocalServer) -> None:
    server.script(event_reply({**REPLY, "createTime": "2026-01-01T00:00:00Z"}, done=False))
    async with model(server).request_stream([], None, ASK) as stream:
        assert stream.model_name == "gemini-2.5-flash"
        async for _ in stream:
            pass
    assert (stream.model_name, stream.timestamp.year) == ("gemini-x", 2026)


async def test_an_error_inside_a_stream_is_raised(server: LocalServer) -> None:
    server.script(event_reply({"error": {"code": 503, "message": "overloaded"}}, done=False))
    with pytest.raises(ModelHTTPError, match="overloaded"):
        await streamed(model(server))


async def test_requests_can_be_forbidden(server: LocalServer) -> None:
    with override_allow_model_requests(False):
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await asked(model(server))
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await streamed(model(server))
    assert server.requests == []


def test_a_model_tells_what_it_is() -> None:
    known = GeminiModel("gemini-2.5-flash", provider=Provider("google-vertex", "http://h/v1"))
    assert (known.model_name, known.system, known.base_url) == ("gemini-2.5-flash", "google-vertex", "http://h/v1")
    assert (
        repr(known)
        == "GeminiModel('gemini-2.5-flash', provider=Provider(name='google-vertex', base_url='http://h/v1'))"
    )
