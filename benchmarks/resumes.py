"""A long run is gone on with: from opening its store to the next call of the model, beside the same by hand.

The process has done something before. What a fresh one takes on top of this, to load and build what Python loads and
builds once, is measured by `benchmarks.peers`.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import anyio

from agentgraph import Agent
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.model import ModelRequestParameters
from agentgraph.settings import ModelSettings
from agentgraph.stores import SQLiteStore
from agentgraph.usage import Usage

from .by_hand import HandRun, HandStore
from .workload import UNLIMITED, LoopingModel, looping_agent

__all__ = ["resumed"]

Row = dict[str, float | str]

ROUNDS = 9


class _ReachedError(Exception):
    """The model was called."""


class _Asked(LoopingModel):
    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        raise _ReachedError


def resumed(turns: int, size: int) -> Row:
    """Seconds of CPU, ours and by hand, the best of several in turns."""
    with tempfile.TemporaryDirectory() as folder:
        hand, ours = anyio.run(_measure, Path(folder), turns, size)
    return {
        "workload": f"resumed, {turns} turns of {size} B",
        "s resumed": ours,
        "s by hand": hand,
    }


async def _measure(folder: Path, turns: int, size: int) -> tuple[float, float]:
    ours, hand = folder / "ours.db", folder / "hand.db"
    store = SQLiteStore(ours, synchronous="NORMAL")
    async with looping_agent(turns, size).iter("go", store=store, run_id="run", usage_limits=UNLIMITED) as run:
        for _ in range(2 * turns + 1):
            await run.next()
    await store.aclose()
    table = HandStore(hand, "NORMAL")
    await HandRun("run").go(turns, size, table.save)
    table.close()
    agent = Agent(_Asked(turns), name="bench")
    rounds = [(_by_hand(hand), await _ours(ours, agent)) for _ in range(ROUNDS)]
    by_hand, by_us = zip(*rounds, strict=True)
    return min(by_hand), min(by_us)


def _by_hand(path: Path) -> float:
    gc.collect()
    began = time.process_time()
    table = HandStore(path, "NORMAL")
    table.read("run")
    took = time.process_time() - began
    table.close()
    return took


async def _ours(path: Path, agent: Agent[None, str]) -> float:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    gc.collect()
    began = time.process_time()
    store = SQLiteStore(copy, synchronous="NORMAL")
    with suppress(_ReachedError):
        await agent.run(resume="run", store=store, usage_limits=UNLIMITED)
    took = time.process_time() - began
    await store.aclose()
    return took
