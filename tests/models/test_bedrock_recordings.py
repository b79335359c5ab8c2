"""Every recorded exchange of Bedrock, answered by a local transport and read by the real client."""

from __future__ import annotations

from urllib.parse import unquote

import httpx
import pytest

from agentgraph.models.bedrock import BedrockConverseModel
from agentgraph.providers.bedrock import BedrockProvider
from tests.models.recordings import JSON, records
from tests.models.replayed import check, client_answering, raw_body, read

pytestmark = pytest.mark.anyio


def make(model_name: str, client: httpx.AsyncClient) -> BedrockConverseModel:
    provider = BedrockProvider(region_name="us-east-1", api_key="none-at-all", http_client=client, max_retries=0)
    return BedrockConverseModel(model_name, provider=provider)


def name_of(record: JSON) -> str:
    return unquote(record["request"]["path"].split("/")[2])


async def test_every_recorded_exchange_is_read_as_expected() -> None:
    await check(records("bedrock"), name_of, make, argued={})


async def test_streams_may_be_cut_anywhere() -> None:
    for record in (record for record in records("bedrock") if record["stream"]):
        body = raw_body(record)
        whole, usage = await read(make("m", client_answering(record)), streamed=True)
        reply, used = await read(
            make("m", client_answering(record, *(body[i : i + 1] for i in range(len(body))))), streamed=True
        )
        assert (reply.parts, reply.provider_details, used) == (whole.parts, whole.provider_details, usage)
