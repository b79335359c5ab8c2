"""What stands above the bodies of requests, beside those of a mainstream client; and media through the whole client."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest

from agentgraph.exceptions import ModelHTTPError
from agentgraph.messages import ImageUrl, ModelRequest, UserPromptPart
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
from agentgraph.settings import ModelSettings
from tests.models.conftest import KEY
from tests.models.conversations import Conversation, conversations, references
from tests.models.local_server import LocalServer, file_reply
from tests.models.recordings import JSON

pytestmark = pytest.mark.anyio

NOTHING_ADDED = {"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"}


def bedrock(name: str, client: httpx.AsyncClient) -> Model:
    provider = BedrockProvider(
        region_name="us-east-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key=KEY, http_client=client
    )
    return BedrockConverseModel(name, provider=provider)


MODELS: Mapping[str, Callable[[str, httpx.AsyncClient], Model]] = {
    "openai_chat": lambda name, client: OpenAIModel(name, api_key=KEY, http_client=client),
    "openai_responses": lambda name, client: OpenAIResponsesModel(name, api_key=KEY, http_client=client),
    "anthropic": lambda name, client: AnthropicModel(name, api_key=KEY, http_client=client),
    "google": lambda name, client: GeminiModel(name, api_key=KEY, http_client=client),
    "mistral": lambda name, client: MistralModel(name, api_key=KEY, http_client=client),
    "groq": lambda name, client: GroqModel(name, api_key=KEY, http_client=client),
    "cohere": lambda name, client: CohereModel(name, api_key=KEY, http_client=client),
    "bedrock": bedrock,
    "bedrock_nova": bedrock,
}


async def ask(model: Model, conversation: Conversation) -> None:
    if not conversation.stream:
        await model.request(conversation.messages, conversation.settings, conversation.parameters)
        return
    async with model.request_stream(conversation.messages, conversation.settings, conversation.parameters):
        pass


async def sent(provider: str, model_name: str, conversation: Conversation) -> httpx.Request:
    """The request of a conversation, which is refused."""
    requests: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(400)

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
        with suppress(ModelHTTPError):
            await ask(MODELS[provider](model_name, client), conversation)
    [request] = requests
    return request


def adapted(provider: str, reference: JSON) -> JSON:
    """The reference request as we want it, without its body."""
    path: str = reference["path"]
    head: JSON = {"method": reference["method"], "path": path, "key": reference["auth_header"], "version": None}
    match provider:
        case "anthropic":
            # The key goes where it is documented to go: https://platform.claude.com/docs/en/api/overview
            head |= {"key": "x-api-key", "version": reference["headers"]["anthropic-version"]}
        case "google":
            # Thoughts, their signatures and schemas of JSON are documented for `v1beta`, which all recordings went to.
            head["path"] = path.replace("/v1/", "/v1beta/")
        case _:
            pass
    return head


@pytest.mark.parametrize("provider", MODELS)
@pytest.mark.parametrize("name", ["one_tool", "streamed"])
async def test_requests_go_where_those_of_the_reference_client_go(provider: str, name: str) -> None:
    row = references(provider)[name]
    request = await sent(provider, row["model"], conversations()[name])
    head = adapted(provider, row["request"])
    assert (request.method, request.url.raw_path.decode()) == (head["method"], head["path"])
    assert request.headers["content-type"] == "application/json"
    assert request.headers.get("anthropic-version") == head["version"]
    others = {*request.headers} - NOTHING_ADDED - {"content-type", "anthropic-version"}
    assert {each for each in others if not each.startswith("x-amz-")} == {head["key"]}


async def test_sampling_is_asked_of_the_last_version_that_knows_it() -> None:
    row = references("anthropic")["sampling_settings"]
    request = await sent("anthropic", row["model"], conversations()["sampling_settings"])
    # The reference client names the newest version, which refuses `temperature` and `top_p`:
    # https://platform.claude.com/docs/en/api/migration-2026-10-21
    assert row["request"]["headers"]["anthropic-version"] == "2026-10-21"
    assert request.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("provider", ["bedrock", "bedrock_nova"])
async def test_what_bedrock_does_not_fetch_is_sent_as_the_reference_client_sends_it(
    server: LocalServer, provider: str
) -> None:
    row, conversation = references(provider)["image_url"], conversations()["image_url"]
    reference: JSON = row["request"]["json"]
    image = reference["messages"][0]["content"][1]["image"]
    server.script(file_reply(base64.b64decode(image["source"]["bytes"]), "image/png"))
    [prompt] = conversation.messages[0].parts
    assert isinstance(prompt, UserPromptPart)
    here = [ImageUrl(f"{server.url}/cat.png") if isinstance(item, ImageUrl) else item for item in prompt.content]
    settings: ModelSettings = {**conversation.settings, "downloads": {"allow_private": True}}
    settled = replace(conversation, messages=[ModelRequest([UserPromptPart(here)])], settings=settings)
    body = (await sent(provider, row["model"], settled)).content
    assert httpx.Response(200, content=body).json()["messages"] == reference["messages"]
