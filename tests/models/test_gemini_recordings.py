"""Every recorded exchange of Gemini, answered by a local transport and read by the real client."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.models.gemini import GeminiModel
from agentgraph.providers import Provider
from tests.models.recordings import JSON, records
from tests.models.replaying import check

pytestmark = pytest.mark.anyio


def model(record: JSON, client: httpx.AsyncClient) -> GeminiModel:
    name: str = record["request"]["path"].rpartition("/")[2].partition(":")[0]
    service = "google-vertex" if record["provider"] == "google_vertex" else "google-gla"
    return GeminiModel(name, provider=Provider(service, "http://nowhere", http_client=client, max_retries=0))


async def test_every_recorded_exchange_is_read_as_expected() -> None:
    await check(records("google"), model, {})
