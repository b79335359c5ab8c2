"""HTTP clients, one per event loop and service, closed when their loop ends.

A connection belongs to the event loop that opened it, so a client must not be shared between loops; and a program has
many of them (each `run_sync` portal, each test, each thread). Neither asyncio nor trio tells anybody that a loop ends,
but both close the async generators that are still suspended then. So each client is held by a suspended generator,
whose `finally` closes it. A loop that is dropped without this courtesy takes its client along when it is collected.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import httpx
from anyio import NoEventLoopError
from anyio.lowlevel import RunVar
from httpx import AsyncClient
from pydantic import SecretStr

__all__ = ["AsyncClient", "HeaderAuth", "cached_async_http_client"]

Key = tuple[str, float, float]
MAX_CONNECTIONS = 1000
KEPT_CONNECTIONS = 100


@dataclass
class _Held:
    client: AsyncClient
    keeper: AsyncGenerator[None]


_clients: RunVar[dict[Key, _Held]] = RunVar("agentgraph_http_clients")
_loopless: dict[Key, AsyncClient] = {}


class HeaderAuth(httpx.Auth):
    """Puts secret headers on a request, unless it has them already."""

    def __init__(self, headers: Mapping[str, SecretStr]) -> None:
        self._headers = headers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers; nothing is negotiated."""
        for key, value in self._headers.items():
            if key not in request.headers:
                request.headers[key] = value.get_secret_value()
        yield request


def cached_async_http_client(*, provider: str = "", timeout: float = 600, connect: float = 5) -> AsyncClient:
    """The client of the running event loop for this service and these timeouts; made at the first call.

    Outside of an event loop it is a client of its own, to be used on one loop only and closed by the caller.

    Args:
        provider: the service's name; services do not share a client.
        timeout: seconds without any progress before a request is given up.
        connect: seconds for a connection to be made.
    """
    key = (provider, timeout, connect)
    try:
        held = _held()
    except NoEventLoopError:
        client = _loopless.get(key)
        if client is None or client.is_closed:
            client = _loopless[key] = _make_client(timeout, connect)
        return client
    if key not in held or held[key].client.is_closed:
        held[key] = _hold(held, key, _make_client(timeout, connect))
    return held[key].client


def _held() -> dict[Key, _Held]:
    """The clients of the running event loop."""
    held = _clients.get(None)
    if held is None:
        held = dict[Key, _Held]()
        _clients.set(held)
    return held


@cache
def _tls() -> ssl.SSLContext:
    # It reads the certificates of the machine, which takes longer than all the rest of making a client.
    return httpx.create_ssl_context()


def _make_client(seconds: float, connect: float) -> AsyncClient:
    return AsyncClient(
        # Waiting for a free connection is waiting for our own requests, each of which has its limits: no limit.
        timeout=httpx.Timeout(seconds, connect=connect, pool=None),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS),
        headers={"user-agent": f"agentgraph/{_version()}"},
        follow_redirects=False,
        verify=_tls(),
    )


def _hold(held: dict[Key, _Held], key: Key, client: AsyncClient) -> _Held:
    async def keep() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            held.pop(key, None)
            await client.aclose()

    keeper = keep()
    with suppress(StopIteration):  # how a first step without any waiting ends when it is taken by hand
        keeper.__anext__().send(None)
    return _Held(client, keeper)


def _version() -> str:
    try:
        return version("agentgraph")
    except PackageNotFoundError:  # the source tree itself is on the path
        return "dev"
