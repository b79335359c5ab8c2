"""Every recorded exchange of Anthropic's protocol, answered by a local transport and read by the real client."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.models.anthropic import AnthropicModel
from agentgraph.providers import RetrySettings
from agentgraph.providers.anthropic import AnthropicProvider
from tests.models.recordings import JSON, records
from tests.models.replayed import check, client_answering, raw_body, read

SMALL = 3000
"""Bytes up to which a stream is cut at every place."""


def make(model_name: str, client: httpx.AsyncClient) -> AnthropicModel:
    provider = AnthropicProvider(api_key="sk-none-at-all", http_client=client, max_retries=RetrySettings(max_retries=0))
    return AnthropicModel(model_name, provider=provider)


def name_of(record: JSON) -> str:
    name: str = record["request"]["json"]["model"]
    return name


@pytest.mark.anyio
async def test_every_recorded_message_is_read_as_expected() -> None:
    await check(records("anthropic"), name_of, make, argued={})


@pytest.mark.anyio
async def test_small_streams_may_be_cut_at_any_byte() -> None:
    small = [record for record in records("anthropic") if record["stream"] and len(raw_body(record)) < SMALL]
    assert small
    for record in small:
        body = raw_body(record)
        whole, usage = await read(make("m", client_answering(record)), streamed=True)
        for cut in range(1, len(body), 1):
            model = make("m", client_answering(record, body[:cut], body[cut:]))
            reply, used = await read(model, streamed=True)
            assert (reply.parts, reply.provider_details, used) == (whole.parts, whole.provider_details, usage)


@pytest.mark.anyio
async def test_streams_may_come_byte_by_byte() -> None:
    for record in (record for record in records("anthropic") if record["stream"]):
        body = raw_body(record).replace(b"\n", b"\r\n")
        whole, usage = await read(make("m", client_answering(record)), streamed=True)
        pieces = (body[i : i + 7] for i in range(0, len(body), 7))
        reply, used = await read(make("m", client_answering(record, *pieces)), streamed=True)
        assert (reply.parts, reply.provider_details, used) == (whole.parts, whole.provider_details, usage)
