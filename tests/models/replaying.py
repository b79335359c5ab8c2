"""Plays recorded answers to the real clients."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TypeAlias

import httpx

from agentgraph.exceptions import AgentRunError, ModelHTTPError
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.models.sse import SSE, Event, Framing
from agentgraph.usage import Usage
from tests.models.recordings import JSON, agree, body_of, expected, summary

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
ASK = ModelRequestParameters()

MakeModel: TypeAlias = Callable[[JSON, httpx.AsyncClient], Model]
"""A model for a record, and a client that answers with what was recorded."""


class Chunks(httpx.AsyncByteStream):
    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def bytes_of(record: JSON) -> bytes:
    response: JSON = record["response"]
    return base64.b64decode(response["base64"]) if "base64" in response else body_of(record).encode()


def client_answering(record: JSON) -> httpx.AsyncClient:
    """A client that gets the recorded answer to whatever it asks."""
    response = record["response"]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(response["status"], headers=response["headers"], stream=Chunks(bytes_of(record)))

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def read(record: JSON, model: Model) -> tuple[ModelResponse, Usage]:
    if not record["stream"]:
        return await model.request(PROMPT, None, ASK)
    async with model.request_stream(PROMPT, None, ASK) as reply:
        async for _ in reply:
            pass
        return reply.get(), reply.usage()


async def disagreements(record: JSON, model: Model) -> set[str]:
    """The fields in which our reading of a record differs from the reference."""
    error = record["expected"].get("error")
    try:
        found = summary(*await read(record, model))
    except ModelHTTPError as failure:
        return set() if error is not None and error["status"] == failure.status_code else {"error"}
    except AgentRunError:
        return {"error"}
    if error is not None:
        return {"error"}
    wanted = expected(record)
    return {name for name in wanted if not agree(name, wanted[name], found[name])}


async def check(chosen: list[JSON], make: MakeModel, argued: Mapping[str, set[str]]) -> None:
    """Read the records; only the fields that are argued, by a record's id, differ from the reference."""
    differing = {record["id"]: await disagreements(record, make(record, client_answering(record))) for record in chosen}
    agreeing = [name for name, fields in differing.items() if not fields]
    print(f"{len(agreeing)} of {len(chosen)} records agree")  # noqa: T201 - what `pytest -s` is asked for
    assert {name: fields for name, fields in differing.items() if fields} == {
        record["id"]: argued[record["id"]] for record in chosen if record["id"] in argued
    }


def events_of(*chunks: bytes, framing: Framing = SSE) -> list[Event]:
    decoder = framing.decoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    assert decoder.damage is None
    return events
