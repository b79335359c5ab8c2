"""Over TLS: HTTP/2 where it is installed, and certificates that belong to the name of a URL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import trustme

from tests.models.local_server import Received, Reply, file_reply, local_server
from tests.models.protocols import KEY, PROTOCOLS, Said
from tests.models.secure_server import SecureListener
from tests.shared_data import REPOSITORY

CALL, TEXT = Said(calls=(("abcDEF123", "Oslo"),)), Said(texts=("It is ", "4 degrees."))
HOSTS = ("127.0.0.1", "pictures.example")


def answer(received: Received) -> Reply:
    if received.path == "/a.png":
        return file_reply(b"a picture", "image/png")
    protocol = next(each for each in PROTOCOLS if received.path.startswith(f"/{each.name}/"))
    said = TEXT if b"rain in Oslo, 4 degrees" in received.body else CALL
    is_streamed = "stream" in received.path.lower() or received.json.get("stream", False)
    return protocol.streamed(said) if is_streamed else protocol.plain(said)


def test_every_protocol_goes_over_http_2_logs_show_no_key_and_downloads_check_the_name(tmp_path: Path) -> None:
    authority = trustme.CA()
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with local_server(listener=lambda service: SecureListener(service, authority, *HOSTS)) as server:
        server.answer(answer)
        program = [sys.executable, "-m", "tests.models.secure_client", server.url]
        environment = {**os.environ, "SSL_CERT_FILE": str(trusted)}
        done = subprocess.run(program, capture_output=True, text=True, cwd=REPOSITORY, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    *said, picture, refusal = done.stdout.splitlines()
    assert said == ["It is 4 degrees."] * 4 * len(PROTOCOLS)
    assert picture == "a picture"
    assert refusal == "its server could not be reached or was cut off (ConnectError)"
    assert len(server.requests) == 8 * len(PROTOCOLS) + 1
    names = {protocol.client(server.url).system for protocol in PROTOCOLS}
    assert server.connections == 2 * len(names) + 1  # for each service one on each event loop, and one for the download
    assert "httpcore.http2" in done.stderr
    assert KEY not in done.stderr
    assert "hpack" not in done.stderr
