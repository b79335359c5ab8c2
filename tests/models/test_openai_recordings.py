"""Every recorded exchange of the chat protocol, answered by a local transport and read by the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from functools import cache
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import AgentRunError, ModelHTTPError
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from agentgraph.model import ModelRequestParameters
from agentgraph.models.openai import OpenAIModel
from agentgraph.models.sse import Event, decode_events
from agentgraph.providers import RetrySettings
from agentgraph.providers.openai import OpenAIProvider
from agentgraph.usage import Usage
from tests.models.recordings import JSON, body_of, expected, records, summary

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
ASK = ModelRequestParameters()
SMALL = 3000
"""Bytes up to which a stream is cut at every place."""

# Where our reading differs from `expected`, and why.
ARGUED = {
    # message.content begins with `<think>` and is cut off by the token limit before any `</think>`. The reference
    # client drops the tag and calls the rest text; we hand on the text as the service sent it.
    "huggingface-20511551": {"text"},
}


class Chunks(httpx.AsyncByteStream):
    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def model_answering(record: JSON) -> OpenAIModel:
    response = record["response"]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(response["status"], headers=response["headers"], stream=Chunks(body_of(record).encode()))

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    provider = OpenAIProvider(api_key="sk-none-at-all", http_client=client, max_retries=RetrySettings(max_retries=0))
    return OpenAIModel(record["request"]["json"]["model"], provider=provider)


async def read(record: JSON) -> tuple[ModelResponse, Usage]:
    model = model_answering(record)
    if not record["stream"]:
        return await model.request(PROMPT, None, ASK)
    async with model.request_stream(PROMPT, None, ASK) as reply:
        async for _ in reply:
            pass
        return reply.get(), reply.usage()


async def disagreements(record: JSON) -> set[str]:
    """The fields in which our reading of a record differs from the reference."""
    error = record["expected"].get("error")
    try:
        found = summary(*await read(record))
    except ModelHTTPError as failure:
        return set() if error is not None and error["status"] == failure.status_code else {"error"}
    except AgentRunError:
        return {"error"}
    if error is not None:
        return {"error"}
    wanted = expected(record)
    return {name for name in wanted if wanted[name] != found[name]}


async def check(chosen: list[JSON]) -> None:
    differing = {record["id"]: await disagreements(record) for record in chosen}
    agreeing = [name for name, fields in differing.items() if not fields]
    print(f"{len(agreeing)} of {len(chosen)} records agree")  # noqa: T201 - what `pytest -s` is asked for
    assert {name: fields for name, fields in differing.items() if fields} == {
        record["id"]: ARGUED[record["id"]] for record in chosen if record["id"] in ARGUED
    }


@pytest.mark.anyio
async def test_every_recorded_chat_is_read_as_expected() -> None:
    await check(records("openai_chat"))


@pytest.mark.anyio
async def test_every_recorded_dialect_of_chat_is_read_as_expected() -> None:
    await check([record for record in records("compat") if not record["provider"].endswith("_responses")])


async def events_of(*chunks: bytes) -> list[Event]:
    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [event async for event in decode_events(source())]


@cache
def streams() -> tuple[bytes, ...]:
    return tuple(body_of(record).encode() for record in records("openai_chat") if record["stream"])


@pytest.mark.anyio
async def test_a_stream_cut_at_any_byte_holds_the_same_events() -> None:
    for stream in (stream for stream in streams() if len(stream) < SMALL):
        whole = await events_of(stream)
        for cut in range(1, len(stream)):
            assert await events_of(stream[:cut], stream[cut:]) == whole


@pytest.mark.anyio
async def test_a_stream_that_comes_byte_by_byte_holds_the_same_events() -> None:
    for stream in streams():
        whole = await events_of(stream)
        assert await events_of(*(stream[i : i + 1] for i in range(len(stream)))) == whole
        assert await events_of(stream.replace(b"\n", b"\r\n")) == whole
        assert await events_of(stream.replace(b"\n", b"\r")) == whole


@given(data=st.data())
def test_a_stream_cut_anywhere_holds_the_same_events(data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(streams()))
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20))), len(stream)]
    chunks = [stream[begin:end] for begin, end in pairwise(cuts) if begin < end]
    assert run(events_of(*chunks)) == run(events_of(stream))


def run(work: Coroutine[object, None, list[Event]]) -> list[Event]:
    """Drive what never waits for anything outside."""
    try:
        work.send(None)
    except StopIteration as end:
        events: list[Event] = end.value
        return events
    raise AssertionError("it waits")
