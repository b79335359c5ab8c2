"""A long run on SQLite: what a step costs at its end, against its beginning, in time and in bytes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Literal

import anyio

from agentgraph.graph import End
from agentgraph.stores import open_store

from .workload import UNLIMITED, looping_agent

__all__ = ["long_run"]

Row = dict[str, float | str]


def long_run(turns: int, size: int, synchronous: Literal["FULL", "NORMAL"]) -> Row:
    """Seconds and stored bytes per step in the first and the last quarter of a run of so many turns."""
    with tempfile.TemporaryDirectory() as folder:
        return anyio.run(_measure, Path(folder) / "runs.db", turns, size, synchronous)


async def _measure(path: Path, turns: int, size: int, synchronous: Literal["FULL", "NORMAL"]) -> Row:
    store = open_store(path, synchronous=synchronous)
    agent = looping_agent(turns, size)
    await agent.run("warm up", store=store, usage_limits=UNLIMITED, run_id="warm")
    times: list[float] = []
    async with agent.iter("go", store=store, usage_limits=UNLIMITED, run_id="long") as run:
        while not isinstance(run.next_node, End):
            began = time.perf_counter()
            await run.next()
            times.append(time.perf_counter() - began)
    sizes = [len(step.body) + len(step.state) + len(step.usage) for step in await store.steps("long")]
    await store.aclose()
    quarter = len(times) // 4
    return {
        "workload": f"{turns} turns, {size} B, SQLite {synchronous}",
        "steps": len(times),
        "s a step, first quarter": _per(times[:quarter]),
        "s a step, last quarter": _per(times[-quarter:]),
        "first B/step": _per(sizes[:quarter]),
        "last B/step": _per(sizes[-quarter:]),
        "file MB": (await anyio.Path(path).stat()).st_size / 1e6,
    }


def _per(values: list[float] | list[int]) -> float:
    return sorted(values)[len(values) // 2] if isinstance(values[0], float) else sum(values) / len(values)
