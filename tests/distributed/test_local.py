"""This process alone, on both event loops: what other processes have left or done is found by looking."""

from __future__ import annotations

import gc
from pathlib import Path

import anyio
import pytest

from agentgraph.distributed import LocalDispatcher, open_dispatcher
from agentgraph.exceptions import StoreError
from agentgraph.graph import Commit, RunFilter, RunRecord, Status, open_questions
from agentgraph.stores import MemoryStore, open_store
from agentgraph.stores.sqlite import SQLiteStore

from .fleet import is_now, until
from .jobs import Asks, Both, Counted, Hold, Step, asker, both, counter, holder

pytestmark = pytest.mark.anyio


async def test_what_was_submitted_before_the_process_began_is_executed(tmp_path: Path) -> None:
    async with open_dispatcher(tmp_path / "runs.db") as before:
        run_id = await before.submit(counter, Step(2), state=Counted())
    async with open_dispatcher(tmp_path / "runs.db") as dispatcher, anyio.create_task_group() as group:
        group.start_soon(dispatcher.serve, [counter])
        assert (await dispatcher.result(counter, run_id)).output == 2
        dispatcher.stop()


async def test_a_file_is_closed_when_nobody_has_it_any_more(tmp_path: Path) -> None:
    path, log = tmp_path / "runs.db", tmp_path / "runs.db-wal"
    server = open_dispatcher(path)
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [counter])
        async with open_dispatcher(path) as other:
            run_id = await other.submit(counter, Step(2), state=Counted())
        with pytest.raises(StoreError, match="the dispatcher was closed"):
            await other.submit(counter, Step(2), state=Counted())
        assert (await server.result(counter, run_id)).output == 2
        assert log.exists()
        await server.aclose()  # and again: nothing
    await server.aclose()
    gc.collect()  # a run that has ended may be in a cycle
    assert not log.exists()


async def test_what_another_process_answers_and_leaves_is_found(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    elsewhere = SQLiteStore(path)
    async with open_dispatcher(path) as dispatcher, anyio.create_task_group() as group:
        group.start_soon(dispatcher.serve, [asker])
        run_id = await dispatcher.submit(asker, Asks(1), state=Counted())
        await until(elsewhere, run_id, is_now(Status.WAITING))
        (question,) = open_questions(await elsewhere.calls(run_id))
        await elsewhere.answer(run_id, question.key, 3)
        assert (await dispatcher.result(asker, run_id)).output == 3
        dispatcher.stop()
    await elsewhere.aclose()


async def test_only_what_was_submitted_is_executed_and_only_of_the_queues_that_are_served() -> None:
    store = MemoryStore()
    async with open_dispatcher(store) as dispatcher, anyio.create_task_group() as group:
        async with counter.iter(Step(2), state=Counted(), store=store, run_id="mine"):
            pass
        await dispatcher.submit(counter, Step(2), state=Counted(), run_id="theirs", queue="other")
        group.start_soon(dispatcher.serve, [counter])
        await dispatcher.submit(counter, Step(2), state=Counted(), run_id="ours")
        await dispatcher.submit(counter, Step(2), state=Counted(), run_id="also theirs", queue="other")
        await dispatcher.result(counter, "ours")
        dispatcher.stop()
        assert {run.run_id: run.status for run in await store.list()} == {
            "mine": Status.PENDING,
            "theirs": Status.PENDING,
            "also theirs": Status.PENDING,
            "ours": Status.SUCCEEDED,
        }


async def test_versions_of_the_code_have_queues_of_their_own() -> None:
    old, new = (LocalDispatcher(store := MemoryStore(), "1"), LocalDispatcher(store, "2"))
    async with anyio.create_task_group() as group:
        group.start_soon(new.serve, [counter])
        await old.submit(counter, Step(2), state=Counted(), run_id="old")
        await new.submit(counter, Step(2), state=Counted(), run_id="new")
        await new.result(counter, "new")
        new.stop()
    old_run = await store.load("old")
    assert old_run.dispatch is not None
    assert (old_run.status, old_run.dispatch.queue) == (Status.PENDING, "counter@1")


class Unreachable(MemoryStore):
    """Cannot be listed, at first."""

    failures = 2

    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        self.failures -= 1
        if self.failures >= 0:
            raise StoreError("it is away")
        return await super().list(which)


async def test_a_store_that_is_away_is_looked_into_again() -> None:
    store = Unreachable()
    async with open_dispatcher(store) as dispatcher, anyio.create_task_group() as group:
        run_id = await dispatcher.submit(counter, Step(2), state=Counted())
        group.start_soon(dispatcher.serve, [counter])
        await dispatcher.result(counter, run_id)
        dispatcher.stop()


class Forgetful(MemoryStore):
    """Cannot be written when a step ends, at first."""

    failures = 2

    async def commit(self, commit: Commit) -> Status:
        self.failures -= 1
        if self.failures >= 0:
            raise StoreError("it is away")
        return await super().commit(commit)


async def test_a_run_whose_store_is_away_in_its_middle_does_not_fail() -> None:
    store = Forgetful()
    async with open_dispatcher(store) as dispatcher, anyio.create_task_group() as group:
        group.start_soon(dispatcher.serve, [counter])
        run_id = await dispatcher.submit(counter, Step(2), state=Counted())
        assert (await dispatcher.result(counter, run_id)).output == 2
        dispatcher.stop()


async def test_two_processes_may_serve_one_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    one, other = open_dispatcher(path), LocalDispatcher(SQLiteStore(path))
    async with one, other, anyio.create_task_group() as group:
        ids = [await one.submit(holder, Hold(0.01), state=Counted()) for _ in range(10)]
        group.start_soon(one.serve, [holder])
        group.start_soon(other.serve, [holder])
        for run_id in ids:
            await until(open_store(path), run_id, is_now(Status.SUCCEEDED))
        one.stop()
        other.stop()


async def test_what_a_process_has_left_in_its_middle_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    left = SQLiteStore(path)
    async with open_dispatcher(path) as dispatcher, anyio.create_task_group() as group:
        run_id = await dispatcher.submit(counter, Step(4), state=Counted())
        async with counter.iter(resume=run_id, store=left) as run:
            await run.next()
            await left.aclose()
        assert (await dispatcher.store.load(run_id)).status is Status.RUNNING
        group.start_soon(dispatcher.serve, [counter])
        assert (await dispatcher.result(counter, run_id)).output == 4
        dispatcher.stop()


class Listed(MemoryStore):
    """Says when it was asked often which runs wait."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.listed = 0, anyio.Event()

    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        if which is not None and which.status is Status.WAITING and which.before is None:
            self.left -= 1
            if self.left == 0:
                self.listed.set()
        return await super().list(which)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_who_waits_for_a_second_answer_is_not_woken_by_the_first_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgraph.distributed.local._LOOK", 0.05)
    async with open_dispatcher(store := Listed()) as dispatcher, anyio.create_task_group() as group:
        run_id = await dispatcher.submit(both, Both(below=True), state=Counted())
        group.start_soon(dispatcher.serve, [both])
        await until(store, run_id, is_now(Status.WAITING))
        (question,) = open_questions(await store.calls(run_id))
        await store.answer(question.run_id, question.key, 1)
        await until(store, run_id, lambda run: run.status is Status.WAITING and run.epoch > 1)
        store.left = 4
        await store.listed.wait()
        assert (await store.load(run_id)).epoch == 2
        await store.answer(question.run_id, "second", 2)
        assert (await dispatcher.result(both, run_id)).output == 3
        dispatcher.stop()
