from __future__ import annotations

import socket

import anyio
import pytest

from tests.network import NetworkRefusedError


def test_a_foreign_address_is_refused() -> None:
    with socket.socket() as client, pytest.raises(NetworkRefusedError, match=r"192\.0\.2\.1"):
        client.connect(("192.0.2.1", 80))


def test_a_foreign_name_is_not_even_looked_up() -> None:
    with pytest.raises(NetworkRefusedError, match="start a server"):
        socket.getaddrinfo("example.com", 443)


@pytest.mark.anyio
async def test_neither_event_loop_gets_out() -> None:
    with pytest.RaisesGroup(NetworkRefusedError):
        await anyio.connect_tcp("192.0.2.1", 80)


@pytest.mark.anyio
async def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = await anyio.connect_tcp("127.0.0.1", server.getsockname()[1])
        server.accept()[0].close()
        await stream.aclose()
