"""Many runs of one agent in flight at once: how long they take together, and how much memory each takes."""

from __future__ import annotations

import gc
import time
import tracemalloc

import anyio

from agentgraph import Agent

from .workload import looping_agent

__all__ = ["many_runs"]

Row = dict[str, float | str]

WAIT = 0.05
"""Seconds that the model takes to reply."""


def many_runs(runs: int, turns: int = 3) -> Row:
    """Seconds for so many runs side by side, and the KB that each takes when they take most."""
    # Counting memory costs time, so each of the two has a round of its own.
    seconds, size = anyio.run(_seconds, runs, turns), anyio.run(_bytes, runs, turns)
    return {
        "workload": f"{runs} runs in flight, {turns} tool turns",
        "seconds": seconds,
        "KB/run": size / runs / 1000,
    }


async def _seconds(runs: int, turns: int) -> float:
    agent = looping_agent(turns, 100, WAIT)
    await agent.run("warm up")
    began = time.perf_counter()
    await _together(agent, runs)
    return time.perf_counter() - began


async def _bytes(runs: int, turns: int) -> float:
    agent = looping_agent(turns, 100, WAIT)
    await agent.run("warm up")
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await _together(agent, runs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


async def _together(agent: Agent[None, str], runs: int) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(runs):
            group.start_soon(agent.run, "go")
