"""Azure: where requests go, and what lets them in."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.exceptions import UserError
from agentgraph.models import infer_model
from agentgraph.models.openai import OpenAIModel
from agentgraph.providers import infer_provider
from agentgraph.providers.azure import AzureProvider
from tests.models.conversation import asked
from tests.models.local_server import chat_reply, local_server

KEY = "made-up-key"
CHAT = "/chat/completions"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.anyio
async def test_requests_of_a_version_go_to_the_deployment() -> None:
    with local_server(chat_reply()) as server:
        provider = AzureProvider(azure_endpoint=server.url, api_version="2024-10-21", api_key=KEY)
        await asked(OpenAIModel("gpt 4o/x", provider=provider))
    [request] = server.requests
    assert request.path == "/openai/deployments/gpt%204o%2Fx/chat/completions?api-version=2024-10-21"
    assert (request.headers["api-key"], "authorization" in request.headers) == (KEY, False)


def test_what_is_no_chat_is_below_no_deployment() -> None:
    provider = AzureProvider(azure_endpoint="https://h", api_version="preview", api_key=KEY)
    assert provider.route("/responses", "gpt-5") == "/responses?api-version=preview"


@pytest.mark.parametrize("endpoint", ["https://h", "https://h/", "https://h/openai/v1/", "https://h/openai"])
def test_without_a_version_requests_go_to_v1(endpoint: str) -> None:
    provider = AzureProvider(azure_endpoint=endpoint, api_key=KEY)
    assert (provider.base_url, provider.route(CHAT, "gpt-5")) == ("https://h/openai/v1", CHAT)


def test_all_of_it_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://h")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    provider = infer_provider("azure")
    assert (provider.name, provider.base_url) == ("azure", "https://h/openai")
    assert provider.redact(f"it was {KEY}") == "it was [redacted]"
    model = infer_model("azure:gpt-4o")
    assert isinstance(model, OpenAIModel)
    assert (model.system, model.profile.max_tokens) == ("azure", "max_completion_tokens")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(UserError, match="set the environment variable AZURE_OPENAI_ENDPOINT"):
        AzureProvider(api_key=KEY)
    with pytest.raises(UserError, match="set the environment variable AZURE_OPENAI_API_KEY"):
        AzureProvider(azure_endpoint="https://h")
    with pytest.raises(UserError, match="'azure' takes no base_url"):
        OpenAIModel("gpt-4o", provider="azure", base_url="https://h")


def test_a_client_may_let_itself_in() -> None:
    client = httpx.AsyncClient()
    assert AzureProvider(azure_endpoint="https://h", http_client=client).auth is None
