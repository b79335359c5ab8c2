"""What every store does with the steps of a run."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from agentgraph.exceptions import (
    RunExists,
    RunFenced,
)
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import (
    OPENING,
    JournalKind,
    Store,
)
from agentgraph.stores.samples import HandClock, call, commit, new_run, next_commit, settlement, step

from .suite import StoreSuite

__all__ = ["Steps"]


async def everything(store: Store, run_id: str = "r") -> tuple[object, ...]:
    return await store.load(run_id), await store.steps(run_id), await store.calls(run_id)


class Steps(StoreSuite):
    """A run is created and goes on step by step."""

    async def test_a_new_run_is_claimed_by_its_creator(self, store: Store, clock: HandClock) -> None:
        await store.create(replace(new_run("old"), status=Status.PENDING))
        run = await store.create(new_run(agent="a", conversation="c", origin=("old", 3)))
        assert (run.status, run.epoch, run.seq, run.attempt, run.pending) == (Status.RUNNING, 1, 0, 1, "First")
        assert (run.graph, run.agent, run.conversation, run.origin) == ("g", "a", "c", ("old", 3))
        assert (run.state, run.usage, run.options) == (b'{"count":0}', b'{"requests":0}', b'{"limit":1}')
        assert run.created_at == run.updated_at == clock.seconds
        assert run.owner is not None
        assert run.lease_until > clock.seconds
        assert await store.load("r") == run
        assert await store.steps("r") == [new_run().opening]

    async def test_an_id_is_taken_once(self, store: Store) -> None:
        await store.create(new_run(agent="first"))
        before = await everything(store)
        with pytest.raises(RunExists, match="'r'"):
            await store.create(new_run(agent="second"))
        assert await everything(store) == before

    async def test_a_commit_writes_step_state_and_pending_node(self, store: Store, clock: HandClock) -> None:
        run = await store.create(new_run())
        clock.seconds += 5
        assert await store.commit(commit("r", run.epoch, 0, outcome="Next")) is Status.RUNNING
        after = await store.load("r")
        assert (after.seq, after.attempt, after.pending, after.epoch) == (1, 1, "Next", 1)
        assert (after.state, after.usage) == (b'{"count":1}', b'{"requests":1}')
        assert (after.created_at, after.updated_at) == (clock.seconds - 5, clock.seconds)
        assert await store.steps("r") == [new_run().opening, step(0, outcome="Next")]

    async def test_steps_are_read_from_any_point(self, store: Store) -> None:
        run = await store.create(new_run())
        for seq in range(4):
            await store.commit(commit("r", run.epoch, seq))
        assert [one.seq for one in await store.steps("r")] == [OPENING, 0, 1, 2, 3]
        assert [one.seq for one in await store.steps("r", after=OPENING)] == [0, 1, 2, 3]
        assert [one.seq for one in await store.steps("r", after=1)] == [2, 3]
        assert await store.steps("r", after=3) == []
        assert await store.steps("nothing") == []

    async def test_a_finished_run_has_no_owner(self, store: Store) -> None:
        run = await store.create(new_run())
        assert await store.commit(commit("r", run.epoch, 0, Status.SUCCEEDED, outcome="End")) is Status.SUCCEEDED
        after = await store.load("r")
        assert (after.status, after.owner, after.lease_until, after.pending) == (Status.SUCCEEDED, None, 0.0, "End")

    @pytest.mark.parametrize("status", [Status.WAITING, Status.PENDING, Status.CANCELLED, Status.FAILED])
    async def test_a_commit_can_give_the_run_up(self, store: Store, status: Status) -> None:
        await store.commit(next_commit(await store.create(new_run()), status))
        assert (await store.load("r")).status is status
        run = await store.claim("r")
        assert (run.status, run.epoch, run.seq, run.attempt) == (Status.RUNNING, 2, 1, 1)

    @pytest.mark.parametrize("seq", [OPENING, 0, 2])
    async def test_a_step_is_committed_once_and_in_turn(self, store: Store, seq: int) -> None:
        run = await store.create(new_run())
        await store.commit(commit("r", run.epoch, 0))
        before = await everything(store)
        for status in (Status.RUNNING, Status.SUCCEEDED):
            with pytest.raises(RunFenced) as caught:
                await store.commit(commit("r", run.epoch, seq, status))
            assert (caught.value.run_id, caught.value.seq) == ("r", seq)
        assert await everything(store) == before

    async def test_many_runs_are_written_side_by_side(self, store: Store) -> None:
        async def work(run_id: str) -> None:
            run = await store.create(new_run(run_id))
            for seq in range(5):
                await store.journal(run_id, run.epoch, call(seq))
                await store.commit(commit(run_id, run.epoch, seq, journaled=True))

        async with anyio.create_task_group() as group:
            for n in range(20):
                group.start_soon(work, f"r{n}")
        assert [(run.seq, run.status) for run in await store.list()] == [(5, Status.RUNNING)] * 20
        assert [len(await store.steps(f"r{n}")) for n in range(20)] == [6] * 20

    async def test_big_values_come_back_as_they_were(self, store: Store) -> None:
        big, other = (b'"%b\\"%b"' % (letter * 50_000, letter * 50_000) for letter in (b"x", b"y"))
        body = b'{"v":1}\n%b\n%b\n%b' % (big, other, big)
        made = replace(new_run(), state=b'{"a":%b}' % big, options=b"[%b]" % other, calls=[call(0, value=other)])
        run = await store.create(made)
        assert (run.state, run.options) == (made.state, made.options)
        await store.journal("r", run.epoch, call(0, "big", value=big))
        assert [row.value for row in await store.calls("r")] == [other, big]
        record = replace(commit("r", run.epoch, 0), state=b'{"a":%b}' % other)
        await store.commit(replace(record, step=replace(record.step, body=body, state=record.state)))
        assert [(one.body, one.state) for one in await store.steps("r", after=OPENING)] == [(body, record.state)]
        held = [call(1, "held", value=big), call(1, "asked", JournalKind.ASKED, value=other)]
        settled = settlement(run, Event.RELEASE, journal=held)
        assert await store.settle(settled) is Status.PENDING
        assert [row.value for row in await store.calls("r") if row.seq == 1] == [big, other]
        run = await store.claim("r", b"[%b,%b]" % (big, big))
        assert (run.state, run.options) == (record.state, b"[%b,%b]" % (big, big))
        assert run == await store.load("r") == (await store.list())[0]
