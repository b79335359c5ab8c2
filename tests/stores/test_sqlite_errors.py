"""What can be wrong with a file or a disk, each with its own sentence, and nothing written."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from agentgraph.exceptions import RunBusy, StoreError
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import RunRecord, Store
from agentgraph.stores import SQLiteStore
from agentgraph.stores.group_commit import GroupWriter
from agentgraph.stores.leases import Leases
from agentgraph.stores.medium import Item
from agentgraph.stores.owner import this_process
from agentgraph.stores.samples import HandClock, new_run, next_commit, settlement
from agentgraph.stores.sqlite_errors import cannot_read, check_version
from agentgraph.stores.sqlite_file import File
from agentgraph.stores.sqlite_schema import FORMAT, MIGRATIONS, migrate
from agentgraph.stores.sqlite_writer import AnyApply, FileMedium
from agentgraph.stores.sqlite_writes import Writes
from tests.shared_data import REPOSITORY

pytestmark = pytest.mark.anyio

NOBODY = 65534


@contextmanager
def unprivileged() -> Generator[None]:
    """As a user whom file modes bind."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user can reach and write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


async def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"there is no folder {tmp_path / 'no'}; create it"):
        SQLiteStore(tmp_path / "no" / "r.db")


async def test_a_file_as_folder_and_a_folder_as_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be created: Not a directory"):
        SQLiteStore(tmp_path / "file" / "r.db")
    with pytest.raises(StoreError, match=rf"{tmp_path} cannot be opened: it is a folder; give the path"):
        SQLiteStore(tmp_path)


def test_a_folder_without_permission(public: Path) -> None:
    public.chmod(0o555)
    with (
        unprivileged(),
        pytest.raises(StoreError, match="cannot be created: Permission denied; give a file in a folder"),
    ):
        SQLiteStore(public / "r.db")


async def test_a_read_only_file(public: Path) -> None:
    path = public / "r.db"
    await SQLiteStore(path).aclose()
    path.chmod(0o444)
    with (
        unprivileged(),
        pytest.raises(StoreError, match=r"r\.db cannot be opened: it is read-only for this user; give"),
    ):
        SQLiteStore(path)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("A long enough text that is certainly no database. " * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"notes\.txt cannot be opened: it is no SQLite database; give another path"):
        SQLiteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("statement", ["CREATE TABLE customers (id)", "PRAGMA application_id = 17"])
async def test_a_database_of_another_program(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "shop.db"
    change(path, statement)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"shop\.db is a database of another program; give another path"):
        SQLiteStore(path)
    assert path.read_bytes() == before


async def test_a_newer_format_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    await SQLiteStore(path).aclose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = ?", (FORMAT + 1,))
    with pytest.raises(StoreError, match=f"format {FORMAT + 1}, this release reads up to {FORMAT}; upgrade agentgraph"):
        SQLiteStore(path)


async def test_an_older_format_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    await SQLiteStore(path).aclose()
    with closing(sqlite3.connect(path)) as connection:
        migrate(connection, path, [*MIGRATIONS, ["CREATE TABLE added (x)"], ["INSERT INTO added VALUES (1)"]])
        migrate(connection, path, [*MIGRATIONS, ["never"], ["never"]])
        assert connection.execute("SELECT x, value FROM added, meta").fetchall() == [(1, str(FORMAT + 2))]


async def test_an_old_sqlite_is_refused() -> None:
    with pytest.raises(StoreError, match=r"SQLite 3\.34\.1, the store needs 3\.35"):
        check_version((3, 34, 1))
    check_version((3, 35, 0))


async def test_a_file_that_is_locked_too_long(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db", busy_timeout=0.01)
    run = await store.create(new_run())
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            StoreError, match=r"another process keeps it locked.*run 'r' stands before step 0"
        ) as caught:
            await store.commit(next_commit(run))
        with pytest.raises(StoreError, match="cannot be opened: another process keeps it locked"):
            SQLiteStore(store.path, busy_timeout=0.01)
    assert caught.value.run_id == "r"
    assert await store.commit(next_commit(run)) is Status.RUNNING
    await store.aclose()


async def test_a_claim_ends_even_if_the_file_cannot_be_told(tmp_path: Path) -> None:
    clock = HandClock()
    store, rival = (SQLiteStore(tmp_path / "r.db", busy_timeout=0.01, clock=clock) for _ in range(2))
    runs = [await store.create(new_run(run_id)) for run_id in ("a", "b")]
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for run in runs:
            with pytest.raises(StoreError):
                await store.settle(settlement(run, Event.FAIL))
    with pytest.raises(RunBusy):
        await rival.claim("a")  # it cannot know before the lease has run out
    assert (await store.claim("a")).epoch == 2
    with pytest.raises(RunBusy):
        await store.claim("a")
    assert await store.cancel("b") is Status.CANCELLED
    await store.aclose()
    await rival.aclose()


async def test_a_stale_owner_has_no_claim_to_end(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db", busy_timeout=0.01)
    stale = await store.create(new_run())
    await store.settle(settlement(stale, Event.RELEASE))
    await store.claim("r")
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError):
            await store.settle(settlement(stale, Event.FAIL))
    with pytest.raises(RunBusy):
        await store.claim("r")
    await store.aclose()


class BusyFile(File):
    """Another process begins to write just before the write-ahead log is switched on, and ends a little later."""

    def connect(self) -> sqlite3.Connection:
        connection, other = super().connect(), sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)

        def write(statement: str) -> None:
            if statement == "PRAGMA journal_mode":
                other.execute("BEGIN IMMEDIATE")
                threading.Timer(0.02, other.close).start()

        connection.set_trace_callback(write)
        return connection


def test_a_file_gets_its_log_although_others_write(tmp_path: Path) -> None:
    with closing(BusyFile(tmp_path / "r.db", "FULL", 30.0).open()) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_file_that_was_damaged_cannot_be_read(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "r.db")
    await store.create(new_run())
    change(store.path, "DROP TABLE steps")
    with pytest.raises(StoreError, match=r"r\.db cannot be read: SQLite says 'no such table: steps'"):
        await store.steps("r")
    with pytest.raises(StoreError, match=r"run 'r' stands before step 0; .*resume='r'"):
        await store.commit(next_commit(await store.load("r")))
    assert (await store.load("r")).seq == 0
    await store.aclose()


def test_errors_of_pythons_own_module_have_no_name() -> None:
    connection = sqlite3.connect(":memory:")
    connection.close()
    with pytest.raises(sqlite3.Error) as caught:
        connection.execute("SELECT 1")
    assert "closed database" in str(cannot_read(Path("r.db"), caught.value))


async def test_leases_that_cannot_be_renewed_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = SQLiteStore(tmp_path / "r.db", lease=0.9, busy_timeout=0.01)
    await store.create(new_run())
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other, caplog.at_level(logging.WARNING):
        other.execute("BEGIN IMMEDIATE")
        while "could not be renewed" not in caplog.text:
            await anyio.lowlevel.checkpoint()
        await store.aclose()
    assert "could not be given up" in caplog.text
    assert "locked" in caplog.text


class SmallFile(File):
    """A file on a disk that has little room."""

    def connect(self) -> sqlite3.Connection:
        connection = super().connect()
        connection.execute("PRAGMA max_page_count = 40")
        return connection


async def test_a_full_disk_stops_runs_where_they_are_committed(tmp_path: Path) -> None:
    leases, path, clock = Leases(15.0), tmp_path / "r.db", HandClock()
    medium = FileMedium(SmallFile(path, "NORMAL", 1.0), leases, clock)
    writer = GroupWriter[AnyApply](medium, leases, clock.monotonic)
    writes = Writes("r.db", this_process(), leases)
    failed: list[StoreError] = []

    async def create(run_id: str, size: int) -> None:
        apply = partial(writes.create, run=replace(new_run(run_id), state=b"x" * size))
        try:
            await writer.perform(Item[AnyApply, RunRecord](apply, run_id))
        except StoreError as error:
            failed.append(error)

    async with anyio.create_task_group() as group:
        for run_id, size in {"small": 1_000, "big": 500_000, "small too": 1_000}.items():
            group.start_soon(create, run_id, size)
    (error,) = failed
    assert "the disk is full. Nothing was written: run 'big' stands as it was; free some" in str(error)
    writer.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT run_id FROM runs ORDER BY run_id").fetchall() == [("small",), ("small too",)]


FILLING = """
import resource, sys, anyio
from agentgraph.exceptions import StoreError
from agentgraph.stores import SQLiteStore
from agentgraph.stores.samples import new_run, next_commit

async def main():
    store = SQLiteStore(sys.argv[1])
    run = await store.create(new_run())
    limit = store.path.with_name("r.db-wal").stat().st_size + 20_000
    if sys.argv[2] == "limited":
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        while True:
            await store.commit(next_commit(run))
            run = await store.load("r")
    except StoreError as error:
        print(run.seq, error)

anyio.run(main)
"""


def fill(path: Path, how: str) -> str:
    """Commit until that fails, in another process; what it said. Unmeasured: coverage would meet the limit too."""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    run = [sys.executable, "-c", FILLING, str(path), how]
    return subprocess.run(run, cwd=REPOSITORY, env=unmeasured, check=True, capture_output=True, text=True).stdout


def test_a_file_that_must_not_grow_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    said = fill(tmp_path / "r.db", "limited")
    seq = int(said.split()[0])
    assert f"Nothing was written: run 'r' stands before step {seq}" in said
    assert anyio.run(last_step, tmp_path / "r.db") == seq


async def last_step(path: Path) -> int:
    store: Store = SQLiteStore(path)
    run, steps = await store.load("r"), await store.steps("r")
    await store.aclose()
    assert [step.seq for step in steps] == list(range(-1, run.seq))
    return run.seq


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_full_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        said = fill(disk / "r.db", "unlimited")
        seq = int(said.split()[0])
        assert f"the disk is full. Nothing was written: run 'r' stands before step {seq}" in said
        shutil.copytree(disk, tmp_path / "copy")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert anyio.run(last_step, tmp_path / "copy" / "r.db") == seq
