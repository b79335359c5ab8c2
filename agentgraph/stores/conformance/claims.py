"""What every store does with the claim on a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.exceptions import (
    IllegalTransition,
    RunBusy,
    RunFenced,
    RunNotFound,
)
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import (
    Store,
)
from agentgraph.stores.samples import HandClock, call, new_run, next_commit, settlement

from .suite import StoreSuite

__all__ = ["Claims"]


async def everything(store: Store, run_id: str = "r") -> tuple[object, ...]:
    return await store.load(run_id), await store.steps(run_id), await store.calls(run_id)


class Claims(StoreSuite):
    """Whoever executes a run has claimed it, and nobody else writes it."""

    async def test_a_succeeded_run_is_returned_unclaimed(self, store: Store) -> None:
        await store.commit(next_commit(await store.create(new_run()), Status.SUCCEEDED))
        finished = await store.load("r")
        assert await store.claim("r", b"new options") == finished
        assert await store.load("r") == finished

    async def test_writes_to_an_unknown_run_are_fenced(self, store: Store) -> None:
        run = replace(await store.create(new_run()), run_id="unknown")
        with pytest.raises(RunFenced):
            await store.commit(next_commit(run))
        with pytest.raises(RunFenced):
            await store.journal("unknown", 1, call(0))
        with pytest.raises(RunFenced):
            await store.settle(settlement(run, Event.RELEASE))
        for ask in (store.load, store.claim, store.cancel):
            with pytest.raises(RunNotFound, match="'unknown'"):
                await ask("unknown")

    async def test_an_old_epoch_writes_nothing(self, store: Store) -> None:
        old = await store.create(new_run())
        await store.settle(settlement(old, Event.RELEASE))
        await store.claim("r")
        before = await everything(store)
        with pytest.raises(RunFenced):
            await store.commit(next_commit(old, journaled=True))
        with pytest.raises(RunFenced):
            await store.journal("r", old.epoch, call(0))
        with pytest.raises(RunFenced):
            await store.settle(settlement(old, Event.FAIL, error="late", journal=[call(0)]))
        with pytest.raises(RunFenced):
            await store.settle(settlement(old, Event.WAIT))
        assert await everything(store) == before

    async def test_a_run_given_up_takes_no_more_writes(self, store: Store) -> None:
        run = await store.create(new_run())
        await store.settle(settlement(run, Event.RELEASE))
        before = await everything(store)
        with pytest.raises(RunFenced):
            await store.commit(next_commit(run))
        with pytest.raises(RunFenced):
            await store.journal("r", run.epoch, call(0))
        assert await everything(store) == before

    async def test_a_held_run_is_busy_until_it_is_settled(self, store: Store, clock: HandClock) -> None:
        run = await store.create(new_run())
        clock.seconds += 1000  # a lease that this store itself holds does not matter
        with pytest.raises(RunBusy) as caught:
            await store.claim("r")
        assert caught.value.run_id == "r"
        await store.settle(settlement(run, Event.RELEASE))
        assert (await store.claim("r")).epoch == 2

    @pytest.mark.parametrize(
        ("event", "status"),
        [
            (Event.RELEASE, Status.PENDING),
            (Event.FAIL, Status.FAILED),
            (Event.CANCEL, Status.CANCELLED),
            (Event.WAIT, Status.WAITING),
        ],
    )
    async def test_a_settlement_keeps_the_pending_node(self, store: Store, event: Event, status: Status) -> None:
        run = await store.create(new_run())
        await store.settle(settlement(run, event, error="why", journal=[call(0, "a"), call(0, "b")]))
        after = await store.load("r")
        assert (after.status, after.error, after.owner, after.seq, after.pending) == (status, "why", None, 0, "First")
        assert await store.calls("r") == [call(0, "a"), call(0, "b")]
        again = await store.claim("r")
        assert (again.status, again.error, again.attempt, again.epoch) == (Status.RUNNING, None, 2, 2)

    @pytest.mark.parametrize("event", [Event.START, Event.CLAIM, Event.FINISH])
    async def test_other_events_do_not_settle(self, store: Store, event: Event) -> None:
        run = await store.create(new_run())
        with pytest.raises(IllegalTransition):
            await store.settle(settlement(run, event))
        assert await store.load("r") == run

    async def test_a_claim_may_replace_the_options(self, store: Store) -> None:
        run = await store.create(new_run())
        await store.settle(settlement(run, Event.RELEASE))
        run = await store.claim("r")
        assert run.options == b'{"limit":1}'
        await store.settle(settlement(run, Event.RELEASE))
        assert (await store.claim("r", b'{"limit":2}')).options == b'{"limit":2}'
        assert (await store.load("r")).options == b'{"limit":2}'

    async def test_attempts_count_the_claims_of_one_step(self, store: Store) -> None:
        run = await store.create(new_run())
        for attempt in (2, 3):
            await store.settle(settlement(run, Event.RELEASE))
            run = await store.claim("r")
            assert run.attempt == attempt
        await store.commit(next_commit(run))
        assert (await store.load("r")).attempt == 1

    async def test_closing_twice_is_closing_once(self, store: Store) -> None:
        await store.create(new_run())
        await store.aclose()
        await store.aclose()
