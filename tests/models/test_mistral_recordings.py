"""Every recorded exchange of Mistral, answered by a local transport and read by the real client."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.models.mistral import MistralModel
from agentgraph.providers.mistral import MistralProvider
from tests.models.recordings import JSON, records
from tests.models.replaying import check


def model(record: JSON, client: httpx.AsyncClient) -> MistralModel:
    provider = MistralProvider(api_key="none-at-all", http_client=client, max_retries=0)
    return MistralModel(record["request"]["json"]["model"], provider=provider)


@pytest.mark.anyio
async def test_every_recorded_exchange_is_read_as_expected() -> None:
    await check(records("mistral"), model, {})
