"""What a step costs that is kept in a file: transactions, statements, flushes, hops to another thread, bytes."""

from __future__ import annotations

import sqlite3
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn

import anyio
import anyio.to_thread
import pytest

from agentgraph import Agent
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import RunRecord
from agentgraph.messages import ModelMessage
from agentgraph.model import ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.stores import SQLiteStore, group_commit
from agentgraph.stores.samples import new_run, next_commit
from benchmarks.workload import UNLIMITED, LoopingModel, looping_agent
from tests.work.counted import calls_of

pytestmark = pytest.mark.anyio

TURNS = 100
STEPS = 2 * TURNS + 3
"""The prompt, two a turn, the last request and the handling of its answer."""


@dataclass
class Said:
    """What was said to files, by which threads."""

    verbs: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def heard(self, statement: str) -> None:
        self.verbs.append((threading.get_ident(), statement.split(None, 1)[0]))

    @property
    def counts(self) -> Counter[str]:
        return Counter(verb for _, verb in self.verbs)

    @property
    def hops(self) -> int:
        """The transactions of other threads than this one."""
        return self.counts["COMMIT"] - self.verbs.count((threading.get_ident(), "COMMIT"))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    said, connect = Said(), sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:  # as `connect` takes them
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_trace_callback(said.heard)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    return said


async def kept(path: Path, synchronous: Literal["FULL", "NORMAL"], turns: int = TURNS, size: int = 1000) -> SQLiteStore:
    store = SQLiteStore(path, synchronous=synchronous)
    await looping_agent(turns, size).run("go", store=store, run_id="r", usage_limits=UNLIMITED)
    return store


def frames(path: Path) -> tuple[int, int]:
    """How many pages the write-ahead log holds, and how many transactions: each ends with the size of the file."""
    log = path.with_name(path.name + "-wal").read_bytes()
    (page_size,) = struct.unpack_from(">I", log, 8)
    sizes = [struct.unpack_from(">I", log, at + 4)[0] for at in range(32, len(log), 24 + page_size)]
    return len(sizes), sum(size > 0 for size in sizes)


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
async def test_a_step_is_one_transaction_of_two_statements(
    tmp_path: Path, said: Said, synchronous: Literal["FULL", "NORMAL"]
) -> None:
    store = SQLiteStore(tmp_path / "r.db", synchronous=synchronous)
    said.verbs.clear()
    await looping_agent(TURNS, 1000).run("go", store=store, run_id="r", usage_limits=UNLIMITED)
    counts = said.counts
    await store.aclose()
    assert counts["BEGIN"] == counts["COMMIT"] == STEPS + 1  # the run is created
    assert counts["UPDATE"] == STEPS
    assert counts["INSERT"] == STEPS + 2
    assert counts.total() <= 4 * STEPS + 24


# Every 64th step does; and on a machine that is busy, those that come before the thread has put its things away.
@pytest.mark.parametrize(("synchronous", "most"), [("NORMAL", STEPS // 3), ("FULL", STEPS + 1)])
async def test_a_step_hops_to_the_thread_only_for_the_disk(
    tmp_path: Path, said: Said, synchronous: Literal["FULL", "NORMAL"], most: int
) -> None:
    store = SQLiteStore(tmp_path / "r.db", synchronous=synchronous)
    said.verbs.clear()
    await looping_agent(TURNS, 1000).run("go", store=store, run_id="r", usage_limits=UNLIMITED)
    hops, all_of_them = said.hops, said.counts["COMMIT"]
    await store.aclose()
    assert (hops == all_of_them) is (synchronous == "FULL")
    assert 0 < hops <= most


async def test_a_step_is_flushed_once_and_writes_four_pages_at_most(tmp_path: Path) -> None:
    store = await kept(tmp_path / "r.db", "FULL", turns=40)
    pages, flushes = frames(store.path)
    await store.aclose()
    opening = 2  # the tables, the log's beginning
    assert flushes <= 2 * 40 + 3 + 1 + opening
    assert pages <= 4 * flushes + 40


@pytest.mark.parametrize(("size", "most"), [(1000, 2_700), (20_000, 24_000)])
async def test_the_file_holds_little_more_than_what_was_said(tmp_path: Path, size: int, most: int) -> None:
    store = await kept(tmp_path / "r.db", "NORMAL", size=size)
    await store.aclose()
    with closing(sqlite3.connect(tmp_path / "r.db")) as file:
        (pages,) = file.execute("PRAGMA page_count").fetchone()
    assert (pages * 4096 - 120_000) / TURNS < most


class Asked(LoopingModel):
    """Ends the process's part as soon as it is asked."""

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> NoReturn:
        raise GoneOnError(len(messages))


class GoneOnError(Exception):
    """The run was read back."""


def calls_of_c(name: str, work: Callable[[], object]) -> int:
    """How often a function that is not Python's is called in this thread."""
    calls = 0

    def count(_: object, event: str, what: object) -> None:
        nonlocal calls
        calls += event == "c_call" and getattr(what, "__name__", "") == name

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


async def left(path: Path, turns: int) -> None:
    """A run that stands before its last request to the model."""
    store = SQLiteStore(path, synchronous="NORMAL")
    async with looping_agent(turns, 1000).iter("go", store=store, run_id="r", usage_limits=UNLIMITED) as run:
        for _ in range(2 * turns + 1):
            await run.next()
    await store.aclose()


def gone_on(path: Path, turns: int) -> None:
    async def resume() -> None:
        store = SQLiteStore(path, synchronous="NORMAL")
        with pytest.raises(GoneOnError, match=str(2 * turns + 1)):
            await Agent(Asked(turns)).run(resume="r", store=store, usage_limits=UNLIMITED)
        await store.aclose()

    anyio.run(resume)


async def test_a_run_is_read_back_with_few_statements_and_each_message_once(tmp_path: Path, said: Said) -> None:
    counts: list[tuple[int, int]] = []
    for turns in (5, 55):
        path = tmp_path / f"{turns}.db"
        await left(path, turns)
        said.verbs.clear()
        resume = partial(gone_on, path, turns)
        validations = await anyio.to_thread.run_sync(calls_of_c, "validate_json", resume)
        counts.append((said.counts["SELECT"], validations))
    (few, once), (still_few, ten_times) = counts
    assert few == still_few <= 12
    assert ten_times - once == 2 * 50


async def take_steps(store: SQLiteStore, run: RunRecord, count: int) -> None:
    for seq in range(count):
        status = Status.RUNNING if seq < count - 1 else Status.SUCCEEDED
        await store.commit(next_commit(replace(run, seq=seq), status))


@pytest.mark.parametrize(("runs", "most"), [(8, 15 + 4), (1, 15)])
async def test_runs_in_step_share_each_flush(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch, runs: int, most: int
) -> None:
    monkeypatch.setattr(group_commit, "_MOMENT", (60.0, 60.0))  # so that it ends when all are there
    store = SQLiteStore(tmp_path / "r.db")
    created = [await store.create(new_run(f"r{n}")) for n in range(runs)]
    said.verbs.clear()
    async with anyio.create_task_group() as group:
        for run in created:
            group.start_soon(take_steps, store, run, 15)
    assert said.counts["COMMIT"] <= most
    await store.aclose()


async def test_a_step_waits_for_the_disk_without_a_shield_or_a_wake_up_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_MOMENT", (60.0, 60.0))
    store = SQLiteStore(tmp_path / "r.db")
    created = [await store.create(new_run(f"r{n}")) for n in range(8)]

    async def go() -> None:
        async with anyio.create_task_group() as group:
            for run in created:
                group.start_soon(take_steps, store, run, 15)

    calls = await calls_of(go)
    await store.aclose()
    assert calls["ThreadWaiter.outlast"] > 8 * 15
    assert calls["shielded"] == 0
    assert calls["Inbox.ring"] <= 15 + 4
