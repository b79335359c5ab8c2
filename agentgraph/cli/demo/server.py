"""A model service on 127.0.0.1 that speaks Chat Completions, plain and streamed; the model behind it is `rules.py`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

from pydantic import ValidationError

from .conversation import ChatRequest, Conversation
from .rules import answer
from .wire import Completion

__all__ = ["MODEL", "model_server"]

MODEL = "desk-1"
"""What the model calls itself."""


@contextmanager
def model_server(pace: float = 0.004) -> Generator[str]:
    """Serve until the block ends; yields the base URL. `pace`: seconds from one streamed token to the next."""
    server = _Server(pace)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # connections that clients keep open do not hold the end up

    def __init__(self, pace: float) -> None:
        self.pace = pace
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client is gone, perhaps killed
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._send(HTTPStatus.OK, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is nothing at {self.path}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path != "/v1/chat/completions":
            self._refuse(HTTPStatus.NOT_FOUND, f"there is nothing at {self.path}")
            return
        try:
            request = ChatRequest.model_validate_json(body)
        except ValidationError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
            return
        reply = answer(Conversation.of(request))
        completion = Completion(reply, MODEL, body.decode(errors="replace"), uuid4().hex[:12], int(time.time()))
        if request.stream:
            self._stream(completion)
        else:
            self._send(HTTPStatus.OK, completion.whole())

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send(status, {"error": {"message": message, "type": "invalid_request_error"}})

    def _send(self, status: HTTPStatus, body: object) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _stream(self, completion: Completion) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in completion.chunks():
            self._event(json.dumps(chunk))
            time.sleep(self._pace)
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: str) -> None:
        line = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))

    @property
    def _pace(self) -> float:
        assert isinstance(self.server, _Server)
        return self.server.pace
