"""Many durable runs at once, beside the same by hand; and one by itself, beside a flush of its disk."""

from __future__ import annotations

import asyncio
import atexit
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, closing
from functools import cache
from pathlib import Path
from typing import Literal

from agentgraph.graph import Store
from agentgraph.stores import PostgresStore, SQLiteStore
from tests.postgres_server import PostgresServer, fresh_schema

from .by_hand import HandRun, HandStore
from .by_hand_batches import Batching, HandTable, Table
from .workload import UNLIMITED, looping_agent

__all__ = ["durable_crowd", "step_latency"]

Row = dict[str, float | str]

TURNS, SIZE = 15, 1000
STEPS = 2 * TURNS + 3
ROUNDS = 3


@cache
def _url() -> str:
    """A server that flushes, as the one of the tests does not."""
    server = PostgresServer(["shared_buffers=128MB"])
    atexit.register(server.remove)
    return server.url


def durable_crowd(runs: int, kept: Literal["SQLite FULL", "SQLite NORMAL", "PostgreSQL"]) -> Row:
    """Steps a second of so many runs at once, ours and by hand, the best of a few rounds in turns."""
    hand, ours = list[float](), list[float]()
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            hand.append(asyncio.run(_by_hand(runs, _table(kept, Path(folder)))))
            ours.append(asyncio.run(_ours(runs, _store(kept, Path(folder)))))
    return {
        "workload": f"{runs} durable runs at once, {kept}",
        "steps/s": max(ours),
        "by hand steps/s": max(hand),
        "ratio": max(ours) / max(hand),
    }


def step_latency(turns: int = 100) -> Row:
    """Seconds of a step that is flushed, and of a flush of the same disk by itself, in turns; medians."""
    with tempfile.TemporaryDirectory() as folder:
        steps, flushes = asyncio.run(_latency(Path(folder), turns))
    step, flush = sorted(steps)[len(steps) // 2], sorted(flushes)[len(flushes) // 2]
    return {"workload": "a step, SQLite FULL", "s a step": step, "s a flush": flush}


async def _latency(folder: Path, turns: int) -> tuple[list[float], list[float]]:
    store = SQLiteStore(folder / "runs.db")
    steps, flushes = list[float](), list[float]()
    log = os.open(folder / "log", os.O_CREAT | os.O_RDWR)
    async with looping_agent(turns, SIZE).iter("go", store=store, usage_limits=UNLIMITED) as run:
        for number in range(2 * turns):
            began = time.perf_counter()
            await run.next()
            steps.append(time.perf_counter() - began)
            os.pwrite(log, bytes(3 * 4120), number * 3 * 4120)  # about what a step adds to the log
            began = time.perf_counter()
            os.fdatasync(log)
            flushes.append(time.perf_counter() - began)
    os.close(log)
    await store.aclose()
    return steps, flushes


async def _by_hand(runs: int, table: AbstractContextManager[Table]) -> float:
    with table as where, Batching(where) as batching:
        await HandRun("warm").go(3, SIZE, batching.save)
        return await _rate(runs, lambda name: HandRun(name).go(TURNS, SIZE, batching.save))


async def _ours(runs: int, store: Store) -> float:
    agent = looping_agent(TURNS, SIZE)
    await looping_agent(3, SIZE).run("go", store=store, run_id="warm", usage_limits=UNLIMITED)
    rate = await _rate(runs, lambda name: agent.run("go", store=store, run_id=name, usage_limits=UNLIMITED))
    await store.aclose()
    return rate


async def _rate(runs: int, go: Callable[[str], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(go(f"run-{number}") for number in range(runs)))
    return runs * STEPS / (time.perf_counter() - began)


def _table(kept: str, folder: Path) -> AbstractContextManager[Table]:
    if kept == "PostgreSQL":
        return closing(HandTable(_url(), fresh_schema()))
    return closing(HandStore(folder / "hand.db", "FULL" if kept == "SQLite FULL" else "NORMAL"))


def _store(kept: str, folder: Path) -> Store:
    if kept == "PostgreSQL":
        return PostgresStore(_url(), schema=fresh_schema())
    return SQLiteStore(folder / "runs.db", synchronous="FULL" if kept == "SQLite FULL" else "NORMAL")
