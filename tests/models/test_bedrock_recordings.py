"""Every recorded exchange of Bedrock, answered by a local transport and read by the real client."""

from __future__ import annotations

from urllib.parse import unquote

import httpx
import pytest

from agentgraph.models.bedrock import BedrockConverseModel
from agentgraph.providers.bedrock import BedrockProvider
from tests.models.recordings import JSON, records
from tests.models.replaying import check

pytestmark = pytest.mark.anyio


def model(record: JSON, client: httpx.AsyncClient) -> BedrockConverseModel:
    provider = BedrockProvider(region_name="us-east-1", api_key="none-at-all", http_client=client, max_retries=0)
    return BedrockConverseModel(unquote(record["request"]["path"].split("/")[2]), provider=provider)


async def test_every_recorded_exchange_is_read_as_expected() -> None:
    await check(records("bedrock"), model, {})
