from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from agentgraph.exceptions import UserError
from agentgraph.models.openai import OpenAIModel
from agentgraph.providers import Provider, RetrySettings, infer_provider
from agentgraph.providers.deepseek import DeepSeekProvider
from agentgraph.providers.openai import OpenAIProvider
from agentgraph.providers.services import SERVICES

SECRET = "sk-made-up-1234"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in SERVICES.values():
        monkeypatch.delenv(service.key, raising=False)
        if service.base_url_variable:
            monkeypatch.delenv(service.base_url_variable, raising=False)


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service.key_required])
def test_a_missing_key_names_its_variable(name: str) -> None:
    with pytest.raises(UserError, match=f"set the environment variable {SERVICES[name].key}"):
        infer_provider(name)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_known_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SERVICES[name].key, SECRET)
    provider = infer_provider(name)
    assert (provider.name, provider.base_url) == (name, SERVICES[name].base_url)


def authorization(provider: Provider) -> str | None:
    request = httpx.Request("POST", provider.base_url)
    auth = provider.auth
    if auth is not None:
        next(auth.sync_auth_flow(request))
    sent: str | None = request.headers.get("authorization")
    return sent


def test_local_services_need_no_key() -> None:
    assert authorization(infer_provider("ollama")) is None
    assert authorization(OpenAIProvider(service="ollama", api_key=SECRET)) == f"Bearer {SECRET}"


def test_an_own_address_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert authorization(OpenAIProvider(base_url="http://localhost:1/v1/")) is None
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:2/v1")
    assert infer_provider("openai").base_url == "http://localhost:2/v1"
    assert OpenAIProvider(base_url="http://localhost:1/v1/").base_url == "http://localhost:1/v1"


def test_a_key_is_put_on_requests_that_have_none() -> None:
    provider = OpenAIProvider(api_key=SECRET)
    assert authorization(provider) == f"Bearer {SECRET}"
    auth = provider.auth
    assert auth is not None
    own = httpx.Request("POST", provider.base_url, headers={"authorization": "own"})
    next(auth.sync_auth_flow(own))
    assert own.headers["authorization"] == "own"


def test_deepseek_has_a_class_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", SECRET)
    provider = DeepSeekProvider()
    assert (provider.name, provider.base_url) == ("deepseek", "https://api.deepseek.com")
    assert provider.profile.thinking_back == "reasoning_content"


@pytest.mark.parametrize("make", [lambda: infer_provider("opnai"), lambda: OpenAIProvider(service="opnai")])
def test_unknown_services_are_answered_by_the_known(make: Callable[[], Provider]) -> None:
    with pytest.raises(UserError, match=r"'opnai'; there are .*openai"):
        make()


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x", "http://", "http://a b", "http://[x"])
def test_an_address_has_to_be_one(url: str) -> None:
    with pytest.raises(UserError, match="base URL of 'openai'"):
        OpenAIProvider(api_key=SECRET, base_url=url)


def test_retries_are_a_number_or_all_of_it() -> None:
    settings = RetrySettings(max_retries=7, first_delay=0)
    assert OpenAIProvider(api_key=SECRET, max_retries=settings).retries is settings
    assert OpenAIProvider(api_key=SECRET, max_retries=0).retries == RetrySettings(max_retries=0)


def test_secrets_are_taken_out_of_what_comes_back() -> None:
    provider = OpenAIProvider(api_key=SECRET)
    assert provider.redact(f"wrong key {SECRET}") == "wrong key [redacted]"
    assert OpenAIProvider(api_key="x", base_url="http://h").redact("x marks it") == "x marks it"


def test_an_own_client_is_used() -> None:
    client = httpx.AsyncClient()
    assert OpenAIProvider(api_key=SECRET, http_client=client).client is client
    assert OpenAIModel("gpt-4o", api_key=SECRET, http_client=client).base_url == "https://api.openai.com/v1"


def test_a_model_takes_a_service_a_provider_or_neither() -> None:
    assert OpenAIModel("x", provider="ollama", base_url="http://h/v1").base_url == "http://h/v1"
    assert OpenAIModel("x", provider=Provider("mine", "http://h/v1")).system == "mine"
    with pytest.raises(UserError, match="api_key, base_url beside a provider object"):
        OpenAIModel("x", provider=OpenAIProvider(api_key=SECRET), api_key=SECRET, base_url="http://h")
    with pytest.raises(UserError, match="'nowhere' does not speak"):
        OpenAIModel("x", provider="nowhere")


def test_a_system_prompt_role_can_be_chosen() -> None:
    model = OpenAIModel("gpt-4o", api_key=SECRET, system_prompt_role="developer")
    assert model.profile.system_role == "developer"
    assert (model.model_name, repr(model)) == (
        "gpt-4o",
        "OpenAIModel('gpt-4o', provider=OpenAIProvider(name='openai', base_url='https://api.openai.com/v1'))",
    )
