"""What every store does while the clocks of its machines jump, or disagree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from agentgraph.exceptions import RunBusy, RunFenced
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import NewRun, RunFilter, Store
from agentgraph.stores.samples import HandClock, call, commit, new_run, next_commit, opening, settlement, step

from .suite import MakeStore, StoreSuite

__all__ = ["Clocks", "SharedClocks"]

HOUR = 3600.0

Pair = tuple[Store, Store]
"""Two stores that share what they keep."""


class Clocks(StoreSuite):
    """The clock goes back: nothing that was committed is lost, and what comes later stays later."""

    async def test_a_clock_that_goes_back_loses_nothing(self, store: Store, clock: HandClock) -> None:
        run = await store.create(new_run())
        await store.commit(next_commit(run))
        clock.seconds -= HOUR
        await store.journal("r", 1, call(1))
        await store.commit(next_commit(await store.load("r"), journaled=True))
        clock.seconds -= HOUR
        await store.journal("r", 1, call(2))
        await store.settle(settlement(run, Event.FAIL))
        run = await store.claim("r")
        assert (run.epoch, run.seq) == (2, 2)
        assert await store.steps("r") == [opening(), step(0), step(1)]
        assert await store.calls("r") == [call(2)]
        assert await store.commit(next_commit(run, Status.SUCCEEDED, journaled=True)) is Status.SUCCEEDED

    async def test_a_turn_is_the_newest_though_the_clock_went_back(self, store: Store, clock: HandClock) -> None:
        for number in range(3):
            before = await store.list(RunFilter(conversation="c", limit=1))
            run = await store.create(_turn(number))
            assert [each.seq for each in before] == [1] * len(before)
            await store.commit(next_commit(run, Status.SUCCEEDED))
            clock.seconds -= HOUR
        turns = await store.list(RunFilter(conversation="c"))
        assert [run.run_id for run in turns] == ["t2", "t1", "t0"]


class SharedClocks(StoreSuite):
    """Leases go by clocks; who commits goes by epochs, whatever the clocks say."""

    @pytest.fixture
    async def apart(self, make_store: MakeStore, clock: HandClock) -> AsyncIterator[Pair]:
        """Two owners; the second one's clock is an hour ahead."""
        async with AsyncExitStack() as stack:
            first, second = make_store(clock), make_store(HandClock(clock.seconds + HOUR))
            stack.push_async_callback(first.aclose)
            stack.push_async_callback(second.aclose)
            yield first, second

    async def test_an_owner_keeps_its_run_though_the_clock_goes_back(self, owners: Pair, clock: HandClock) -> None:
        first, second = owners
        run = await first.create(new_run())
        clock.seconds -= HOUR
        with pytest.raises(RunBusy):
            await second.claim("r")
        assert await first.commit(next_commit(run)) is Status.RUNNING

    async def test_a_lease_is_renewed_by_the_clock_that_went_back(self, owners: Pair, clock: HandClock) -> None:
        first, second = owners
        run = await first.create(new_run())
        clock.seconds -= HOUR
        clock.ticks += 5  # a third of the lease: the next write has it renewed
        await first.commit(next_commit(run))
        clock.seconds += 15
        run = await second.claim("r")
        assert (run.epoch, run.seq) == (2, 1)

    async def test_a_clock_that_is_ahead_costs_an_owner_its_run_and_no_step(self, apart: Pair) -> None:
        first, second = apart
        run = await first.create(new_run())
        await first.commit(next_commit(run))
        taken = await second.claim("r")
        with pytest.raises(RunFenced):
            await first.commit(commit("r", run.epoch, taken.seq))
        assert await second.commit(next_commit(taken)) is Status.RUNNING
        assert await first.steps("r") == [opening(), step(0), step(1)]

    async def test_a_clock_that_is_behind_takes_no_run(self, apart: Pair) -> None:
        behind, ahead = apart
        run = await ahead.create(new_run())
        with pytest.raises(RunBusy):
            await behind.claim("r")
        assert await ahead.commit(next_commit(run)) is Status.RUNNING
        await ahead.settle(settlement(run, Event.RELEASE))
        assert (await behind.claim("r")).seq == 1


def _turn(number: int) -> NewRun:
    return new_run(f"t{number}", conversation="c", origin=None if number == 0 else (f"t{number - 1}", 1))
