from __future__ import annotations

import httpx
import pytest

from agentgraph.exceptions import UserError
from agentgraph.models import infer_model
from agentgraph.models.anthropic import AnthropicModel
from agentgraph.providers import infer_provider
from agentgraph.providers.anthropic import AnthropicProvider

SECRET = "sk-made-up-1234"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_missing_key_names_its_variable() -> None:
    with pytest.raises(UserError, match="set the environment variable ANTHROPIC_API_KEY"):
        infer_provider("anthropic")


def test_key_and_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    assert infer_provider("anthropic").base_url == "https://api.anthropic.com"
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://localhost:1")
    model = infer_model("claude-sonnet-4-5")
    assert isinstance(model, AnthropicModel)
    assert (model.model_name, model.system, model.base_url) == ("claude-sonnet-4-5", "anthropic", "http://localhost:1")


def test_the_key_is_sent_in_its_own_header() -> None:
    request = httpx.Request("POST", "http://localhost")
    auth = AnthropicProvider(api_key=SECRET).auth
    assert auth is not None
    next(auth.sync_auth_flow(request))
    assert request.headers["x-api-key"] == SECRET


def test_a_model_takes_a_provider_or_what_to_make_it_of() -> None:
    provider = AnthropicProvider(api_key=SECRET, base_url="http://h")
    assert AnthropicModel("m", provider=provider).base_url == "http://h"
    assert AnthropicModel("m", api_key=SECRET, base_url="http://x").base_url == "http://x"
    with pytest.raises(UserError, match="api_key beside a provider object"):
        AnthropicModel("m", provider=provider, api_key=SECRET)
    with pytest.raises(UserError, match="does not speak"):
        AnthropicModel("m", provider="openai")
