"""Recorded exchanges, answered by a local transport and read by the real client."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Mapping

import httpx

from agentgraph.exceptions import AgentRunError, ModelHTTPError
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from agentgraph.model import Model, ModelRequestParameters
from agentgraph.usage import Usage
from tests.models.recordings import JSON, body_of, expected, summary

PROMPT: list[ModelMessage] = [ModelRequest([UserPromptPart("Hello")])]
ASK = ModelRequestParameters()

MakeModel = Callable[[str, httpx.AsyncClient], Model]
"""Makes a model of this name that uses this client."""


class Chunks(httpx.AsyncByteStream):
    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def raw_body(record: JSON) -> bytes:
    response: JSON = record["response"]
    return base64.b64decode(response["base64"]) if "base64" in response else body_of(record).encode()


def client_answering(record: JSON, *chunks: bytes) -> httpx.AsyncClient:
    """A client that gets the recorded answer to whatever it asks, in these chunks."""
    response = record["response"]

    def answer(_: httpx.Request) -> httpx.Response:
        stream = Chunks(*(chunks or (raw_body(record),)))
        return httpx.Response(response["status"], headers=response["headers"], stream=stream)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def read(model: Model, *, streamed: bool) -> tuple[ModelResponse, Usage]:
    if not streamed:
        return await model.request(PROMPT, None, ASK)
    async with model.request_stream(PROMPT, None, ASK) as reply:
        async for _ in reply:
            pass
        return reply.get(), reply.usage()


async def disagreements(record: JSON, model: Model) -> set[str]:
    """The fields in which our reading of a record differs from the reference."""
    error = record["expected"].get("error")
    try:
        found = summary(*await read(model, streamed=record["stream"]))
    except ModelHTTPError as failure:
        return set() if error is not None and error["status"] == failure.status_code else {"error"}
    except AgentRunError:
        return {"error"}
    if error is not None:
        return {"error"}
    wanted = expected(record)
    return {name for name in wanted if wanted[name] != found[name]}


async def check(
    chosen: list[JSON], name_of: Callable[[JSON], str], make: MakeModel, argued: Mapping[str, set[str]]
) -> None:
    """Every record is read as expected, but for those that are argued about."""
    differing = {
        record["id"]: await disagreements(record, make(name_of(record), client_answering(record))) for record in chosen
    }
    agreeing = [name for name, fields in differing.items() if not fields]
    print(f"{len(agreeing)} of {len(chosen)} records agree")  # noqa: T201 - what `pytest -s` is asked for
    assert {name: fields for name, fields in differing.items() if fields} == dict(argued)
