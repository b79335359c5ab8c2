"""What every store does with what a step tells while it runs, and how it wakes those who follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.exceptions import RunNotFound
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import EventKind, EventRecord, Store
from agentgraph.stores.samples import call, new_run, next_commit, settlement, told

from .suite import StoreSuite

__all__ = ["Events", "SharedEvents"]

Pair = tuple[Store, Store]
"""Two stores that share what they keep."""


async def written(store: Store, count: int) -> list[EventRecord]:
    """The events of the run, as soon as there are so many."""
    async with store.changes("r") as changes:
        idle = 0
        while len(found := await store.events("r")) < count:
            await changes.wait(idle)
            idle += 1
    return found


class Events(StoreSuite):
    """Events of a step that has not ended."""

    async def test_what_is_told_is_there_in_a_moment_and_in_order(self, store: Store) -> None:
        run = await store.create(new_run())
        events = [told(0, n, body=b"x" * n, kind=EventKind.TEXT if n < 3 else EventKind.EMITTED) for n in range(5)]
        for event in events:
            store.tell("r", run.epoch, event)
        assert await written(store, 5) == events
        assert await store.events("r", (0, 1, 2)) == events[2:]
        assert await store.events("r", (0, 2, 0)) == []
        assert await store.events("nothing") == []

    async def test_much_is_written_at_once(self, store: Store) -> None:
        run = await store.create(new_run())
        events = [told(0, n, body=bytes([n]) * 3000) for n in range(4)]
        for event in events:
            store.tell("r", run.epoch, event)
        await store.journal("r", run.epoch, call(0))  # comes after what was written before
        assert await store.events("r") == events

    async def test_a_commit_writes_what_was_emitted_and_drops_the_text(self, store: Store) -> None:
        run = await store.create(new_run())
        store.tell("r", run.epoch, told(0, 0))
        await written(store, 1)
        store.tell("r", run.epoch, emitted := told(0, 1, kind=EventKind.EMITTED))
        store.tell("r", run.epoch, told(0, 2))
        await store.commit(replace(next_commit(run), told=True))
        assert await store.events("r") == [emitted]

    async def test_a_settlement_writes_what_was_told(self, store: Store) -> None:
        run = await store.create(new_run())
        store.tell("r", run.epoch, event := told(0, 0))
        await store.settle(settlement(run, Event.RELEASE))
        again = await store.claim("r")
        store.tell("r", again.epoch, later := replace(event, attempt=2))
        await store.settle(settlement(again, Event.FAIL))
        assert await store.events("r") == [event, later]

    @pytest.mark.parametrize(("epoch", "seq"), [(0, 0), (1, 1), (1, -1)])
    async def test_only_the_owners_pending_step_tells(self, store: Store, epoch: int, seq: int) -> None:
        run = await store.create(new_run())
        store.tell("r", epoch, told(seq, 0))
        store.tell("nothing", 1, told(0, 0))
        await store.settle(settlement(run, Event.RELEASE))
        store.tell("r", run.epoch, told(0, 0))
        await store.claim("r")
        assert await store.events("r") == []

    async def test_what_an_earlier_claim_tells_late_is_not_written(self, store: Store) -> None:
        run = await store.create(new_run())
        await store.settle(settlement(run, Event.RELEASE))
        again = await store.claim("r")
        store.tell("r", run.epoch, told(0, 0, body=b"late"))
        store.tell("r", again.epoch, event := replace(told(0, 0), attempt=2))
        assert await written(store, 1) == [event]

    async def test_events_go_with_their_run(self, store: Store) -> None:
        run = await store.create(new_run())
        store.tell("r", run.epoch, told(0, 0, kind=EventKind.EMITTED))
        await store.commit(next_commit(run, Status.SUCCEEDED))
        async with store.changes("r") as changes:
            await store.delete("r")
            await changes.wait(0)
            with pytest.raises(RunNotFound):
                await store.load("r")
        assert await store.events("r") == []

    async def test_every_write_wakes_who_follows(self, store: Store) -> None:
        run = await store.create(new_run())
        async with store.changes("r") as changes:
            await store.journal("r", run.epoch, call(0))
            await changes.wait(100)
            await store.commit(next_commit(run))
            await changes.wait(100)
            await store.settle(settlement(await store.load("r"), Event.WAIT))
            await changes.wait(100)
            assert await store.cancel("r") is Status.CANCELLED
            await changes.wait(100)
            await store.claim("r")
            await changes.wait(100)

    async def test_who_follows_is_woken_while_others_come_and_go(self, store: Store) -> None:
        run = await store.create(new_run())
        async with store.changes("r") as changes:
            async with store.changes("r") as others:
                await store.commit(next_commit(run))
                await others.wait(100)
                await changes.wait(100)
            await store.commit(next_commit(await store.load("r")))
            await changes.wait(100)
        assert (await store.load("r")).seq == 2


class SharedEvents(StoreSuite):
    """Following a run that another owner executes."""

    async def test_what_one_tells_the_other_reads(self, owners: Pair) -> None:
        first, second = owners
        run = await first.create(new_run())
        first.tell("r", run.epoch, event := told(0, 0))
        assert await written(second, 1) == [event]

    async def test_one_hears_of_the_others_writes(self, owners: Pair) -> None:
        first, second = owners
        run = await first.create(new_run())
        async with second.changes("r") as changes:
            await first.commit(next_commit(run))
            idle, seq = 0, 0
            while seq == 0:
                await changes.wait(idle)
                idle, seq = idle + 1, (await second.load("r")).seq
