"""What every store does with a run that sleeps until a time."""

from __future__ import annotations

from dataclasses import replace

from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import RunFilter, RunRecord, Store
from agentgraph.stores.samples import HandClock, call, new_run, next_commit, settlement, stored

from .suite import StoreSuite

__all__ = ["Timers"]


async def asleep(store: Store, run_id: str, until: float) -> RunRecord:
    run = await store.create(new_run(run_id))
    await store.settle(settlement(run, Event.WAIT, wake_at=until))
    return await store.load(run_id)


async def due(store: Store, before: float) -> set[str]:
    return {run.run_id for run in await store.list(RunFilter(due_before=before))}


class Timers(StoreSuite):
    """A run that sleeps says until when, and is found by that."""

    async def test_a_run_sleeps_until_a_time_and_is_found_when_it_is_due(self, store: Store) -> None:
        for run_id, until in (("soon", 10.25), ("later", 20.0)):
            run = await asleep(store, run_id, until)
            assert (run.status, run.wake_at, run.owner) == (Status.WAITING, until, None)
        await store.create(new_run("awake"))
        assert await due(store, 10.0) == set()
        assert await due(store, 10.25) == {"soon"}
        assert await due(store, 99.0) == {"soon", "later"}
        assert await store.list(RunFilter(due_before=99.0, status=Status.RUNNING)) == []

    async def test_who_claims_a_run_has_woken_it(self, store: Store) -> None:
        await asleep(store, "r", 10.0)
        run = await store.claim("r")
        assert run.wake_at is None
        assert await store.load("r") == run
        await store.commit(next_commit(run))
        assert await due(store, 99.0) == set()

    async def test_a_run_that_does_not_sleep_any_more_has_no_time(self, store: Store) -> None:
        for event in (Event.RELEASE, Event.FAIL, Event.CANCEL):
            run = await store.create(new_run(event))
            await store.settle(settlement(run, event, wake_at=10.0))
            assert (await store.load(event)).wake_at is None
        await asleep(store, "r", 10.0)
        assert await store.cancel("r") is Status.CANCELLED
        run = await store.create(new_run("asked"))
        await store.cancel("asked")
        assert await store.settle(settlement(run, Event.WAIT, wake_at=10.0)) is Status.CANCELLED
        assert await due(store, 99.0) == set()

    async def test_a_run_may_wait_for_an_answer_and_a_time(self, store: Store, clock: HandClock) -> None:
        run = await store.create(new_run())
        question = call(0, "q")
        await store.settle(replace(settlement(run, Event.WAIT, wake_at=clock.seconds), questions=[question]))
        assert await due(store, clock.seconds) == {"r"}
        assert [row.key for row in await store.calls("r")] == ["q"]

    async def test_a_run_of_another_store_sleeps_on(self, store: Store) -> None:
        run = stored("r", Status.WAITING)
        await store.insert([replace(run, run=replace(run.run, wake_at=10.0))])
        assert (await store.load("r")).wake_at == 10.0
        assert await due(store, 10.0) == {"r"}
