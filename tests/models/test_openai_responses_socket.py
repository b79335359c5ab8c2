"""Responses over a real socket: where requests go, and how their streams end."""

from __future__ import annotations

from typing import Any

import pytest

from agentgraph.exceptions import UserError
from agentgraph.messages import ModelRequest, SystemPromptPart, TextPart, ThinkingPart
from agentgraph.models import infer_model, override_allow_model_requests
from agentgraph.models.openai_responses import OpenAIResponsesModel
from agentgraph.providers.azure import AzureProvider
from tests.models.conversation import asked, streamed
from tests.models.local_server import LocalServer, event_reply, json_reply

pytestmark = pytest.mark.anyio

JSON = dict[str, Any]  # Any: JSON

THOUGHT: JSON = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "seal"}
REPLY: JSON = {
    "id": "resp_1",
    "status": "completed",
    "output": [THOUGHT, {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
}
DELTA = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}
END: JSON = {"type": "response.completed", "response": {**REPLY, "output": []}}


def model(server: LocalServer) -> OpenAIResponsesModel:
    return OpenAIResponsesModel("gpt-5-mini", api_key="made-up-key", base_url=server.url)


async def test_requests_go_to_the_responses_with_the_key(server: LocalServer) -> None:
    server.script(json_reply(REPLY), event_reply(DELTA, END))
    reply, _ = await asked(model(server))
    stream = await streamed(model(server))
    assert reply.parts == [ThinkingPart("", "rs_1", "seal"), TextPart("Hi")]
    assert stream.response.parts == [TextPart("Hi")]
    assert [(each.path, each.json["stream"]) for each in server.requests] == [
        ("/responses", False),
        ("/responses", True),
    ]
    assert {each.headers["authorization"] for each in server.requests} == {"Bearer made-up-key"}


async def test_thoughts_go_back_to_the_service_that_sealed_them(server: LocalServer) -> None:
    server.script(json_reply(REPLY))
    reply, _ = await asked(model(server))
    await asked(model(server), [reply])
    assert server.requests[1].json["input"] == [THOUGHT, {"role": "assistant", "content": "Hi"}]


async def test_azure_has_them_too(server: LocalServer) -> None:
    server.script(json_reply(REPLY))
    provider = AzureProvider(azure_endpoint=server.url, api_version="preview", api_key="made-up-key")
    await asked(
        OpenAIResponsesModel("mine", provider=provider, system_prompt_role="developer"),
        [ModelRequest([SystemPromptPart("Be kind.")])],
    )
    [request] = server.requests
    assert (request.path, request.json["model"]) == ("/openai/responses?api-version=preview", "mine")
    assert request.json["input"] == [{"role": "developer", "content": "Be kind."}]


async def test_what_comes_after_the_end_is_ignored(server: LocalServer) -> None:
    server.script(event_reply(DELTA, END, DELTA, "no JSON", stall=True))
    assert (await streamed(model(server))).response.parts == [TextPart("Hi")]


async def test_requests_can_be_forbidden(server: LocalServer) -> None:
    with override_allow_model_requests(False):
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await asked(model(server))
        with pytest.raises(UserError, match="ALLOW_MODEL_REQUESTS"):
            await streamed(model(server))
    assert server.requests == []


def test_a_name_says_which_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "made-up-key")
    named = infer_model("openai-responses:gpt-5")
    assert isinstance(named, OpenAIResponsesModel)
    assert (named.system, named.model_name) == ("openai", "gpt-5")
