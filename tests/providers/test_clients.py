from __future__ import annotations

import asyncio
import gc
import threading
from importlib.metadata import PackageNotFoundError

import anyio
import httpx
import pytest

from agentgraph.portal import run_sync
from agentgraph.providers import Provider
from agentgraph.providers.clients import cached_async_http_client
from tests.models.local_server import chat_reply, local_server


@pytest.mark.anyio
async def test_a_loop_has_one_client_for_a_service() -> None:
    client = cached_async_http_client(provider="a")
    assert cached_async_http_client(provider="a") is client
    assert cached_async_http_client(provider="b") is not client
    assert cached_async_http_client(provider="a", timeout=1) is not client
    assert (client.timeout.read, client.timeout.connect) == (600, 5)
    assert not client.follow_redirects


@pytest.mark.anyio
async def test_a_closed_client_is_replaced() -> None:
    client = cached_async_http_client(provider="a")
    await client.aclose()
    assert not cached_async_http_client(provider="a").is_closed


@pytest.mark.anyio
async def test_providers_of_one_name_share_a_client() -> None:
    one, other = (Provider("a", f"http://{host}") for host in ("x", "y"))
    assert one.client is other.client


async def used(url: str) -> httpx.AsyncClient:
    client = cached_async_http_client(provider="a")
    response = await client.post(url)
    assert response.status_code == 200
    return client


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_is_closed_with_its_loop(backend: str) -> None:
    with local_server(chat_reply()) as server:
        clients = [anyio.run(used, server.url, backend=backend) for _ in range(2)]
    assert clients[0] is not clients[1]
    assert all(client.is_closed for client in clients)
    gc.collect()


def test_a_loop_that_is_dropped_is_no_obstacle() -> None:
    loop = asyncio.new_event_loop()
    with local_server(chat_reply()) as server:
        client = loop.run_until_complete(used(server.url))
        loop.run_until_complete(client.aclose())
        loop.close()
        assert asyncio.run(used(server.url)) is not client


def test_threads_have_their_own_clients() -> None:
    clients: list[httpx.AsyncClient] = []

    async def make() -> None:
        clients.append(cached_async_http_client(provider="a"))

    threads = [
        threading.Thread(target=anyio.run, args=(make,), kwargs={"backend": backend}) for backend in ("asyncio", "trio")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in clients}) == 2


def test_sync_calls_reuse_connections() -> None:
    with local_server(chat_reply()) as server:

        async def ask() -> httpx.AsyncClient:
            return await used(server.url)

        assert run_sync(ask) is run_sync(ask)
        assert (len(server.requests), server.connections) == (2, 1)


def test_outside_of_a_loop_there_is_a_client_too() -> None:
    client = cached_async_http_client(provider="outside")
    assert cached_async_http_client(provider="outside") is client
    anyio.run(client.aclose)
    assert not cached_async_http_client(provider="outside").is_closed


def test_a_source_tree_has_a_version_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr("agentgraph.providers.clients.version", missing)
    client = cached_async_http_client(provider="unversioned")
    assert client.headers["user-agent"] == "agentgraph/dev"
