"""The local model service behind TLS, speaking HTTP/2 alone."""

from __future__ import annotations

import ssl
from contextlib import suppress
from socketserver import BaseRequestHandler

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

from tests.models.local_server import Listener, LocalServer, Received, Reply


class SecureListener(Listener):
    scheme = "https"

    def __init__(self, service: LocalServer, authority: trustme.CA, *hosts: str) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["h2"])
        certificate = authority.issue_cert(*hosts)
        certificate.configure_cert(self.context)  # pyright: ignore[reportUnknownMemberType] - of pyOpenSSL, not here
        super().__init__(service, _Handler)


class _Handler(BaseRequestHandler):
    """One connection: requests are answered one after the other, each when it is whole."""

    def handle(self) -> None:
        assert isinstance(self.server, SecureListener)
        self._service = self.server.service
        with suppress(OSError), self.server.context.wrap_socket(self.request, server_side=True) as self._socket:
            assert self._socket.selected_alpn_protocol() == "h2"
            self._service.connections += 1
            self._speak()

    def _speak(self) -> None:
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._connection.initiate_connection()
        heads: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        self._flush()
        while data := self._socket.recv(65536):
            for event in self._connection.receive_data(data):
                match event:
                    case RequestReceived(headers=list(fields), stream_id=int(stream)):
                        heads[stream], bodies[stream] = {str(name): str(value) for name, value in fields}, b""
                    case DataReceived(data=bytes(piece), stream_id=int(stream)):
                        bodies[stream] += piece
                        self._connection.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                    case StreamEnded(stream_id=int(stream)):
                        head = heads[stream]
                        received = Received(head[":path"], head, bodies[stream])
                        self._answer(stream, self._service.take(received))
                    case _:
                        pass
            self._flush()

    def _answer(self, stream: int, reply: Reply) -> None:
        self._connection.send_headers(stream, [(":status", str(reply.status)), *reply.headers.items()])
        for chunk in reply.chunks:
            self._connection.send_data(stream, chunk)
            self._flush()
        self._connection.end_stream(stream)

    def _flush(self) -> None:
        self._socket.sendall(self._connection.data_to_send())
