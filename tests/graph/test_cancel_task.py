"""Runs whose task asyncio itself cancels, which no cancel scope holds back."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from agentgraph.graph import GraphRunContext, Status
from agentgraph.stores import SQLiteStore
from tests.graph.samples import ENTIRE, START, Add, Tally, tally

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # trio knows no cancellation but that of scopes


@pytest.mark.parametrize("turns", range(24))
async def test_a_task_cancelled_at_any_moment_gives_its_run_up(turns: int, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "runs.db", synchronous="NORMAL")

    async def run() -> None:
        async with tally.iter(Add(START), state=Tally(), store=store, run_id="r") as going:
            async for _ in going:
                await asyncio.sleep(0)

    task = asyncio.create_task(run())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    left = await store.list()
    assert [record.status for record in left if record.status is Status.RUNNING] == []
    if left:
        assert (await tally.run(resume="r", store=store)).state.texts == ENTIRE
    await store.aclose()


async def test_a_timeout_of_asyncio_is_one(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "runs.db")

    async def timed_out(ctx: GraphRunContext[Tally, Any]) -> None:
        if ctx.seq == 1:
            timeout.reschedule(0)

    async def run() -> None:
        async with timeout:
            await tally.run(Add(START), state=Tally(count=1), deps=timed_out, store=store, run_id="r")
            await asyncio.sleep(0)

    timeout = asyncio.timeout(None)
    with pytest.raises(TimeoutError):
        await run()
    assert (await store.load("r")).status is not Status.RUNNING
    await store.aclose()
