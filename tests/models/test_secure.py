"""Over TLS: HTTP/2 where it is installed, and certificates that belong to the name of a URL."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import trustme

from tests.models.local_server import Received, Reply, file_reply, local_server
from tests.models.protocols import CHAT, Said
from tests.models.secure_server import SecureListener
from tests.shared_data import REPOSITORY

CALL, TEXT = Said(calls=(("c1", "Oslo"),)), Said(texts=("It is ", "4 degrees."))
HOSTS = ("127.0.0.1", "pictures.example")


def answer(received: Received) -> Reply:
    if received.path == "/a.png":
        return file_reply(b"a picture", "image/png")
    said = TEXT if b'"role":"tool"' in received.body else CALL
    return CHAT.streamed(said) if received.json["stream"] else CHAT.plain(said)


def test_agents_speak_http_2_and_downloads_check_the_name(tmp_path: Path) -> None:
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
    assert said == ["It is 4 degrees."] * 4
    assert picture == "a picture"
    assert refusal == "its server could not be reached or was cut off (ConnectError)"
    assert len([received for received in server.requests if received.path == "/v1/chat/completions"]) == 8
    assert server.connections == 3  # one for each event loop, one for the download
