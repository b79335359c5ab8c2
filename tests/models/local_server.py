"""A model service on 127.0.0.1 that answers by script, and misbehaves on request."""

from __future__ import annotations

import json
import select
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request as it came in; names of headers are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:  # Any: JSON
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass(frozen=True)
class Reply:
    """What to answer with: the chunks one by one, then a proper end, a cut, or silence."""

    chunks: tuple[bytes, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: bool = False
    """Close the connection where the next chunk should come."""
    stall: bool = False
    """Send nothing more, and keep the connection open."""
    silent: bool = False
    """Close the connection without any answer."""


Script = Callable[[Received], Reply]


def json_reply(body: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply((json.dumps(body).encode(),), status, {"content-type": "application/json", **named})


def file_reply(data: bytes, media_type: str = "", *, status: int = 200, **headers: str) -> Reply:
    """A file, without a media type unless one is given."""
    kind = {"content-type": media_type} if media_type else {}
    return Reply((data,) if data else (), status, {**kind, **headers})


def event_reply(*events: object, done: bool = True, cut: bool = False, stall: bool = False) -> Reply:
    """A stream of one chunk an event; what is no text is written as JSON."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    chunks = tuple(f"data: {text}\n\n".encode() for text in (*texts, *(["[DONE]"] if done else [])))
    return Reply(chunks, headers={"content-type": "text/event-stream"}, cut=cut, stall=stall)


def chat_reply(text: str = "Hello.") -> Reply:
    """A whole chat completion."""
    return json_reply(
        {
            "id": "chatcmpl-1",
            "model": "gpt-4o-2024-08-06",
            "created": 1_700_000_000,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        }
    )


def chat_events(*texts: str) -> list[object]:
    """The events of a streamed chat completion."""
    base = {"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "created": 1_700_000_000}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return [
        *({**base, "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts),
        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**base, "choices": [], "usage": usage},
    ]


class LocalServer:
    """Answers each request with the next reply of its script; the last one again and again."""

    def __init__(self, listener: Callable[[LocalServer], Listener] | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.closing = threading.Event()
        self.hung_up = threading.Event()
        """A client has closed a connection on which a reply stalled."""
        self._script: Script = lambda _: Reply(status=500)
        self._listener: Listener = _Plain(self) if listener is None else listener(self)

    @property
    def url(self) -> str:
        return f"{self._listener.scheme}://127.0.0.1:{self._listener.server_address[1]}"

    def script(self, *replies: Reply) -> None:
        """Answer with these, in order."""
        left = list(replies)
        self._script = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def answer(self, script: Script) -> None:
        """Answer with what a function makes of each request."""
        self._script = script

    def take(self, received: Received) -> Reply:
        self.requests.append(received)
        return self._script(received)

    @contextmanager
    def running(self) -> Generator[LocalServer]:
        thread = threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._listener.shutdown()
            thread.join()
            self._listener.server_close()


class Listener(ThreadingTCPServer):
    """Accepts connections for a service."""

    daemon_threads = True
    request_queue_size = 128  # connections opened all at once do not wait for one another
    scheme = "http"

    def __init__(self, service: LocalServer, handler: type[BaseRequestHandler]) -> None:
        self.service = service
        super().__init__(("127.0.0.1", 0), handler)


class _Plain(Listener):
    def __init__(self, service: LocalServer) -> None:
        super().__init__(service, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a small chunk goes out at once, and not when the one before was acknowledged

    def setup(self) -> None:
        super().setup()
        self._service.connections += 1

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client has gone
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(self._service.take(Received(self.path, headers, self.rfile.read(length))))

    do_GET = do_POST  # noqa: N815 - the name that the standard library looks for

    @property
    def _service(self) -> LocalServer:
        assert isinstance(self.server, Listener)
        return self.server.service

    def _answer(self, reply: Reply) -> None:
        self.close_connection = reply.cut or reply.silent or reply.stall
        if reply.silent:
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for chunk in reply.chunks:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        if reply.stall:
            self._wait_for_the_end()
        elif not reply.cut:
            self.wfile.write(b"0\r\n\r\n")

    def _wait_for_the_end(self) -> None:
        while not self._service.closing.wait(0.01):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1):
                self._service.hung_up.set()
                return


@contextmanager
def local_server(*replies: Reply, listener: Callable[[LocalServer], Listener] | None = None) -> Generator[LocalServer]:
    """A running server with this script."""
    server = LocalServer(listener)
    if replies:
        server.script(*replies)
    with server.running():
        yield server
