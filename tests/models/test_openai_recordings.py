"""Every recorded exchange of the chat protocol, answered by a local transport and read by the real client."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.models.openai import OpenAIModel
from agentgraph.providers import RetrySettings
from agentgraph.providers.openai import OpenAIProvider
from tests.models.recordings import JSON, records
from tests.models.replaying import check

# Where our reading differs from `expected`, and why.
ARGUED = {
    # message.content begins with `<think>` and is cut off by the token limit before any `</think>`, so all of it is
    # thinking. The reference client drops the tag and calls the rest text.
    "huggingface-20511551": {"text", "thinking"},
}


def chat_model(record: JSON, client: httpx.AsyncClient) -> OpenAIModel:
    provider = OpenAIProvider(api_key="sk-none-at-all", http_client=client, max_retries=RetrySettings(max_retries=0))
    return OpenAIModel(record["request"]["json"]["model"], provider=provider)


@pytest.mark.anyio
async def test_every_recorded_chat_is_read_as_expected() -> None:
    await check(records("openai_chat"), chat_model, ARGUED)


@pytest.mark.anyio
async def test_every_recorded_dialect_of_chat_is_read_as_expected() -> None:
    chosen = [record for record in records("compat") if not record["provider"].endswith("_responses")]
    await check(chosen, chat_model, ARGUED)
