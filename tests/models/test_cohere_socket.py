"""Cohere over a real socket: where requests go, and what lets them in."""

from __future__ import annotations

import pytest

from agentgraph.exceptions import UnexpectedModelBehavior, UserError
from agentgraph.messages import TextPart
from agentgraph.models import override_allow_model_requests
from agentgraph.models.cohere import CohereModel
from tests.models.conversation import asked, streamed
from tests.models.local_server import LocalServer, Reply, event_reply, json_reply

pytestmark = pytest.mark.anyio

REPLY = {"id": "r1", "message": {"content": [{"type": "text", "text": "Hi"}]}, "finish_reason": "COMPLETE"}
PIECE = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}}
END = {"type": "message-end", "id": "r1", "delta": {"finish_reason": "COMPLETE"}}


def model(server: LocalServer) -> CohereModel:
    return CohereModel("command-a-03-2025", api_key="made-up-key", base_url=server.url)


async def test_requests_go_to_the_chat_with_the_key(server: LocalServer) -> None:
    server.script(json_reply(REPLY), event_reply(PIECE, END))
    reply, _ = await asked(model(server))
    stream = await streamed(model(server))
    assert (reply.parts, stream.response.parts) == ([TextPart("Hi")], [TextPart("Hi")])
    assert [(request.path, request.json["stream"]) for request in server.requests] == [
        ("/v2/chat", False),
        ("/v2/chat", True),
    ]
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer made-up-key"}


async def test_what_comes_after_the_end_is_ignored(server: LocalServer) -> None:
    server.script(event_reply(PIECE, END, PIECE, "no JSON", stall=True))
    assert (await streamed(model(server))).response.parts == [TextPart("Hi")]


async def test_what_comes_with_the_end_is_ignored(server: LocalServer) -> None:
    whole = event_reply(PIECE, END, "no JSON")
    server.script(Reply((b"".join(whole.chunks),), headers=whole.headers))
    assert (await streamed(model(server))).response.parts == [TextPart("Hi")]


async def test_an_error_inside_a_stream_is_raised(server: LocalServer) -> None:
    server.script(event_reply(PIECE, {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "gone"}}))
    with pytest.raises(UnexpectedModelBehavior, match="gone"):
        await streamed(model(server))


async def test_requests_can_be_forbidden(server: LocalServer) -> None:
    with override_allow_model_requests(False):
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await asked(model(server))
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await streamed(model(server))
    assert server.requests == []
