"""What can be wrong with a URL, a server or a schema, each with its own sentence; none tells a password."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from agentgraph.exceptions import StoreError, UserError
from agentgraph.graph.lifecycle import Status
from agentgraph.stores import PostgresStore, open_store
from agentgraph.stores.postgres_database import Database, check_version
from agentgraph.stores.postgres_errors import cannot_write, is_lost, is_passing, may_have_arrived
from agentgraph.stores.postgres_schema import FORMAT, MIGRATIONS, migrate
from agentgraph.stores.samples import new_run, next_commit
from tests.postgres_server import LOCKED, fresh_schema, server_url
from tests.shared_data import REPOSITORY
from tests.stores.places import DatabasePlace

pytestmark = pytest.mark.anyio


def with_(url: str, **changes: str) -> str:
    """The same server, with other options."""
    return make_conninfo("", **{**conninfo_to_dict(url), **changes})


async def test_a_url_names_the_store(place: DatabasePlace) -> None:
    store = open_store(place.server, schema=place.schema)
    assert isinstance(store, PostgresStore)
    assert open_store(place.server, schema=place.schema) is store
    with pytest.raises(UserError, match=r"schema '.*' is open in this process with lease=15 and synchronous='FULL'"):
        open_store(place.server, schema=place.schema, lease=5)
    await store.aclose()
    again = open_store(place.server, schema=place.schema, lease=5)
    assert again is not store
    await again.aclose()


async def test_stores_of_two_schemas_are_strangers(place: DatabasePlace) -> None:
    other = replace(place, schema=fresh_schema())
    stores = [open_store(one.server, schema=one.schema) for one in (place, other)]
    for store in stores:
        await store.create(new_run())
    for store in stores:
        assert len(await store.list()) == 1
        await store.aclose()
    other.drop()


WITHOUT = """
import sys
sys.modules["psycopg"] = None
from agentgraph.exceptions import UserError
from agentgraph.stores import open_store
try:
    open_store("postgresql://user:secret@localhost/db")
except UserError as error:
    sys.exit("secret" in str(error) or "pip install 'agentgraph[postgres]'" not in str(error))
sys.exit("nothing was refused")
"""


def test_without_the_driver_the_extra_is_named() -> None:
    assert subprocess.run([sys.executable, "-c", WITHOUT], cwd=REPOSITORY, check=False).returncode == 0


FORKING = """
import gc, os, sys, anyio
from agentgraph.exceptions import StoreError
from agentgraph.stores import open_store

url, schema = sys.argv[1:]
store = open_store(url, schema=schema)
assert anyio.run(store.list) == []
pid = os.fork()
if pid == 0:
    assert store.closed
    assert open_store(url, schema=schema) is not store
    try:
        anyio.run(store.load, "r")
    except StoreError as error:
        assert "forked" in str(error)
    else:
        sys.exit("nothing was refused")
    del store
    gc.collect()
    sys.exit()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert anyio.run(store.list) == []
"""


def test_a_forked_process_must_open_its_own(place: DatabasePlace) -> None:
    forking = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, place.server, place.schema]
    done = subprocess.run(forking, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:se/cret@localhost/db",
        "postgresql://user:se@cret@localhost/db",
        "postgresql://user:secret%zz@localhost/db",
        "postgresql://user:se:cret@localhost/db?secret=1",
        "postgresql://user:x@localhost:se@cret/db",
    ],
)
def test_a_url_that_makes_no_sense_is_not_repeated(url: str) -> None:
    with pytest.raises(UserError, match="%40 %3A %2F %25") as caught:
        open_store(url)
    assert "cret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql://me:secret@localhost:1/runs", r"database 'runs' on localhost:1, schema 'agentgraph' cannot be"),
        ("postgresql://me:secret@/?host=/nowhere", "database 'me' on /nowhere:5432"),
        ("postgres://me:secret@127.0.0.1:1,127.0.0.2:2/runs", r"database 'runs' on 127\.0\.0\.1,127\.0\.0\.2:1,2"),
    ],
)
def test_a_server_that_is_not_there_is_named(url: str, named: str) -> None:
    with pytest.raises(StoreError, match=named) as caught:
        open_store(url)
    assert "it cannot be reached" in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.__cause__}"


def test_a_url_may_leave_all_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "/nowhere")
    monkeypatch.setenv("PGPORT", "77")
    monkeypatch.setenv("PGDATABASE", "runs")
    assert Database.at("postgresql://", "s", "FULL").place == "PostgreSQL database 'runs' on /nowhere:77, schema 's'"


def test_a_database_does_not_show_its_password() -> None:
    assert "secret" not in repr(Database.at("postgresql://me:secret@localhost/runs", "s", "FULL"))


def test_a_database_that_is_not_there_is_named() -> None:
    with pytest.raises(StoreError, match=r"database 'nothing' on .* cannot be opened: .*\"nothing\" does not exist"):
        PostgresStore(with_(server_url(), dbname="nothing"))


@pytest.mark.parametrize("schema", ["", "a b", "a%s", 'a"', "x" * 64, "ä" * 32])
def test_a_schema_has_a_plain_name(schema: str) -> None:
    with pytest.raises(UserError, match="schema="):
        open_store("postgresql://localhost/db", schema=schema)


def test_other_arguments_are_checked_too() -> None:
    with pytest.raises(UserError, match="lease"):
        open_store("postgresql://localhost/db", lease=0)
    with pytest.raises(UserError, match="'FULL' or 'NORMAL'"):
        open_store("postgresql://localhost/db", synchronous="OFF")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - a caller without types


async def test_a_schema_of_another_program_is_not_touched(place: DatabasePlace) -> None:
    with place.connect() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(place.schema)))
        connection.execute("CREATE TABLE meta (id int)")
        with pytest.raises(StoreError, match=rf"schema '{place.schema}' holds tables of another program; give another"):
            place.open()
        connection.execute("DROP TABLE meta")
    await place.open().aclose()


async def test_a_newer_format_is_refused_by_name(place: DatabasePlace) -> None:
    await place.open().aclose()
    with place.connect() as connection:
        connection.execute("UPDATE meta SET value = %s", (str(FORMAT + 1),))
    with pytest.raises(StoreError, match=f"format {FORMAT + 1}, this release reads up to {FORMAT}; upgrade agentgraph"):
        place.open()


async def test_an_older_format_is_brought_up(place: DatabasePlace) -> None:
    await place.open().aclose()
    more: Sequence[LiteralString] = ["CREATE TABLE {schema}.added (x int)"]
    with place.connect() as connection:
        migrate(connection, place.schema, "here", [*MIGRATIONS, more, ["INSERT INTO {schema}.added VALUES (1)"]])
        migrate(connection, place.schema, "here", [*MIGRATIONS, ["never"], ["never"]])
        found = connection.execute("SELECT x, value FROM added, meta").fetchall()
    assert found == [(1, str(FORMAT + 2))]


async def test_a_migration_that_breaks_is_undone(place: DatabasePlace) -> None:
    await place.open().aclose()
    with place.connect() as connection:
        with pytest.raises(psycopg.Error):
            migrate(connection, place.schema, "here", [*MIGRATIONS, ["CREATE TABLE {schema}.added (x int)", "wrong"]])
        assert connection.execute("SELECT value, to_regclass('added') FROM meta").fetchall() == [(str(FORMAT), None)]


@pytest.fixture
def stranger(place: DatabasePlace) -> Iterator[str]:
    """The URL of a user who may do nothing, and has a password."""
    with place.connect() as connection:
        name = sql.Identifier(place.schema)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(name))
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (LOCKED,)).fetchall():
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(LOCKED), name))
        yield with_(place.server, user=place.schema, password="secret")
        connection.execute(sql.SQL("DROP OWNED BY {}").format(name))
        connection.execute(sql.SQL("DROP ROLE {}").format(name))


async def test_a_wrong_password_is_told_and_not_repeated(place: DatabasePlace, stranger: str) -> None:
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        PostgresStore(with_(stranger, password="wrong-secret"), schema=place.schema)
    told = f"{caught.value} {caught.value.__cause__!r}"
    if "permission" in told:
        pytest.skip("the server asks nobody for a password")
    assert "password authentication failed" in told
    assert "secret" not in told


async def test_a_user_without_permission_is_told_what_he_needs(place: DatabasePlace, stranger: str) -> None:
    with pytest.raises(StoreError, match="this user has no permission; grant this user all on"):
        PostgresStore(stranger, schema=place.schema)
    with place.connect() as connection:
        names = sql.Identifier(place.schema), sql.Identifier(place.schema)
        connection.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(*names))
    store = PostgresStore(stranger, schema=place.schema)
    run = await store.create(new_run())
    assert await store.commit(next_commit(run)) is Status.RUNNING
    await store.aclose()


async def test_a_table_that_is_gone_is_named(place: DatabasePlace) -> None:
    store = place.open()
    run = await store.create(new_run())
    with place.connect() as connection:
        connection.execute("DROP TABLE steps")
    with pytest.raises(StoreError, match=r"cannot be read: PostgreSQL says 'relation .*steps\" does not exist'"):
        await store.steps("r")
    with pytest.raises(StoreError, match=r"run 'r' stands before step 0; .*resume='r'"):
        await store.commit(next_commit(run))
    assert (await store.load("r")).seq == 0
    await store.aclose()


async def test_an_id_that_cannot_be_kept_is_refused(place: DatabasePlace) -> None:
    store = place.open()
    for run_id in ("a\0b", "\udc80"):
        with pytest.raises((StoreError, UnicodeEncodeError)):
            await store.create(new_run(run_id))
    assert await store.list() == []
    await store.aclose()


def test_an_old_server_is_refused() -> None:
    with pytest.raises(StoreError, match=r"here is served by PostgreSQL 11, the store needs 12 or newer; upgrade"):
        check_version(110005, "here")
    check_version(120000, "here")


@pytest.mark.parametrize(
    ("error", "lost", "passing", "arrived"),
    [
        (psycopg.OperationalError("gone"), True, True, True),
        (psycopg.errors.AdminShutdown(), True, True, True),
        (psycopg.errors.ConnectionFailure(), True, True, True),
        (psycopg.errors.ReadOnlySqlTransaction(), True, True, False),
        (psycopg.errors.CannotConnectNow(), True, True, False),
        (psycopg.errors.DeadlockDetected(), False, True, False),
        (psycopg.errors.SerializationFailure(), False, True, False),
        (psycopg.errors.DiskFull(), False, False, False),
        (psycopg.ProgrammingError("placeholders"), False, False, False),
        (ValueError(), False, False, False),
    ],
)
def test_only_what_may_pass_is_tried_again(error: Exception, *, lost: bool, passing: bool, arrived: bool) -> None:
    assert (is_lost(error), is_passing(error), may_have_arrived(error)) == (lost, passing, arrived)


def test_a_full_disk_is_told_with_its_way_out() -> None:
    failure = cannot_write("here", psycopg.errors.DiskFull("no space left"), "r", None, unsure=False)
    told = "here cannot be written: the server's disk is full. Nothing was written: run 'r' stands as it was; free some"
    assert str(failure).startswith(told)
    lost = cannot_write("here", psycopg.OperationalError("gone\n  away"), "r", None, unsure=True)
    assert "it cannot be reached (gone away). Whether the write of run 'r' was written is not known" in str(lost)
