"""Runs that are kept nowhere but in memory: one answer, a tool loop, and transitions of a bare graph."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from agentgraph.graph import BaseNode, End, Graph
from agentgraph.stores import MemoryStore

from .workload import UNLIMITED, looping_agent

__all__ = ["one_answer", "tool_loop", "transitions"]

Row = dict[str, float | str]


@dataclass
class Count(BaseNode[None, None, int]):
    """Counts to a number, one transition at a time."""

    n: int
    until: int

    async def run(self, ctx: object) -> Count | End[int]:
        """Take one step."""
        del ctx
        return Count(self.n + 1, self.until) if self.n < self.until else End(self.n)


def one_answer(runs: int = 500) -> Row:
    """Microseconds for a prompt that is answered with text."""
    agent = looping_agent(0, 0)
    return {"workload": "one prompt, one answer, memory", "us/run": _median(lambda: agent.run("go"), runs) * 1e6}


def tool_loop(turns: int, runs: int) -> Row:
    """Microseconds per turn of a tool loop."""
    agent = looping_agent(turns, 100)
    seconds = _median(lambda: agent.run("go", usage_limits=UNLIMITED), runs)
    return {"workload": f"tool loop of {turns} turns, memory", "us/turn": seconds / turns * 1e6}


def transitions(count: int = 10_000) -> Row:
    """Microseconds per transition of a graph that only counts, stored nowhere and in memory."""
    graph = Graph(nodes=[Count], name="count")
    bare = _median(lambda: graph.run(Count(0, count)), 3)
    stored = _median(lambda: graph.run(Count(0, count), store=MemoryStore()), 3)
    return {
        "workload": f"{count} transitions of a bare graph",
        "us/step, kept nowhere": bare / count * 1e6,
        "us/step, memory store": stored / count * 1e6,
    }


def _median(work: Callable[[], Awaitable[object]], runs: int) -> float:
    async def measure() -> float:
        await work()
        times: list[float] = []
        for _ in range(runs):
            began = time.perf_counter()
            await work()
            times.append(time.perf_counter() - began)
        return sorted(times)[len(times) // 2]

    return anyio.run(measure)
