"""Every recorded exchange of Anthropic's protocol, answered by a local transport and read by the real client."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.models.anthropic import AnthropicModel
from agentgraph.providers.anthropic import AnthropicProvider
from tests.models.recordings import JSON, records
from tests.models.replaying import check

pytestmark = pytest.mark.anyio


def model(record: JSON, client: httpx.AsyncClient) -> AnthropicModel:
    provider = AnthropicProvider(api_key="sk-none-at-all", http_client=client, max_retries=0)
    return AnthropicModel(record["request"]["json"]["model"], provider=provider)


async def test_every_recorded_message_is_read_as_expected() -> None:
    await check(records("anthropic"), model, {})
