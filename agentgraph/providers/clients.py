"""HTTP clients, one per event loop and service, closed when their loop ends.

A connection belongs to the event loop that opened it, so a client must not be shared between loops; and a program has
many of them (each `run_sync` portal, each test, each thread). Neither asyncio nor trio tells anybody that a loop ends,
but both close the async generators that are still suspended then. So each client is held by a suspended generator,
whose `finally` closes it. Only a loop that is dropped without this courtesy leaves its client open.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import httpx
from anyio import NoEventLoopError
from anyio.lowlevel import RunVar
from httpx import AsyncClient
from pydantic import SecretStr

__all__ = ["AsyncClient", "HeaderAuth", "cached_async_http_client", "download_client"]

Key = tuple[str, float, float]
MAX_CONNECTIONS = 1000
KEPT_CONNECTIONS = 100


@dataclass(frozen=True)
class _Clients:
    """The clients of one event loop."""

    by_key: dict[Key, AsyncClient] = field(default_factory=dict[Key, AsyncClient])
    keepers: list[AsyncGenerator[None]] = field(default_factory=list[AsyncGenerator[None]])
    """Suspended to the end of the loop, also when the client was closed and replaced before."""


_clients: RunVar[_Clients] = RunVar("agentgraph_http_clients")
_loopless: dict[Key, AsyncClient] = {}


class HeaderAuth(httpx.Auth):
    """Puts secret headers on a request, unless it has them already."""

    def __init__(self, headers: Mapping[str, SecretStr]) -> None:
        self._headers = headers
        _silence_hpack()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers; nothing is negotiated."""
        for key, value in self._headers.items():
            if key not in request.headers:
                request.headers[key] = value.get_secret_value()
        yield request


@cache
def _silence_hpack() -> None:
    """Keep keys out of the logs of HTTP/2: hpack writes every header there, as it is or packed."""
    for name in ("hpack.hpack", "hpack.table"):
        logging.getLogger(name).addFilter(lambda record: record.levelno > logging.DEBUG)


def cached_async_http_client(*, provider: str = "", timeout: float = 600, connect: float = 5) -> AsyncClient:
    """The client of the running event loop for this service and these timeouts; made at the first call.

    Outside of an event loop it is a client of its own, to be used on one loop only and closed by the caller.

    Args:
        provider: the service's name; services do not share a client.
        timeout: seconds without any progress before a request is given up.
        connect: seconds for a connection to be made.
    """
    key = (provider, timeout, connect)
    clients = _of_this_loop()
    by_key = _loopless if clients is None else clients.by_key
    client = by_key.get(key)
    if client is None or client.is_closed:
        client = by_key[key] = _make_client(timeout, connect)
        if clients is not None:
            _keep(client, clients)
    return client


def download_client(timeout: float, connect: float = 5) -> AsyncClient:
    """A client for one download, to be closed: it shares nothing with others and asks no proxy of the environment.

    Args:
        timeout: seconds without any progress before a request is given up.
        connect: seconds for a connection to be made.
    """
    return _make_client(timeout, connect, trust_env=False)


def _of_this_loop() -> _Clients | None:
    try:
        clients = _clients.get(None)
    except NoEventLoopError:
        return None
    if clients is None:
        clients = _Clients()
        _clients.set(clients)
    return clients


@cache
def _tls() -> ssl.SSLContext:
    # It reads the certificates of the machine, which takes longer than all the rest of making a client.
    return httpx.create_ssl_context()


def _make_client(seconds: float, connect: float, *, trust_env: bool = True) -> AsyncClient:
    return AsyncClient(
        # Waiting for a free connection is waiting for our own requests, each of which has its limits: no limit.
        timeout=httpx.Timeout(seconds, connect=connect, pool=None),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS),
        headers={"user-agent": f"agentgraph/{_version()}"},
        follow_redirects=False,
        http2=find_spec("h2") is not None,  # the extra `http2`; over TLS, where the service offers it
        verify=_tls(),
        trust_env=trust_env,
    )


def _keep(client: AsyncClient, clients: _Clients) -> None:
    """Have the client closed when the running event loop ends."""

    async def keep() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            clients.by_key.clear()
            await client.aclose()

    keeper = keep()
    with suppress(StopIteration):  # how a first step without any waiting ends when it is taken by hand
        keeper.__anext__().send(None)
    clients.keepers.append(keeper)


def _version() -> str:
    try:
        return version("agentgraph")
    except PackageNotFoundError:  # the source tree itself is on the path
        return "dev"
