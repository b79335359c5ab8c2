"""What every store does whose runs several processes share."""

from __future__ import annotations

import pytest

from agentgraph.exceptions import (
    RunBusy,
    RunFenced,
)
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import (
    Store,
)
from agentgraph.stores.samples import HandClock, call, new_run, next_commit, settlement

from .suite import StoreSuite

__all__ = ["Owners"]

Pair = tuple[Store, Store]
"""Two stores that share what they keep."""


class Owners(StoreSuite):
    """Two owners of the same runs: one goes on, the other hears of it and has changed nothing."""

    async def test_a_run_has_one_owner(self, owners: Pair, clock: HandClock) -> None:
        first, second = owners
        run = await first.create(new_run())
        clock.seconds += 14.9
        with pytest.raises(RunBusy, match="process") as caught:
            await second.claim("r")
        assert caught.value.seconds == pytest.approx(0.1)
        assert await first.commit(next_commit(run)) is Status.RUNNING

    async def test_both_see_what_one_has_committed(self, owners: Pair) -> None:
        first, second = owners
        run = await first.create(new_run())
        await first.journal("r", run.epoch, call(0))
        await first.commit(next_commit(run))
        assert await second.load("r") == await first.load("r")
        assert await second.steps("r") == await first.steps("r")
        assert await second.calls("r") == await first.calls("r")
        assert await second.list() == await first.list()

    async def test_a_lease_that_ran_out_is_taken_over(self, owners: Pair, clock: HandClock) -> None:
        first, second = owners
        await first.create(new_run())
        clock.seconds += 15
        run = await second.claim("r")
        assert (run.status, run.epoch, run.attempt, run.lease_until) == (Status.RUNNING, 2, 2, clock.seconds + 15)

    async def test_a_stale_owner_is_fenced_and_changes_nothing(self, owners: Pair, clock: HandClock) -> None:
        first, second = owners
        stale = await first.create(new_run())
        clock.seconds += 15
        await second.claim("r")
        before = await second.load("r"), await second.steps("r"), await second.calls("r")
        with pytest.raises(RunFenced):
            await first.commit(next_commit(stale, Status.SUCCEEDED))
        with pytest.raises(RunFenced):
            await first.journal("r", stale.epoch, call(0))
        with pytest.raises(RunFenced):
            await first.settle(settlement(stale, Event.FAIL, journal=[call(0)]))
        assert (await second.load("r"), await second.steps("r"), await second.calls("r")) == before

    async def test_a_stale_owner_finds_the_run_busy(self, owners: Pair, clock: HandClock) -> None:
        first, second = owners
        await first.create(new_run())
        clock.seconds += 15
        await second.claim("r")
        with pytest.raises(RunBusy):
            await first.claim("r")
        clock.seconds += 15
        assert (await first.claim("r")).epoch == 3

    async def test_closing_gives_the_runs_up(self, owners: Pair) -> None:
        first, second = owners
        await first.create(new_run())
        await first.aclose()
        assert (await second.load("r")).owner is None
        assert (await second.claim("r")).epoch == 2

    async def test_another_owner_can_cancel(self, owners: Pair, clock: HandClock) -> None:
        first, second = owners
        run = await first.create(new_run())
        assert await second.cancel("r") is Status.RUNNING
        assert await first.commit(next_commit(run)) is Status.CANCELLED
        run = await first.claim("r")
        clock.seconds += 15
        assert await second.cancel("r") is Status.CANCELLED
        with pytest.raises(RunFenced):
            await first.commit(next_commit(run))
