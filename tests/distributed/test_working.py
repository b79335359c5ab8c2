"""What becomes of a wake, however its run stands by then."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from agentgraph.distributed import LocalDispatcher
from agentgraph.distributed.served import Services
from agentgraph.distributed.working import Wake, Work
from agentgraph.exceptions import AgentRunError, RunBusy, StoreError
from agentgraph.graph import BaseNode, Commit, End, Graph, GraphRunContext, RunRecord, Status, Store
from agentgraph.stores import MemoryStore
from agentgraph.stores.sqlite import SQLiteStore

from .fleet import is_now, until
from .jobs import Counted, Hold, Step, counter, holder

pytestmark = pytest.mark.anyio


def work_on(store: Store, *graphs: Graph[Counted, None, int]) -> Work:
    return Work(store, Services.of(graphs, None), pause=0.01)


async def submitted(store: Store, steps: int = 2) -> str:
    return await LocalDispatcher(store).submit(counter, Step(steps), state=Counted())


async def test_a_late_wake_and_one_of_a_run_that_is_gone_do_nothing() -> None:
    work = work_on(store := MemoryStore(), counter)
    run_id = await submitted(store)
    async with counter.iter(resume=run_id, store=store):
        pass
    await work.advance(Wake(run_id, 0))
    await work.advance(Wake("gone", 0))
    assert (await store.load(run_id)).seq == 0
    await work.advance(Wake(run_id, 1))
    await work.advance(Wake(run_id, 1))
    assert (await store.load(run_id)).status is Status.SUCCEEDED


async def test_a_run_that_is_executed_elsewhere_is_watched_until_it_is_not(tmp_path: Path) -> None:
    store, elsewhere = SQLiteStore(tmp_path / "runs.db"), SQLiteStore(tmp_path / "runs.db")
    run_id = await submitted(store)
    work, ended = work_on(store, counter), anyio.Event()
    async with anyio.create_task_group() as group:
        async with counter.iter(resume=run_id, store=elsewhere) as run:
            group.start_soon(work.advance, Wake(run_id, 0), ended.set)
            async for node in run:
                assert isinstance(node, End) or not ended.is_set()
        await ended.wait()
    await store.aclose()
    await elsewhere.aclose()


class Refusing(MemoryStore):
    """Says when it has refused a claim."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = anyio.Event()

    async def claim(self, run_id: str, options: bytes | None = None) -> RunRecord:
        try:
            return await super().claim(run_id, options)
        except RunBusy:
            self.refused.set()
            raise


async def test_who_watches_over_a_run_of_this_process_leaves_it_to_end_as_it_does() -> None:
    store = Refusing()

    @dataclass
    class Late(BaseNode[Counted, None, int]):
        async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
            await store.refused.wait()
            return End(await ctx.wait_for("number", question="which?", type=int))

    late = Graph(nodes=[Late], name="late")
    run_id = await LocalDispatcher(store).submit(late, Late(), state=Counted())
    work = work_on(store, late)
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(work.advance, Wake(run_id, 0))
    run = await store.load(run_id)
    assert (run.status, run.error, run.epoch, work.held) == (Status.WAITING, None, 1, {})


async def test_draining_takes_away_no_run_that_others_of_this_process_execute() -> None:
    work = work_on(store := MemoryStore(), counter)
    run_id = await submitted(store)
    async with anyio.create_task_group() as group, counter.iter(resume=run_id, store=store) as run:
        group.start_soon(work.advance, Wake(run_id, 0))
        await anyio.lowlevel.checkpoint()
        await work.drain(0)
        async for _ in run:
            pass
    assert (await store.load(run_id)).status is Status.SUCCEEDED


async def test_when_it_has_ended_nothing_is_advanced_any_more() -> None:
    work, ended = work_on(store := MemoryStore(), counter), anyio.Event()
    run_id = await submitted(store)
    await work.drain(1)
    assert not await work.advance(Wake(run_id, 0), ended.set)
    assert ((await store.load(run_id)).epoch, ended.is_set()) == (0, True)


class Full(MemoryStore):
    """Takes no step."""

    async def commit(self, commit: Commit) -> Status:
        raise StoreError("the disk is full")


async def test_a_run_whose_store_takes_no_step_fails_after_a_few_tries() -> None:
    store = Full()
    run_id = await submitted(store)
    await work_on(store, counter).advance(Wake(run_id, 0))
    run = await store.load(run_id)
    assert (run.status, run.epoch > 3) == (Status.FAILED, True)
    with pytest.raises(AgentRunError, match="given up after 5 tries: StoreError: the disk is full"):
        await LocalDispatcher(store).result(counter, run_id)


async def test_an_error_that_is_called_as_that_of_a_store_is_final() -> None:
    class OfShop(Exception):
        pass

    OfShop.__name__ = "StoreError"

    @dataclass
    class Buy(BaseNode[Counted, None, int]):
        async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
            raise OfShop("out of stock")

    shop = Graph(nodes=[Buy], name="shop")
    dispatcher = LocalDispatcher(store := MemoryStore())
    run_id = await dispatcher.submit(shop, Buy(), state=Counted())
    await work_on(store, shop).advance(Wake(run_id, 0))
    with pytest.raises(AgentRunError, match="StoreError: out of stock"):
        await dispatcher.result(shop, run_id)


async def test_a_run_that_does_not_fit_the_code_fails_and_says_why() -> None:
    @dataclass
    class Step(BaseNode[Counted, None, int]):
        last: bytes
        more: int

        async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
            return End(1)

    store = MemoryStore()
    run_id = await submitted(store)
    await work_on(store, Graph(nodes=[Step], name="counter")).advance(Wake(run_id, 0))
    run = await store.load(run_id)
    assert run.status is Status.FAILED
    assert (run.error or "").startswith("DecodeError: run")


async def test_a_run_is_released_after_the_step_that_was_under_way() -> None:
    work = work_on(store := MemoryStore(), holder)
    run_id = await LocalDispatcher(store).submit(holder, Hold(0.05), state=Counted())
    async with anyio.create_task_group() as group:
        group.start_soon(work.advance, Wake(run_id, 0))
        await until(store, run_id, is_now(Status.RUNNING))
        await work.drain(10)
    assert (await store.load(run_id)).status is Status.SUCCEEDED


class Away(MemoryStore):
    """Cannot be read, at first."""

    failures = 2

    async def load(self, run_id: str) -> RunRecord:
        self.failures -= 1
        if self.failures >= 0:
            raise StoreError("it is away")
        return await super().load(run_id)


async def test_a_store_that_cannot_be_read_is_read_again() -> None:
    store = Away()
    run_id = await submitted(store)
    await work_on(store, counter).advance(Wake(run_id, 0))
    assert (await store.load(run_id)).status is Status.SUCCEEDED
