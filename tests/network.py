"""The suite's own rule for the network: nothing leaves this machine."""

from __future__ import annotations

from typing import Any

LOCAL = {"127.0.0.1", "::1", "localhost", ""}


class NetworkRefusedError(Exception):
    """A test reached for the network; no OSError, so that no client takes it for a failed connection and retries."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"tests do not reach {host!r}; start a server on 127.0.0.1, or use TestModel or FunctionModel")


def refuse_the_network(event: str, arguments: tuple[Any, ...]) -> None:  # any: each event has its own
    """An audit hook, and so below every client: raises for any address but those of this machine.

    An internet address is a tuple that begins with the host, a Unix socket's is text or bytes; a lookup names the host.
    """
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto"} and not isinstance(arguments[1], str | bytes):
        host = arguments[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if name is not None and name not in LOCAL:
        raise NetworkRefusedError(str(name))
