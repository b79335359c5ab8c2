"""What every adapter speaks: `python with_LIBRARY.py WORKLOAD SIZE` prints one line of JSON.

That is `{"seconds": [...], "result": N}`, seconds of each repetition, or `{"none": "why"}`. Standard library only.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Cell", "Work", "answer", "square"]

Work = Callable[[], Awaitable[int]]
"""What is timed; returns a number that shows it was done."""

Cell = Callable[[int], Work] | str
"""Makes the work of a size, anew for each repetition and untimed; or why there is none."""

ENOUGH = 1.0
"""Seconds after which nothing is repeated."""

REPETITIONS = 5


async def square(number: int) -> int:
    """What each branch of a fork does: it gives way once."""
    await asyncio.sleep(0)
    return number * number


def answer(cells: Mapping[str, Cell]) -> None:
    """Do what the arguments ask for, and say how long it took."""
    name, size = sys.argv[1], int(sys.argv[2])
    cell = cells.get(name, "not written")
    print(json.dumps({"none": cell} if isinstance(cell, str) else asyncio.run(_measured(cell, size))))


async def _measured(cell: Callable[[int], Work], size: int) -> dict[str, object]:
    await cell(max(size // 100, 10))()
    seconds: list[float] = []
    result = 0
    while len(seconds) < REPETITIONS and sum(seconds) < ENOUGH:
        work = cell(size)
        gc.collect()
        began = time.perf_counter()
        result = await work()
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds, "result": result}
