"""What every store does with the branches of a run that has forked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.exceptions import RunFenced
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import BranchRecord, Commit, JournalRecord, RunRecord, Store, StoredRun
from agentgraph.stores.samples import HandClock, call, commit, new_run, next_commit, settlement

from .suite import StoreSuite

__all__ = ["Branching"]

FIRST, SECOND, INNER = (BranchRecord(branch=path, node="Work") for path in ("0:0", "0:1", "0:1/1:0"))


async def forked(store: Store) -> RunRecord:
    """A run whose step 0 has opened two branches."""
    run = await store.create(new_run())
    await store.commit(replace(commit("r", run.epoch, 0, outcome="Fork"), opens=[FIRST, SECOND]))
    return await store.load("r")


def on(branch: str, seq: int, outcome: str = "Work", epoch: int = 1) -> Commit:
    made = commit("r", epoch, seq, outcome=outcome)
    return replace(made, step=replace(made.step, branch=branch), usage=b'{"requests":9}')


def row(branch: str, seq: int = 0) -> JournalRecord:
    return replace(call(seq), branch=branch)


class Branching(StoreSuite):
    """Branches are opened by a step, go on by themselves, and are gone when their fork's own branch goes on."""

    async def test_branches_stand_where_they_were_opened(self, store: Store) -> None:
        run = await forked(store)
        assert (run.seq, run.pending, run.status) == (1, "Fork", Status.RUNNING)
        assert await store.branches("r") == [FIRST, SECOND]
        assert await store.branches("nothing") == []

    async def test_a_branch_goes_on_by_itself(self, store: Store, clock: HandClock) -> None:
        before = await forked(store)
        clock.seconds += 5
        assert await store.commit(on("0:1", 0, "Next")) is Status.RUNNING
        moved = BranchRecord(branch="0:1", seq=1, node="Next", state=b'{"count":1}')
        assert await store.branches("r") == [FIRST, moved]
        after = await store.load("r")
        assert (after.usage, after.updated_at) == (b'{"requests":9}', before.updated_at + 5)
        assert (after.seq, after.pending, after.state) == (before.seq, before.pending, before.state)
        steps = [(step.branch, step.seq) for step in await store.steps("r")]
        assert steps == [("", -1), ("", 0), ("0:1", 0)]

    async def test_a_step_of_a_branch_is_committed_once(self, store: Store) -> None:
        await forked(store)
        await store.commit(on("0:0", 0))
        for late in (on("0:0", 0), on("0:0", 2), on("0:2", 0), on("0:1", 0, epoch=2)):
            with pytest.raises(RunFenced):
                await store.commit(late)
        assert [branch.seq for branch in await store.branches("r")] == [1, 0]
        assert len(await store.steps("r", after=0)) == 0

    async def test_branches_fork_further(self, store: Store) -> None:
        await forked(store)
        await store.commit(on("0:1", 0))
        await store.commit(replace(on("0:1", 1, "Fork"), opens=[INNER]))
        await store.commit(on("0:1/1:0", 0, "Join"))
        assert [branch.branch for branch in await store.branches("r")] == ["0:0", "0:1", "0:1/1:0"]
        await store.commit(replace(on("0:1", 2), closes=True))
        assert [(branch.branch, branch.seq) for branch in await store.branches("r")] == [("0:0", 0), ("0:1", 3)]

    async def test_the_step_after_a_fork_closes_its_branches(self, store: Store) -> None:
        run = await forked(store)
        await store.journal("r", run.epoch, row("0:0"))
        assert await store.commit(replace(next_commit(run), closes=True)) is Status.RUNNING
        assert await store.branches("r") == []
        assert await store.calls("r") == []
        with pytest.raises(RunFenced):
            await store.commit(on("0:0", 0))

    async def test_a_run_that_ends_has_no_branches(self, store: Store) -> None:
        run = await forked(store)
        await store.commit(replace(next_commit(run, Status.SUCCEEDED), closes=True))
        assert await store.branches("r") == []
        assert (await store.load("r")).status is Status.SUCCEEDED

    async def test_a_branch_has_a_journal_of_its_own(self, store: Store) -> None:
        run = await forked(store)
        await store.journal("r", run.epoch, row("0:0"))
        await store.journal("r", run.epoch, row("0:1"))
        await store.commit(replace(on("0:0", 0), journaled=True))
        assert await store.calls("r") == [row("0:1")]
        for late in (row("0:0"), row("0:1", 1), row("0:7")):
            with pytest.raises(RunFenced):
                await store.journal("r", run.epoch, late)

    async def test_a_branch_hears_of_a_cancel_and_leaves_it_to_its_owner(self, store: Store) -> None:
        run = await forked(store)
        assert await store.cancel("r") is Status.RUNNING
        assert await store.commit(on("0:0", 0)) is Status.CANCELLED
        assert (await store.load("r")).status is Status.RUNNING
        await store.journal("r", run.epoch, row("0:1"))
        assert await store.settle(settlement(run, Event.CANCEL)) is Status.CANCELLED
        assert [branch.seq for branch in await store.branches("r")] == [1, 0]

    async def test_a_cancel_at_the_step_that_forks_keeps_the_branches(self, store: Store) -> None:
        run = await store.create(new_run())
        await store.cancel("r")
        fork = replace(commit("r", run.epoch, 0, outcome="Fork"), opens=[FIRST])
        assert await store.commit(fork) is Status.CANCELLED
        assert await store.branches("r") == [FIRST]

    async def test_a_step_that_forks_is_fenced(self, store: Store) -> None:
        run = await store.create(new_run())
        for late in (commit("r", run.epoch, 1, outcome="Fork"), commit("r", run.epoch + 1, 0, outcome="Fork")):
            with pytest.raises(RunFenced):
                await store.commit(replace(late, opens=[FIRST]))
        assert await store.branches("r") == []

    async def test_a_run_begins_with_branches(self, store: Store) -> None:
        await store.create(new_run("old"))
        fork = replace(new_run(), opening=None, seq=1, origin=("old", 1), pending="Fork", status=Status.PENDING)
        await store.create(replace(fork, branches=[FIRST, SECOND]))
        assert await store.branches("r") == [FIRST, SECOND]

    async def test_branches_come_and_go_with_their_run(self, store: Store) -> None:
        run = await forked(store)
        await store.settle(settlement(run, Event.RELEASE))
        stored = StoredRun(
            run=await store.load("r"),
            steps=await store.steps("r"),
            calls=await store.calls("r"),
            branches=await store.branches("r"),
        )
        await store.delete("r")
        assert await store.branches("r") == []
        await store.insert([stored])
        assert await store.branches("r") == [FIRST, SECOND]
