"""What every store does inside a step, and when a run is cancelled."""

from __future__ import annotations

import pytest

from agentgraph.exceptions import (
    RunFenced,
)
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import (
    OPENING,
    JournalKind,
    Store,
)
from agentgraph.stores.samples import call, new_run, next_commit, settlement

from .suite import StoreSuite

__all__ = ["Cancels", "Journals"]


class Journals(StoreSuite):
    """What happened inside a step that has not ended."""

    async def test_the_journal_keeps_the_order_of_its_first_rows(self, store: Store) -> None:
        run = await store.create(new_run())
        started = call(0, "a", JournalKind.STARTED, b"null")
        for record in (started, call(0, "b"), call(0, "a", JournalKind.LOST, b'"a file"')):
            await store.journal("r", run.epoch, record)
        assert await store.calls("r") == [call(0, "a", JournalKind.LOST, b'"a file"'), call(0, "b")]
        assert await store.calls("nothing") == []

    @pytest.mark.parametrize("seq", [OPENING, 1])
    async def test_only_the_pending_step_has_a_journal(self, store: Store, seq: int) -> None:
        run = await store.create(new_run())
        with pytest.raises(RunFenced):
            await store.journal("r", run.epoch, call(seq))
        assert await store.calls("r") == []

    @pytest.mark.parametrize("status", [Status.RUNNING, Status.SUCCEEDED])
    async def test_a_steps_journal_dies_with_its_commit(self, store: Store, status: Status) -> None:
        run = await store.create(new_run())
        await store.journal("r", run.epoch, call(0))
        await store.commit(next_commit(run, status, journaled=True))
        assert await store.calls("r") == []


class Cancels(StoreSuite):
    """Somebody asks to cancel."""

    @pytest.mark.parametrize(
        ("asked", "becomes"),
        [
            (Status.RUNNING, Status.CANCELLED),
            (Status.WAITING, Status.CANCELLED),
            (Status.PENDING, Status.CANCELLED),
            (Status.SUCCEEDED, Status.SUCCEEDED),
            (Status.FAILED, Status.FAILED),
        ],
    )
    async def test_a_cancel_is_seen_by_the_next_commit(self, store: Store, asked: Status, becomes: Status) -> None:
        run = await store.create(new_run())
        assert await store.cancel("r") is Status.RUNNING
        assert await store.commit(next_commit(run, asked)) is becomes
        after = await store.load("r")
        assert (after.status, after.seq, after.owner) == (becomes, 1, None)

    @pytest.mark.parametrize(
        ("event", "status"),
        [(Event.RELEASE, Status.CANCELLED), (Event.WAIT, Status.CANCELLED), (Event.FAIL, Status.FAILED)],
    )
    async def test_a_settlement_does_not_lose_a_cancel(self, store: Store, event: Event, status: Status) -> None:
        run = await store.create(new_run())
        await store.cancel("r")
        await store.settle(settlement(run, event))
        assert (await store.load("r")).status is status

    async def test_a_claim_forgets_an_earlier_cancel(self, store: Store) -> None:
        run = await store.create(new_run())
        await store.cancel("r")
        await store.settle(settlement(run, Event.RELEASE))
        run = await store.claim("r")
        assert await store.commit(next_commit(run)) is Status.RUNNING

    @pytest.mark.parametrize("event", [Event.RELEASE, Event.WAIT])
    async def test_a_run_that_nobody_executes_is_cancelled_at_once(self, store: Store, event: Event) -> None:
        await store.settle(settlement(await store.create(new_run()), event))
        assert await store.cancel("r") is Status.CANCELLED
        assert (await store.load("r")).status is Status.CANCELLED
        assert await store.cancel("r") is Status.CANCELLED
        assert (await store.claim("r")).status is Status.RUNNING

    async def test_what_has_ended_is_not_cancelled(self, store: Store) -> None:
        await store.commit(next_commit(await store.create(new_run()), Status.SUCCEEDED))
        finished = await store.load("r")
        assert await store.cancel("r") is Status.SUCCEEDED
        assert await store.load("r") == finished
