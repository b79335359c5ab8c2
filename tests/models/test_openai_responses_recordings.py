"""Every recorded exchange of Responses, answered by a local transport and read by the real client."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.models.openai_responses import OpenAIResponsesModel
from agentgraph.providers.openai import OpenAIProvider
from tests.models.recordings import JSON, records
from tests.models.replaying import check

# Where our reading differs from `expected`, and why.
ARGUED = {
    # `usage` is null, as the reply is still to come: the tokens are not known, which is not the same as none.
    "openai_responses-3cd6842b": {"input", "output"},
    # output[0].content[0].text of the type `reasoning_text` is the thinking itself. The reference client keeps it apart
    # from its part; it is what there is to show, and it is sent back as what it was.
    "openrouter_responses-23d34a7b": {"thinking"},
}


def model(record: JSON, client: httpx.AsyncClient) -> OpenAIResponsesModel:
    provider = OpenAIProvider(api_key="sk-none-at-all", http_client=client, max_retries=0)
    return OpenAIResponsesModel(record["request"]["json"]["model"], provider=provider)


@pytest.mark.anyio
async def test_every_recorded_exchange_is_read_as_expected() -> None:
    await check(records("openai_responses"), model, ARGUED)


@pytest.mark.anyio
async def test_every_recorded_dialect_is_read_as_expected() -> None:
    chosen = [record for record in records("compat") if record["provider"].endswith("_responses")]
    await check(chosen, model, ARGUED)
