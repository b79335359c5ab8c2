"""Every recorded exchange of Cohere, answered by a local transport and read by the real client."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.models.cohere import CohereModel
from agentgraph.providers.cohere import CohereProvider
from tests.models.recordings import JSON, records
from tests.models.replaying import check


def model(record: JSON, client: httpx.AsyncClient) -> CohereModel:
    provider = CohereProvider(api_key="none-at-all", http_client=client, max_retries=0)
    return CohereModel(record["request"]["json"]["model"], provider=provider)


@pytest.mark.anyio
async def test_every_recorded_exchange_is_read_as_expected() -> None:
    await check(records("cohere"), model, {})
