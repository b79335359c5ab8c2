"""How every store tells the owner of a run that it must stop."""

from __future__ import annotations

import pytest

from agentgraph.exceptions import RunFenced
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import Signal, Store
from agentgraph.stores.samples import HandClock, new_run, next_commit, settlement

from .suite import StoreSuite

__all__ = ["SharedSignals", "Signals"]

Pair = tuple[Store, Store]
"""Two stores that share what they keep."""


class Alarms(list[Signal]):
    """What an owner was told."""

    def __call__(self, signal: Signal, place: str) -> None:
        assert place
        self.append(signal)


async def renew(store: Store, clock: HandClock, after: float = 5) -> None:
    """Let a third of a lease pass, and have the leases renewed with whatever is written next."""
    clock.ticks += after
    await store.create(new_run(f"at {clock.ticks}"))


class Signals(StoreSuite):
    """What is told of a run that one store executes."""

    async def test_a_cancel_is_told_to_who_executes_the_run(self, store: Store, clock: HandClock) -> None:
        run, alarms = await store.create(new_run()), Alarms()
        store.watch("r", run.epoch, alarms)
        await store.cancel("r")
        await renew(store, clock)
        assert set(alarms) == {Signal.CANCEL}
        assert await store.commit(next_commit(run)) is Status.CANCELLED

    async def test_of_a_run_that_was_given_up_nothing_is_told(self, store: Store, clock: HandClock) -> None:
        run, alarms = await store.create(new_run()), Alarms()
        store.watch("r", run.epoch, alarms)
        await store.settle(settlement(run, Event.RELEASE))
        await store.claim("r")
        await store.cancel("r")
        await renew(store, clock)
        assert alarms == []

    async def test_of_a_claim_that_is_gone_that_is_told_at_once(self, store: Store) -> None:
        run, alarms = await store.create(new_run()), Alarms()
        await store.settle(settlement(run, Event.RELEASE))
        store.watch("r", run.epoch, alarms)
        assert alarms == [Signal.LOST]


class SharedSignals(StoreSuite):
    """What is told of a run that another owner has something to do with."""

    async def test_a_cancel_by_another_owner_is_told_when_leases_are_renewed(
        self, owners: Pair, clock: HandClock
    ) -> None:
        first, second = owners
        run, alarms = await first.create(new_run()), Alarms()
        first.watch("r", run.epoch, alarms)
        await second.cancel("r")
        assert alarms == []
        await renew(first, clock)
        await renew(first, clock)
        assert alarms == [Signal.CANCEL] * 2

    async def test_that_another_owner_has_the_run_is_told_once(self, owners: Pair, clock: HandClock) -> None:
        first, second = owners
        run, alarms = await first.create(new_run()), Alarms()
        first.watch("r", run.epoch, alarms)
        clock.seconds += 15
        await second.claim("r")
        await renew(first, clock)
        await renew(first, clock)
        assert alarms == [Signal.LOST]

    async def test_a_lease_that_was_not_renewed_in_time_is_not_renewed_any_more(
        self, owners: Pair, clock: HandClock
    ) -> None:
        first, second = owners
        run, alarms, late = await first.create(new_run()), Alarms(), Alarms()
        first.watch("r", run.epoch, alarms)
        clock.seconds += 15
        await renew(first, clock, after=15)
        first.watch("r", run.epoch, late)
        assert alarms == late == [Signal.LAPSED]
        assert (await second.claim("r")).epoch == 2
        with pytest.raises(RunFenced):
            await first.commit(next_commit(run))
