"""Whether this process serves runs, for whoever watches over processes: as a value, and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Literal

import anyio
from anyio.abc import SocketAttribute, SocketStream
from pydantic_core import to_json

__all__ = ["Health", "tell_health"]

_LONGEST = 8192
"""Bytes of a request that are read; what it asks for does not matter."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """How serving goes in this process."""

    status: Literal["serving", "ending", "idle", "unheard"]
    """`ending`: no further run is begun; `idle`: nothing is served here; `unheard`: the database has not heard of this
    worker for so long that its work is given to others."""
    running: int = 0
    """How many runs are executed here."""
    queues: Sequence[str] = ()
    """Those that runs are taken from."""
    executor: str | None = None
    """The worker's id, where it has one."""

    @property
    def good(self) -> bool:
        """Whether it is as it should be."""
        return self.status == "serving"


async def tell_health(host: str, port: int, look: Callable[[], Health], told: Callable[[int], None]) -> None:
    """Answer every HTTP request with the health, as JSON: status 200 if it is good, else 503. Runs until cancelled.

    Args:
        host: The address to listen at, `127.0.0.1` for this machine alone.
        port: The port; 0 for any that is free.
        look: Says how it is now.
        told: Called with the port when requests are answered.
    """

    async def answer(client: SocketStream) -> None:
        # Who only looks whether the port is open asks nothing, and who is impatient is gone when the answer comes.
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            async with client:
                with anyio.move_on_after(5):
                    await client.receive(_LONGEST)
                    await client.send(_response(look()))

    async with await anyio.create_tcp_listener(local_host=host, local_port=port) as listener:
        told(listener.extra(SocketAttribute.local_port))  # noqa: S610 - no query
        await listener.serve(answer)


def _response(health: Health) -> bytes:
    body = to_json(asdict(health)) + b"\n"
    head = f"HTTP/1.1 {'200 OK' if health.good else '503 Service Unavailable'}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body
