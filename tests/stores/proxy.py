"""A connection that can be lost at a chosen moment: a relay between a store and its PostgreSQL server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

__all__ = ["Proxy"]


class Proxy:
    """Relays until told to lose something; what the server was sent before, it works on to its end."""

    def __init__(self, url: str) -> None:
        with psycopg.connect(url) as connection:
            self._server = connection.info.host, connection.info.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._delivering: int | None = None
        self._lock = threading.Lock()
        self._shut = False
        port = self._listener.getsockname()[1]
        self.url = make_conninfo("", **{**conninfo_to_dict(url), "host": "127.0.0.1", "port": port})
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.cut()

    def lose_answer(self, after: int = 0) -> None:
        """Deliver so many answers more, of any connection; end the connection instead of delivering the next one."""
        self._delivering = after

    def cut(self) -> None:
        """End all connections to clients."""
        for client in self._clients:
            _end(client)

    def refuse(self) -> None:
        """Let nobody in any more."""
        self._shut = True

    def shut(self) -> None:
        """End all connections, and let nobody in."""
        self.refuse()
        self.cut()

    def reopen(self) -> None:
        """Let clients in again."""
        self._shut = False

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was shut down
            while True:
                client, _ = self._listener.accept()
                if self._shut:
                    client.close()
                else:
                    self._clients.append(client)
                    self._relay(client)

    def _relay(self, client: socket.socket) -> None:
        host, port = self._server
        if host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{host}/.s.PGSQL.{port}")
        else:
            server = socket.create_connection((host, port))
        threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
        threading.Thread(target=self._answer, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with client, suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        with server, suppress(OSError):
            while data := server.recv(65536):
                if self._is_lost():
                    break
                client.sendall(data)
        _end(client)

    def _is_lost(self) -> bool:
        with self._lock:
            if self._delivering is None:
                return False
            self._delivering = self._delivering - 1 if self._delivering else None
            return self._delivering is None


def _end(client: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        client.shutdown(socket.SHUT_RDWR)
