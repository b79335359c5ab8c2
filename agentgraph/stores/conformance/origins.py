"""What every store does for runs that go on from others."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import anyio
import pytest

from agentgraph.exceptions import (
    RunBusy,
    RunExists,
    RunFenced,
    RunNotFound,
    RunNotResumable,
)
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import (
    NewRun,
    RunFilter,
    RunRecord,
    Store,
)
from agentgraph.stores.samples import HandClock, call, commit, new_run, next_commit, settlement

from .suite import StoreSuite

__all__ = ["Forks", "Turns"]


def fork_of(origin: str, seq: int, run_id: str = "fork", status: Status = Status.PENDING) -> NewRun:
    made_of = new_run(run_id, origin=(origin, seq))
    return replace(made_of, opening=None, follows=None, seq=seq, pending="Next", status=status)


def turn(run_id: str, after: str | None = None) -> NewRun:
    return new_run(run_id, conversation="c", origin=None if after is None else (after, 1))


async def ended(store: Store, run_id: str, after: str | None = None, status: Status = Status.SUCCEEDED) -> RunRecord:
    run = await store.create(turn(run_id, after))
    await store.commit(next_commit(run, status))
    return run


class Forks(StoreSuite):
    """A fork begins at a step of another run."""

    async def test_a_fork_begins_at_a_step_unclaimed_and_without_rows(self, store: Store, clock: HandClock) -> None:
        await store.create(new_run())
        made = await store.create(replace(fork_of("r", 3), calls=(call(3, "a"), call(3, "b"))))
        assert (made.status, made.epoch, made.attempt, made.seq, made.pending) == (Status.PENDING, 0, 0, 3, "Next")
        assert (made.owner, made.lease_until, made.origin) == (None, 0.0, ("r", 3))
        assert made.created_at == made.updated_at == clock.seconds
        assert await store.load("fork") == made
        assert await store.steps("fork") == []
        assert await store.calls("fork") == [call(3, "a"), call(3, "b")]

    async def test_a_fork_is_claimed_like_a_run_that_was_left(self, store: Store) -> None:
        await store.create(new_run())
        await store.create(replace(fork_of("r", 3), calls=(call(3),)))
        run = await store.claim("fork")
        assert (run.status, run.epoch, run.attempt, run.seq) == (Status.RUNNING, 1, 1, 3)
        with pytest.raises(RunFenced):
            await store.commit(commit("fork", run.epoch, 0))
        assert await store.commit(commit("fork", run.epoch, 3, journaled=True)) is Status.RUNNING
        assert [step.seq for step in await store.steps("fork")] == [3]
        assert await store.calls("fork") == []
        assert (await store.load("fork")).seq == 4

    async def test_a_fork_of_what_has_ended_has_ended(self, store: Store) -> None:
        await store.create(new_run())
        made = await store.create(fork_of("r", 3, status=Status.SUCCEEDED))
        assert (made.status, made.owner) == (Status.SUCCEEDED, None)
        assert await store.claim("fork") == made

    async def test_a_fork_is_cancelled_at_once(self, store: Store) -> None:
        await store.create(new_run())
        await store.create(fork_of("r", 3))
        assert await store.cancel("fork") is Status.CANCELLED

    async def test_a_fork_takes_no_id_that_is_taken(self, store: Store) -> None:
        await store.create(new_run())
        before = await store.load("r")
        with pytest.raises(RunExists):
            await store.create(fork_of("r", 3, "r"))
        assert await store.load("r") == before


class Turns(StoreSuite):
    """The turns of a conversation are taken one after the other."""

    async def test_nothing_goes_on_from_nothing(self, store: Store) -> None:
        for new in (fork_of("gone", 3), turn("t", "gone")):
            with pytest.raises(RunNotFound, match="'gone'"):
                await store.create(new)
        assert await store.list() == []

    async def test_a_turn_follows_the_one_before(self, store: Store, clock: HandClock) -> None:
        await ended(store, "t1")
        clock.seconds += 1
        await ended(store, "t2", "t1", Status.CANCELLED)
        clock.seconds += 1
        run = await store.create(turn("t3", "t2"))
        assert (run.status, run.conversation, run.origin) == (Status.RUNNING, "c", ("t2", 1))
        assert [each.run_id for each in await store.list(RunFilter(conversation="c"))] == ["t3", "t2", "t1"]

    async def test_no_turn_is_taken_beside_one_that_is_executed(self, store: Store) -> None:
        await store.create(turn("t1"))
        with pytest.raises(RunBusy, match="run 't1' is executed by process") as caught:
            await store.create(turn("t2", "t1"))
        assert caught.value.run_id == "t1"
        assert [run.run_id for run in await store.list()] == ["t1"]

    @pytest.mark.parametrize("event", [Event.FAIL, Event.WAIT, Event.RELEASE])
    async def test_no_turn_is_taken_after_one_that_has_not_ended(self, store: Store, event: Event) -> None:
        run = await store.create(turn("t1"))
        status = await store.settle(settlement(run, event))
        with pytest.raises(
            RunNotResumable, match=f"newest of conversation 'c' and {status}: finish or cancel it first"
        ):
            await store.create(turn("t2", "t1"))
        await store.cancel("t1")
        if status is not Status.FAILED:
            assert (await store.create(replace(turn("t2", "t1"), origin=("t1", 0)))).status is Status.RUNNING

    @pytest.mark.parametrize("follows", [None, "t1"])
    async def test_a_turn_that_has_not_seen_the_newest_is_refused(
        self, store: Store, clock: HandClock, follows: str | None
    ) -> None:
        await ended(store, "t1")
        clock.seconds += 1
        await ended(store, "t2", "t1")
        with pytest.raises(RunBusy, match="newest turn of the conversation by now") as caught:
            await store.create(turn("t3", follows))
        assert caught.value.run_id == "t2"

    async def test_a_turn_that_has_not_seen_the_end_of_the_newest_is_refused(self, store: Store) -> None:
        await ended(store, "t1")
        with pytest.raises(RunBusy, match="newest turn of the conversation by now"):
            await store.create(replace(turn("t2", "t1"), origin=("t1", 0)))
        assert [run.run_id for run in await store.list()] == ["t1"]

    async def test_of_turns_taken_at_once_one_is(self, store: Store, clock: HandClock) -> None:
        await ended(store, "t1")
        clock.seconds += 1
        taken: list[str] = []

        async def take(run_id: str) -> None:
            with suppress(RunBusy):
                taken.append((await store.create(turn(run_id, "t1"))).run_id)

        async with anyio.create_task_group() as group:
            for n in range(8):
                group.start_soon(take, f"next{n}")
        assert len(taken) == 1
        assert {run.run_id for run in await store.list()} == {"t1", *taken}

    async def test_a_fork_can_join_a_conversation_and_is_its_newest_then(self, store: Store, clock: HandClock) -> None:
        await ended(store, "t1")
        clock.seconds += 1
        await store.create(replace(fork_of("t1", 0), conversation="c"))
        with pytest.raises(RunNotResumable) as caught:
            await store.create(turn("t2", "fork"))
        assert caught.value.run_id == "fork"
