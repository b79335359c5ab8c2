"""Whether a process works, over HTTP."""

from __future__ import annotations

import json

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


@pytest.mark.parametrize(("status", "line"), [("serving", "200 OK"), ("ending", "503 Service Unavailable")])
async def test_health_is_told_over_http(status: str, line: str) -> None:
    ports: list[int] = []
    told = anyio.Event()

    def tell(port: int) -> None:
        ports.append(port)
        told.set()

    async with anyio.create_task_group() as group:
        health = Health(status="serving" if status == "serving" else "ending", running=2, queues=["q"])
        group.start_soon(tell_health, "127.0.0.1", 0, lambda: health, tell)
        await told.wait()
        first, body = await asked(ports[0])
        group.cancel_scope.cancel()
        assert first == f"HTTP/1.1 {line}"
        assert body == {"status": status, "running": 2, "queues": ["q"], "executor": None}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_worker_that_the_database_has_not_heard_of_for_too_long_says_so(url: str) -> None:
    ready = anyio.Event()
    async with DBOSDispatcher(url, stale_after=1e-6) as dispatcher, anyio.create_task_group() as group:
        group.start_soon(lambda: dispatcher.serve([counter], ready=ready.set))
        await ready.wait()
        assert (dispatcher.health().status, dispatcher.health().good) == ("unheard", False)
        dispatcher.stop()
