"""Providers that have a class of their own, by name and beside a model."""

from __future__ import annotations

import pytest

from agentgraph.exceptions import UserError
from agentgraph.models.cohere import CohereModel
from agentgraph.models.gemini import GeminiModel
from agentgraph.providers import Provider, infer_provider
from agentgraph.providers.cohere import CohereProvider

KEYS = {"cohere": "CO_API_KEY", "google-gla": "GEMINI_API_KEY"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEYS.values(), "CO_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", KEYS)
def test_a_missing_key_names_its_variable(name: str) -> None:
    with pytest.raises(UserError, match=f"set the environment variable {KEYS[name]}"):
        infer_provider(name)


@pytest.mark.parametrize("name", KEYS)
def test_a_provider_is_known_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS[name], "made-up-key")
    provider = infer_provider(name)
    assert provider.name == name
    assert provider.redact("it was made-up-key") == "it was [redacted]"


def test_an_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CO_BASE_URL", "http://localhost:1/")
    assert CohereProvider(api_key="made-up-key").base_url == "http://localhost:1"
    assert CohereProvider(api_key="made-up-key", base_url="http://h").base_url == "http://h"


def test_a_model_takes_a_name_with_options_or_a_provider() -> None:
    assert GeminiModel("x", api_key="made-up-key", base_url="http://h/v1").base_url == "http://h/v1"
    assert CohereModel("x", provider=Provider("mine", "http://h")).system == "mine"
    with pytest.raises(UserError, match="api_key beside a provider object"):
        CohereModel("x", provider=Provider("mine", "http://h"), api_key="made-up-key")


def test_a_provider_has_to_speak_the_protocol_of_its_model() -> None:
    with pytest.raises(UserError, match=r"'openai' does not speak .*; google-gla, google-vertex would"):
        GeminiModel("x", provider="openai")
