"""Runs whose task is cancelled by a scope."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from agentgraph.graph import GraphRunContext, JournalRecord, Once, Status, Store
from agentgraph.stores import MemoryStore
from tests.graph.samples import ENTIRE, START, Add, Tally, tally

pytestmark = pytest.mark.anyio


async def forever(ctx: GraphRunContext[Tally, Any]) -> None:
    if ctx.seq == 3:
        await anyio.sleep_forever()


async def test_a_cancelled_scope_leaves_a_cancelled_run_that_can_be_resumed(store: Store) -> None:
    async def stop_at_three(ctx: GraphRunContext[Tally, Any]) -> None:
        if ctx.seq == 3:
            scope.cancel()
            await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await tally.run(Add(START), state=Tally(), deps=stop_at_three, store=store, run_id="r")
    record = await store.load("r")
    assert (record.status, record.seq, record.pending) == (Status.CANCELLED, 3, "Show")
    assert (await tally.run(resume="r", store=store)).state.texts == ENTIRE


async def test_a_cancelled_run_that_is_not_kept_ends() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await tally.run(Add(START), state=Tally(), deps=forever)
    assert scope.cancelled_caught


class Slow(MemoryStore):
    """Lets others run in the middle of each write."""

    async def commit(self, commit: Any) -> Status:
        await checkpoint()
        done = await super().commit(commit)
        await checkpoint()
        return done

    async def journal(self, run_id: str, epoch: int, record: JournalRecord) -> None:
        await checkpoint()
        await super().journal(run_id, epoch, record)
        await checkpoint()


async def test_a_commit_is_not_cancelled() -> None:
    async def cancel_self(ctx: GraphRunContext[Tally, Any]) -> None:
        scope.cancel()

    store = Slow()
    with anyio.CancelScope() as scope:
        await tally.run(Add(START), state=Tally(count=3), deps=cancel_self, store=store, run_id="r")
    assert (await store.load("r")).status is Status.SUCCEEDED


async def test_what_was_called_is_journaled_though_cancelled() -> None:
    made: list[str] = []

    def call(text: str) -> None:
        made.append(text)
        scope.cancel()

    async def do(ctx: GraphRunContext[Tally, Any]) -> None:
        await ctx.once("a", call, "a")
        await ctx.once_all([Once("b", call, ["b"])])
        await checkpoint()

    store = Slow()
    for _ in range(2):
        with anyio.CancelScope() as scope:
            if made:
                await tally.run(resume="r", deps=do, store=store)
            else:
                await tally.run(Add(START), state=Tally(count=2), deps=do, store=store, run_id="r")
    assert made == ["a", "b"]
    assert (await tally.run(resume="r", deps=do, store=store)).output == "go 3"
    assert made == ["a", "b"]
