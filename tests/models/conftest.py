from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentgraph.models.openai import OpenAIModel
from agentgraph.providers import RetrySettings
from agentgraph.providers.openai import OpenAIProvider
from tests.models.local_server import LocalServer, local_server

KEY = "sk-planted-0123456789"
AT_ONCE = RetrySettings(max_retries=2, first_delay=0, longest_delay=0, longest_retry_after=0)


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server() as running:
        yield running


@pytest.fixture
def model(server: LocalServer) -> OpenAIModel:
    """A chat model that is served by `server`."""
    provider = OpenAIProvider(api_key=KEY, base_url=f"{server.url}/v1", max_retries=AT_ONCE)
    return OpenAIModel("gpt-4o", provider=provider)
