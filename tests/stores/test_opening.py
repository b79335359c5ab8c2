"""`open_store` and what it loads."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from agentgraph import Agent, stores
from agentgraph.exceptions import StoreError, UserError
from agentgraph.models.test import TestModel
from agentgraph.stores import MemoryStore, SQLiteStore, open_store
from agentgraph.stores.samples import new_run
from tests.shared_data import REPOSITORY
from tests.stores.processes import Worker

pytestmark = pytest.mark.anyio


async def test_a_url_names_a_kind_of_store(tmp_path: Path) -> None:
    assert isinstance(open_store(), MemoryStore)
    assert open_store(":memory:") is not open_store(":memory:")
    for url in (tmp_path / "a.db", str(tmp_path / "b.db")):
        store = open_store(url)
        assert isinstance(store, SQLiteStore)
        await store.aclose()


async def test_a_store_is_returned_as_it_is() -> None:
    store = MemoryStore()
    assert open_store(store) is store


async def test_other_urls_are_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"redis://.*path of a file, postgresql://HOST/DATABASE") as caught:
        open_store("redis://user:secret@host/db")
    assert "secret" not in str(caught.value)


async def test_a_file_is_opened_once_in_a_process(tmp_path: Path) -> None:
    store = open_store(tmp_path / "r.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "r.db")
    assert open_store(str(tmp_path / "r.db")) is store
    assert open_store(tmp_path / "link.db") is store
    await store.aclose()
    again = open_store(tmp_path / "r.db")
    assert again is not store
    await again.aclose()


async def test_an_agent_opens_a_file_again_that_somebody_has_closed(tmp_path: Path) -> None:
    agent = Agent(TestModel(), store=tmp_path / "r.db")
    first = await agent.run("hello", run_id="one")
    await open_store(tmp_path / "r.db").aclose()
    assert (await agent.run(resume="one")).data == first.data


async def test_a_file_is_open_with_one_kind_of_settings(tmp_path: Path) -> None:
    store = open_store(tmp_path / "r.db", lease=5)
    with pytest.raises(UserError, match=r"lease=5.*synchronous='FULL'"):
        open_store(tmp_path / "r.db")
    await store.aclose()
    await open_store(tmp_path / "r.db", synchronous="NORMAL").aclose()


def replace_folder(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


async def test_a_file_that_was_replaced_is_another_one(tmp_path: Path) -> None:
    store = open_store(tmp_path / "r.db")
    replace_folder(tmp_path)
    other = open_store(tmp_path / "r.db")
    assert other is not store
    await store.aclose()
    await other.aclose()


async def test_a_forgotten_store_goes_away(tmp_path: Path) -> None:
    store = open_store(tmp_path / "r.db")
    await store.create(new_run())
    gone = weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None
    again = open_store(tmp_path / "r.db")
    assert (await again.claim("r")).epoch == 2
    await again.aclose()


def test_a_forgotten_store_does_not_keep_the_interpreter(tmp_path: Path) -> None:
    with Worker("forget", str(tmp_path / "r.db"), "r") as worker:
        assert worker.finish() == ""


async def test_a_forgotten_store_gives_its_runs_up_at_the_end(tmp_path: Path) -> None:
    with Worker("forget", str(tmp_path / "r.db"), "r") as worker:
        worker.finish()
    store = open_store(tmp_path / "r.db")
    assert (await store.load("r")).owner is None
    await store.aclose()


FORKING = """
import gc, os, sys, anyio
from agentgraph.exceptions import StoreError
from agentgraph.stores import open_store

store = open_store(sys.argv[1])
pid = os.fork()
if pid == 0:
    assert open_store(sys.argv[1]) is not store
    assert store.closed
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


def python(*args: str, env: dict[str, str] | None = None) -> int:
    return subprocess.run([sys.executable, *args], cwd=REPOSITORY, check=False, env=env).returncode


def test_a_forked_process_must_open_its_own(tmp_path: Path) -> None:
    assert python("-c", FORKING, str(tmp_path / "r.db")) == 0


@pytest.mark.parametrize("use", ["pass", "stores.open_store()", "stores.MemoryStore()"])
def test_a_driver_is_loaded_only_for_its_store(use: str) -> None:
    loaded = "sys.exit('sqlite3' in sys.modules or 'psycopg' in sys.modules)"
    code = f"import sys\nfrom agentgraph import stores\n{use}\n{loaded}"
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    assert python("-c", code, env=unmeasured) == 0  # coverage would load it


def test_the_package_has_only_its_names() -> None:
    with pytest.raises(AttributeError, match="RedisStore"):
        _ = stores.RedisStore  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue] - is tested


@pytest.mark.parametrize("lease", [0, -1])
def test_a_lease_is_above_zero(tmp_path: Path, lease: float) -> None:
    with pytest.raises(UserError, match="lease"):
        open_store(tmp_path / "r.db", lease=lease)
    assert not list(tmp_path.iterdir())


def test_other_arguments_are_checked_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="MemoryStore"):
        SQLiteStore(":memory:")
    with pytest.raises(UserError, match="'FULL' or 'NORMAL'"):
        open_store(tmp_path / "r.db", synchronous="OFF")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - a caller without types


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=str(tmp_path / "missing")):
        open_store(tmp_path / "missing" / "r.db")
