"""A loop of very many steps: what a step costs at its end, what is held by then, and what it takes to go on."""

from __future__ import annotations

import gc
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from weakref import ReferenceType

import anyio

from agentgraph.graph import BaseNode, End, Graph, GraphRun, GraphRunContext, Store
from agentgraph.stores import MemoryStore, SQLiteStore

__all__ = ["long_loop"]

Row = dict[str, float | str]


@dataclass
class Sum:
    """The state."""

    total: int = 0


@dataclass
class Add(BaseNode[Sum, None, int]):
    """Counts to a number and adds up on the way."""

    n: int
    until: int

    async def run(self, ctx: GraphRunContext[Sum]) -> Add | End[int]:
        """Take one step."""
        ctx.state.total += self.n
        return Add(self.n + 1, self.until) if self.n < self.until else End(ctx.state.total)


adding = Graph(nodes=[Add], name="adding")


def long_loop(kept: Literal["nowhere", "memory", "SQLite"], steps: int = 100_000) -> Row:
    """CPU seconds per step in the first and the last tenth, objects more at the end, and one step by `Graph.step`."""
    with tempfile.TemporaryDirectory() as folder:
        return anyio.run(_measure, kept, steps, Path(folder) / "runs.db")


async def _measure(kept: str, steps: int, path: Path) -> Row:
    store = _store(kept, path)
    await adding.run(Add(0, 100), state=Sum(), store=store)
    tenth = steps // 10
    async with adding.iter(Add(0, steps), state=Sum(), store=store, run_id="loop") as run:
        first = await _walk(run, tenth)
        before = _objects()
        await _walk(run, steps - 2 * tenth)
        last = await _walk(run, tenth)
        after = _objects()
    row: Row = {
        "workload": f"a loop of {steps} steps, kept {'nowhere' if store is None else f'in {kept}'}",
        "s a step, first tenth": first / tenth,
        "s a step, last tenth": last / tenth,
        "objects more": after - before,
    }
    if store is not None:
        began = time.perf_counter()
        await adding.step("loop", store=store)
        row["s a step by itself"] = time.perf_counter() - began
        await store.aclose()
    return row


async def _walk(run: GraphRun[Sum, None, int], steps: int) -> float:
    began = time.process_time()
    for _ in range(steps):
        await run.next()
    return time.process_time() - began


def _objects() -> int:
    """How many the collector knows, without references to what is gone: a connection of sqlite3 keeps up to 200."""
    gc.collect()
    return sum(not isinstance(each, ReferenceType) or each() is not None for each in gc.get_objects())


def _store(kept: str, path: Path) -> Store | None:
    match kept:
        case "memory":
            return MemoryStore()
        case "SQLite":
            return SQLiteStore(path, synchronous="NORMAL")
        case _:
            return None
