"""Every recorded exchange of Groq, answered by a local transport and read by the real client."""

from __future__ import annotations

import httpx
import pytest

from agentgraph.models.groq import GroqModel
from agentgraph.providers.groq import GroqProvider
from tests.models.recordings import JSON, records
from tests.models.replaying import check

# Where our reading differs from `expected`, and why.
ARGUED = {
    # The stream ends with the error event, before any `usage`: the tokens are not known, which is not the same as none.
    "groq-6789c39e": {"input", "output"},
}


def model(record: JSON, client: httpx.AsyncClient) -> GroqModel:
    provider = GroqProvider(api_key="none-at-all", http_client=client, max_retries=0)
    return GroqModel(record["request"]["json"]["model"], provider=provider)


@pytest.mark.anyio
async def test_every_recorded_exchange_is_read_as_expected() -> None:
    await check(records("groq"), model, ARGUED)
