"""Databases and workers for tests: each test has a database of its own, workers are processes."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Self

import anyio
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from agentgraph.distributed import DBOSDispatcher
from agentgraph.graph import RunRecord, Status, Store
from agentgraph.portal import run_sync
from tests.postgres_server import server_url
from tests.shared_data import REPOSITORY

from .jobs import MARKS

__all__ = ["Fleet", "Worker", "database", "ended", "is_now", "prepare", "until", "wait_while"]


@contextmanager
def database(server: str | None = None) -> Generator[str]:
    """The URL of a database that has all tables, and goes with the block."""
    server = server_url() if server is None else server
    template, name = _prepared(server), f"test_{token_hex(6)}"
    _run(server, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield _at(server, name)
    finally:
        _run(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@cache
def _prepared(server: str) -> str:
    """A database to copy, made once by each process of these tests: all tables take more than a second."""
    name = f"prepared_{token_hex(6)}"
    _run(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    atexit.register(_forget, server, name)
    run_sync(partial(prepare, _at(server, name)))
    return name


def _forget(server: str, name: str) -> None:
    with suppress(psycopg.OperationalError):  # the server was one test's, and is gone
        _run(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


async def prepare(url: str) -> None:
    """Have all tables made."""
    async with DBOSDispatcher(url) as dispatcher:
        await dispatcher.prepare()


def _at(server: str, name: str) -> str:
    host = conninfo_to_dict(server)["host"]
    return f"postgresql://postgres@/{name}?host={host}"


def _run(server: str, statement: sql.Composed) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


class Worker:
    """A process of `agentgraph worker`."""

    def __init__(self, url: str, marks: Path, *options: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agentgraph.cli", "worker", "tests.distributed.jobs:served", *options],
            cwd=REPOSITORY,
            env={**environment, "AGENTGRAPH_STORE": url, MARKS: str(marks)},
        )
        self.pid = self._process.pid

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(60)

    def end(self) -> None:
        """Kill it, if it has not ended, and stopped or not."""
        self._process.kill()
        self._process.wait()


class Fleet:
    """Workers that end with the block."""

    def __init__(self, url: str, marks: Path, count: int, *options: str) -> None:
        self.workers: Sequence[Worker] = [Worker(url, marks, *options) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for worker in self.workers:
            worker.end()


async def until(store: Store, run_id: str, reached: Callable[[RunRecord], bool]) -> RunRecord:
    """The run, once it has come so far."""
    with anyio.fail_after(60):
        async with store.changes(run_id) as changes:
            while not reached(run := await store.load(run_id)):
                await changes.wait(0)
    return run


def wait_while(url: str, query: str) -> None:
    """Until a query of the database finds nothing; blocks."""
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query.encode()).fetchall():
            time.sleep(0.05)


def is_now(status: Status) -> Callable[[RunRecord], bool]:
    """Whether a run has it."""
    return lambda run: run.status is status


async def ended(store: Store, run_ids: Sequence[str]) -> list[RunRecord]:
    """The runs, once all of them have ended."""
    return [
        await until(store, run_id, lambda run: run.status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED))
        for run_id in run_ids
    ]
