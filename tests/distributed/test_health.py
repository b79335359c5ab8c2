"""Whether a process works, over HTTP."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from agentgraph.distributed import DBOSDispatcher, Health, tell_health

from .jobs import counter

pytestmark = pytest.mark.anyio


async def asked(port: int) -> tuple[str, object]:
    async with await anyio.connect_tcp("127.0.0.1", port) as client:
        await client.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = b"".join([part async for part in client])
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode().splitlines()[0], json.loads(body)


@asynccontextmanager
async def telling(health: Health) -> AsyncGenerator[int]:
    """Tell it at a port while the block lasts."""
    ports, ready = list[int](), anyio.Event()

    def told(port: int) -> None:
        ports.append(port)
        ready.set()

    async with anyio.create_task_group() as group:
        group.start_soon(tell_health, "127.0.0.1", 0, lambda: health, told)
        await ready.wait()
        yield ports[0]
        group.cancel_scope.cancel()


@pytest.mark.parametrize(("status", "line"), [("serving", "200 OK"), ("ending", "503 Service Unavailable")])
async def test_health_is_told_over_http(status: str, line: str) -> None:
    health = Health(status="serving" if status == "serving" else "ending", running=2, queues=["q"])
    async with telling(health) as port:
        first, body = await asked(port)
    assert first == f"HTTP/1.1 {line}"
    assert body == {"status": status, "running": 2, "queues": ["q"], "executor": None}


@pytest.mark.parametrize("abruptly", [False, True])
async def test_who_only_looks_whether_the_port_is_open_does_no_harm(*, abruptly: bool) -> None:
    async with telling(Health(status="serving")) as port:
        with socket.create_connection(("127.0.0.1", port)) as looking:
            if abruptly:
                looking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        first, _ = await asked(port)
    assert first == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_worker_that_the_database_has_not_heard_of_for_too_long_says_so(url: str) -> None:
    ready = anyio.Event()
    async with DBOSDispatcher(url, stale_after=1e-6) as dispatcher, anyio.create_task_group() as group:
        group.start_soon(lambda: dispatcher.serve([counter], ready=ready.set))
        await ready.wait()
        assert (dispatcher.health().status, dispatcher.health().good) == ("unheard", False)
        dispatcher.stop()
