"""Every recorded exchange of the chat protocol, answered by a local transport and read by the real client."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, strategies as st

from agentgraph.models.openai import OpenAIModel
from agentgraph.providers import RetrySettings
from agentgraph.providers.openai import OpenAIProvider
from tests.models.codecs import driven
from tests.models.recordings import JSON, records
from tests.models.replaying import check, check_cuts, events_of, streams

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


chat_streams = cache(streams)


@pytest.mark.anyio
async def test_a_stream_cut_at_any_byte_holds_the_same_events() -> None:
    await check_cuts("openai_chat")


@pytest.mark.anyio
async def test_line_ends_of_any_kind_hold_the_same_events() -> None:
    for stream in chat_streams("openai_chat"):
        whole = await events_of(stream)
        assert await events_of(stream.replace(b"\n", b"\r\n")) == whole
        assert await events_of(stream.replace(b"\n", b"\r")) == whole


@given(data=st.data())
def test_a_stream_cut_anywhere_holds_the_same_events(data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(chat_streams("openai_chat")))
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20))), len(stream)]
    chunks = [stream[begin:end] for begin, end in pairwise(cuts) if begin < end]
    assert driven(events_of(*chunks)) == driven(events_of(stream))
