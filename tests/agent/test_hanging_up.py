"""Runs that are stopped while a service answers: the service sees its connection closed, whatever the protocol."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace

import anyio
import pytest
from anyio import to_thread

from agentgraph import Agent, DeadlineExceeded, MemoryStore, RunCancelled, StreamedRunResult
from agentgraph.messages import ModelResponse, TextPart
from tests.models.local_server import LocalServer, Received, Reply, local_server
from tests.models.protocols import CHAT, PROTOCOLS, Protocol, Said

pytestmark = pytest.mark.anyio

TEXT = Said(texts=("Once upon ", "a time."))
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])


@pytest.fixture
async def server() -> AsyncIterator[LocalServer]:
    with local_server() as running:
        yield running
        assert await to_thread.run_sync(running.hung_up.wait, 5)


def begun(protocol: Protocol) -> Reply:
    """A reply that stops for good after its first text."""
    whole = protocol.streamed(TEXT)
    first = next(at for at, chunk in enumerate(whole.chunks, 1) if b"Once" in chunk)
    return replace(whole, chunks=whole.chunks[:first], stall=True)


def agent_of(protocol: Protocol, server: LocalServer) -> Agent[None, str]:
    return Agent(protocol.client(server.url), store=MemoryStore())


async def to_the_first_text(response: StreamedRunResult[None, str]) -> None:
    async with aclosing(response.stream_text(debounce_by=None)) as texts:
        await anext(texts)


Stop = Callable[[Agent[None, str], StreamedRunResult[None, str]], Awaitable[object]]


async def by_response_cancel(agent: Agent[None, str], response: StreamedRunResult[None, str]) -> None:
    await response.cancel()


async def by_an_error(agent: Agent[None, str], response: StreamedRunResult[None, str]) -> None:
    raise KeyError


async def by_agent_cancel(agent: Agent[None, str], response: StreamedRunResult[None, str]) -> None:
    await agent.cancel("r")
    await anyio.sleep_forever()


async def by_a_scope(agent: Agent[None, str], response: StreamedRunResult[None, str]) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await response.get_data()
    await response.cancel()


async def by_its_deadline(agent: Agent[None, str], response: StreamedRunResult[None, str]) -> None:
    await response.get_data()


STOPS = [by_response_cancel, by_an_error, by_agent_cancel, by_a_scope, by_its_deadline]


@pytest.mark.parametrize("stop", STOPS)
async def test_a_stopped_stream_hangs_up(server: LocalServer, stop: Stop) -> None:
    server.script(begun(CHAT))
    agent = agent_of(CHAT, server)
    with suppress(KeyError, RunCancelled, DeadlineExceeded):
        deadline = 0.3 if stop is by_its_deadline else None
        async with agent.run_stream("Go on", run_id="r", deadline=deadline) as response:
            await to_the_first_text(response)
            await stop(agent, response)


@each_protocol
async def test_what_had_come_is_kept_and_sent_only_if_the_user_goes_on(server: LocalServer, protocol: Protocol) -> None:
    server.script(begun(protocol), protocol.plain(TEXT))
    agent = agent_of(protocol, server)
    async with agent.run_stream("Tell me", run_id="r", conversation="c") as response:
        await to_the_first_text(response)
        await response.cancel()
    kept = response.all_messages()[-1]
    assert isinstance(kept, ModelResponse)
    assert kept.state == "interrupted"
    (part,) = kept.parts
    assert isinstance(part, TextPart)
    fork = await agent.fork("r", conversation="d")
    assert (await agent.run(resume=fork)).data == TEXT.text
    await agent.run("Why did you stop?", conversation="c")
    again, further = (request.body.decode() for request in server.requests[1:])
    assert ("Once" in part.content, part.content in again, part.content in further) == (True, False, True)


@each_protocol
async def test_a_request_without_a_stream_hangs_up_too(server: LocalServer, protocol: Protocol) -> None:
    agent, asked = agent_of(protocol, server), threading.Event()

    def answer(request: Received) -> Reply:
        if asked.is_set():
            return protocol.plain(TEXT)
        asked.set()
        return replace(protocol.plain(TEXT), chunks=(), stall=True)

    async def cancel_when_asked() -> None:
        await to_thread.run_sync(asked.wait)
        await agent.cancel("r")

    server.answer(answer)

    async with anyio.create_task_group() as group:
        group.start_soon(cancel_when_asked)
        with pytest.raises(RunCancelled):
            await agent.run("Tell me", run_id="r")
    assert (await agent.run(resume="r")).data == TEXT.text
    assert server.requests[0].body == server.requests[1].body


async def fail_in_the_stream_of_a_node(agent: Agent[None, str]) -> None:
    async with agent.iter("Go on", run_id="r") as run:
        node = await run.next()
        assert Agent.is_model_request_node(node)
        async with node.stream(run.ctx) as stream:
            await anext(stream)
            raise KeyError


async def test_the_stream_of_a_node_whose_block_raises_hangs_up(server: LocalServer) -> None:
    server.script(begun(CHAT))
    with pytest.raises(KeyError):
        await fail_in_the_stream_of_a_node(agent_of(CHAT, server))
