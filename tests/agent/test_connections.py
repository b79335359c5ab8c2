"""Runs reuse connections, wherever they are started from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from anyio import to_thread

from agentgraph import Agent
from agentgraph.models.openai import OpenAIModel
from tests.models.local_server import LocalServer, chat_events, chat_reply, event_reply, local_server


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with local_server(chat_reply("Hello.")) as running:
        yield running


def asking(server: LocalServer) -> Agent[None, str]:
    return Agent(OpenAIModel("gpt-4o", api_key="sk-made-up", base_url=server.url))


def test_a_loop_of_sync_runs_uses_one_connection(server: LocalServer) -> None:
    agent = asking(server)
    assert [agent.run_sync("Hi").data for _ in range(5)] == ["Hello."] * 5
    assert (len(server.requests), server.connections) == (5, 1)


def test_agents_of_one_service_share_a_connection(server: LocalServer) -> None:
    assert [asking(server).run_sync("Hi").data for _ in range(3)] == ["Hello."] * 3
    assert server.connections == 1


def test_sync_runs_in_threads_use_no_more_connections_than_there_are_threads(server: LocalServer) -> None:
    agent = asking(server)

    def ask(prompt: str) -> str:
        return agent.run_sync(prompt).data

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, ["Hi"] * 32))
    assert (found, len(server.requests)) == (["Hello."] * 32, 32)
    assert 1 <= server.connections <= 4


@pytest.mark.anyio
async def test_sync_runs_inside_a_running_loop_use_one_connection(server: LocalServer) -> None:
    agent = asking(server)
    assert agent.run_sync("Hi").data == agent.run_sync("Hi").data == "Hello."
    assert await to_thread.run_sync(lambda: agent.run_sync("Hi").data) == "Hello."
    assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.anyio
async def test_runs_of_one_loop_use_one_connection_streamed_or_not(server: LocalServer) -> None:
    agent = asking(server)
    await agent.run("Hi")
    server.script(event_reply(*chat_events("Hel", "lo.")))
    async with agent.run_stream("Hi") as response:
        assert await response.get_data() == "Hello."
    server.script(chat_reply("Hello."))
    assert (await agent.run("Hi")).data == "Hello."
    assert (len(server.requests), server.connections) == (3, 1)
