"""The local service, asked by the real wire client and by hand."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from agentgraph import Agent
from agentgraph.models.openai import OpenAIModel
from agentgraph.providers.openai import OpenAIProvider


class Outcome(BaseModel):
    ticket_id: int
    reply: str


def agent(url: str) -> Agent[None, str]:
    return Agent(OpenAIModel("desk-1", provider=OpenAIProvider(base_url=url, api_key="none")))


def ask(url: str, method: str, path: str, body: str = "") -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection(urlsplit(url).netloc)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.anyio
async def test_a_plain_reply_has_text_and_usage(model_url: str) -> None:
    result = await agent(model_url).run("what is 3 * 5?")
    assert result.data == "3 * 5 is **15**."
    usage = result.usage()
    assert usage.requests == 1
    assert usage.total_tokens == (usage.request_tokens or 0) + (usage.response_tokens or 0) > 0


@pytest.mark.anyio
async def test_a_streamed_reply_comes_in_pieces(model_url: str) -> None:
    async with agent(model_url).run_stream("what is 3 * 5?") as response:
        pieces = [piece async for piece in response.stream_text(delta=True, debounce_by=None)]
    assert "".join(pieces) == "3 * 5 is **15**."
    assert len(pieces) > 2
    assert (response.usage().response_tokens or 0) >= len(pieces)


@pytest.mark.anyio
async def test_a_typed_result_comes_by_its_tool(model_url: str) -> None:
    desk = Agent(agent(model_url).model, result_type=Outcome)
    assert (await desk.run("ticket 12: hello")).data.ticket_id == 12


def test_the_models_are_listed(model_url: str) -> None:
    status, body = ask(model_url, "GET", "/v1/models")
    assert (status, body["data"][0]["id"]) == (200, "desk-1")


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("POST", "/v1/nothing")])
def test_there_is_nothing_elsewhere(model_url: str, method: str, path: str) -> None:
    status, body = ask(model_url, method, path)
    assert status == 404
    assert path in body["error"]["message"]


def test_a_malformed_request_is_refused(model_url: str) -> None:
    status, body = ask(model_url, "POST", "/v1/chat/completions", "{}")
    assert status == 400
    assert "messages" in body["error"]["message"]


def test_a_client_that_goes_away_harms_nobody(model_url: str) -> None:
    place = urlsplit(model_url)
    with socket.create_connection((place.hostname or "", place.port or 0)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-le")
    assert ask(model_url, "GET", "/v1/models")[0] == 200
