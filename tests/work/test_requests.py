"""What a request to a service takes beside HTTP: nothing for retries that are not needed, little for each event."""

from __future__ import annotations

import json

import httpx
import pytest

from agentgraph import Agent
from agentgraph.models.openai import OpenAIModel
from agentgraph.providers.openai import OpenAIProvider
from tests.work.counting import Calls, counted_calls

pytestmark = pytest.mark.anyio


def chunk(text: str | None) -> str:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": "stop" if text is None else None}
    return f"data: {json.dumps({'id': 'x', 'created': 1_750_000_000, 'choices': [choice]})}\n\n"


async def streaming(events: int) -> Calls:
    body = "".join([*(chunk("word ") for _ in range(events)), chunk(None), "data: [DONE]\n\n"])
    answer = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: answer)) as client:
        provider = OpenAIProvider(api_key="none", base_url="http://service.test/v1", http_client=client)
        with counted_calls() as calls:
            async with Agent(OpenAIModel("chat", provider=provider)).run_stream("Hello") as response:
                texts = [text async for text in response.stream_text(delta=True, debounce_by=None)]
    assert len(texts) == events
    return calls


async def test_an_event_takes_a_few_functions() -> None:
    small, large = await streaming(100), await streaming(500)
    assert (large.within() - small.within()) / 400 < 25


async def test_a_request_that_succeeds_pays_nothing_for_those_that_do_not() -> None:
    calls = await streaming(10)
    assert calls.of("models/http.py", "_with_retries") > 0
    assert calls.of("models/http.py", "_again") == 0


async def asking(times: int) -> Calls:
    message = {"role": "assistant", "content": "word"}
    body = {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    async with httpx.AsyncClient(transport=transport) as client:
        provider = OpenAIProvider(api_key="none", base_url="http://service.test/v1", http_client=client)
        agent = Agent(OpenAIModel("chat", provider=provider))
        await agent.run("Hello")
        with counted_calls() as calls:
            for _ in range(times):
                await agent.run("Hello")
    return calls


async def test_a_plain_request_takes_a_few_functions() -> None:
    small, large = await asking(2), await asking(12)
    assert (large.within("models", "providers") - small.within("models", "providers")) / 10 < 75


async def test_what_every_request_needs_alike_is_looked_up_once() -> None:
    calls = await asking(3)
    assert calls.of("models/http.py", "fetch") > 0
    assert calls.of("models/http.py", "_address") == 0
    assert calls.of("models/prices.py", "price_list") == 0
