"""How soon a process that follows a run sees a step that another process has committed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

import anyio

from agentgraph.graph import Graph, StepEnded, StepStarted, Store, follow
from agentgraph.stores import PostgresStore, SQLiteStore
from tests.postgres_server import fresh_schema, server_url

from .plain import Count

__all__ = ["follow_latency"]

Row = dict[str, float | str]

FOLLOWED = "followed"

PAUSE = 0.02
"""Seconds between two steps."""

counting = Graph(nodes=[Count], name="count")


def follow_latency(kind: Literal["SQLite", "PostgreSQL"], steps: int = 200) -> Row:
    """Seconds from the end of a commit to the follower's `StepEnded`; what a step takes then, and alone."""
    with tempfile.TemporaryDirectory() as folder:
        where = f"{Path(folder) / 'runs.db'}#" if kind == "SQLite" else f"{server_url()}#{fresh_schema()}"
        alone, _, _ = anyio.run(_run, where, steps, "alone")
        followed, ended, lines = anyio.run(_run, where, steps, FOLLOWED)
    seen = {int(seq): float(at) for seq, at in map(str.split, lines)}
    waits = sorted(seen[seq] - at for seq, at in ended.items())
    return {
        "workload": f"following a run on {kind}",
        "s until seen": waits[steps // 2],
        "s until seen, 95 %": waits[steps * 95 // 100],
        "s a step, followed": followed,
        "s a step, alone": alone,
    }


async def _run(where: str, steps: int, run_id: str) -> tuple[float, dict[int, float], list[str]]:
    """The median time of a step, when each had ended, and what the follower says, if the run has one."""
    store, said = _open(where), list[str]()
    ended: dict[int, float] = {}
    took: list[float] = []
    async with counting.iter(Count(0, steps - 1), store=store, run_id=run_id) as run:
        follower = _follower(where) if run_id == FOLLOWED else None
        for seq in range(steps):
            await anyio.sleep(PAUSE)
            began = time.perf_counter()
            await run.next()
            ended[seq] = time.perf_counter()
            took.append(ended[seq] - began)
    if follower is not None:
        said = follower.communicate()[0].splitlines()
    await store.aclose()
    return sorted(took)[steps // 2], ended, said


def _follower(where: str) -> subprocess.Popen[str]:
    """A process that has found the run."""
    command = [sys.executable, "-m", "benchmarks.following", where]
    follower = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    follower.stdout.readline()
    return follower


def _open(where: str) -> Store:
    url, _, schema = where.partition("#")
    return PostgresStore(url, schema=schema) if schema else SQLiteStore(url)


async def _follow(where: str) -> None:
    """Say when each step was seen: the clock is the machine's, the same in every process."""
    store = _open(where)
    async for told in follow(store, FOLLOWED):
        if isinstance(told.event, StepEnded):
            print(told.event.seq, time.perf_counter(), flush=True)
        elif told.event == StepStarted(FOLLOWED, 0, 1, "Count"):
            print("found", flush=True)
    await store.aclose()


if __name__ == "__main__":
    anyio.run(_follow, sys.argv[1])
