"""What every store does with whole runs: deleted with what is below them, and written as they were elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.exceptions import (
    RunBusy,
    RunExists,
    RunFenced,
    RunNotFound,
    UserError,
)
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import (
    JournalRecord,
    RunRecord,
    StepRecord,
    Store,
    StoredRun,
)
from agentgraph.stores.samples import HandClock, call, new_run, next_commit, opening, settlement, stored

from .suite import StoreSuite

__all__ = ["Deleting", "Inserting"]


async def finished(
    store: Store, run_id: str, *, parent: str | None = None, origin: tuple[str, int] | None = None
) -> None:
    new = new_run(run_id, parent=parent)
    run = await store.create(new if origin is None else replace(new, opening=None, seq=origin[1], origin=origin))
    await store.commit(next_commit(run, Status.SUCCEEDED))


async def ids(store: Store) -> set[str]:
    return {run.run_id for run in await store.list()}


async def everything(store: Store) -> tuple[RunRecord, list[StepRecord], list[JournalRecord]]:
    return await store.load("r"), await store.steps("r"), await store.calls("r")


class Deleting(StoreSuite):
    """A run is deleted with all runs below it, if nothing that stays needs them."""

    async def test_a_deleted_run_is_gone_with_all_of_its_rows(self, store: Store) -> None:
        run = await store.create(new_run())
        await store.commit(next_commit(run))
        await store.settle(settlement(replace(run, seq=1), Event.FAIL, journal=[call(1)]))
        await finished(store, "other")
        assert list(await store.delete("r")) == ["r"]
        with pytest.raises(RunNotFound, match="'r'"):
            await store.load("r")
        assert (await store.steps("r"), await store.calls("r"), await ids(store)) == ([], [], {"other"})
        with pytest.raises(RunNotFound, match="'r'"):
            await store.delete("r")

    async def test_the_id_of_a_deleted_run_is_free(self, store: Store) -> None:
        await finished(store, "r")
        await store.delete("r")
        run = await store.create(new_run())
        assert (run.epoch, run.seq, await store.steps("r")) == (1, 0, [new_run().opening])

    @pytest.mark.parametrize("status", [Status.PENDING, Status.WAITING, Status.FAILED, Status.CANCELLED])
    async def test_a_run_that_could_go_on_can_be_deleted(self, store: Store, status: Status) -> None:
        await store.commit(next_commit(await store.create(new_run()), status))
        assert list(await store.delete("r")) == ["r"]

    async def test_a_run_that_is_executed_is_not_deleted(self, store: Store) -> None:
        run = await store.create(new_run())
        with pytest.raises(RunBusy) as caught:
            await store.delete("r")
        assert caught.value.run_id == "r"
        assert await store.commit(next_commit(run)) is Status.RUNNING

    async def test_a_deleted_run_takes_no_more_writes(self, store: Store) -> None:
        run = await store.create(new_run())
        await store.settle(settlement(run, Event.RELEASE))
        await store.delete("r")
        with pytest.raises(RunFenced):
            await store.commit(next_commit(run))
        with pytest.raises(RunFenced):
            await store.journal("r", run.epoch, call(0))
        assert (await store.steps("r"), await store.calls("r")) == ([], [])

    async def test_children_go_with_their_root(self, store: Store) -> None:
        await finished(store, "root")
        for child, parent in {"one": "root", "two": "root", "below": "one"}.items():
            await finished(store, child, parent=parent)
        await finished(store, "other")
        with pytest.raises(UserError, match="run 'below' belongs to run 'one'"):
            await store.delete("below")
        gone = list(await store.delete("root"))
        assert (gone[0], set(gone)) == ("root", {"root", "one", "two", "below"})
        assert await ids(store) == {"other"}

    async def test_a_family_whose_members_go_on_from_each_other_goes_together(self, store: Store) -> None:
        await finished(store, "root")
        await finished(store, "one", parent="root")
        await finished(store, "two", parent="root", origin=("one", 1))
        assert set(await store.delete("root")) == {"root", "one", "two"}
        assert await ids(store) == set()

    async def test_a_root_stays_while_a_run_below_it_is_executed(self, store: Store) -> None:
        await finished(store, "root")
        run = await store.create(new_run("child", parent="root"))
        with pytest.raises(RunBusy) as caught:
            await store.delete("root")
        assert (caught.value.run_id, await ids(store)) == ("child", {"root", "child"})
        await store.settle(settlement(run, Event.RELEASE))
        assert list(await store.delete("root")) == ["root", "child"]

    async def test_a_child_whose_parent_is_gone_can_be_deleted(self, store: Store) -> None:
        await finished(store, "child", parent="gone")
        assert list(await store.delete("child")) == ["child"]

    async def test_a_run_that_others_go_on_from_is_not_deleted(self, store: Store) -> None:
        await finished(store, "r")
        for fork in ("b", "a"):
            await finished(store, fork, origin=("r", 1))
        with pytest.raises(
            UserError, match=r"2 run\(s\) go on from it or from a run below it: a, b; delete them first"
        ):
            await store.delete("r")
        assert await ids(store) == {"r", "a", "b"}
        for run_id in ("a", "b", "r"):
            await store.delete(run_id)
        assert await ids(store) == set()

    async def test_a_root_stays_while_another_run_goes_on_from_one_below_it(self, store: Store) -> None:
        await finished(store, "root")
        await finished(store, "child", parent="root")
        await finished(store, "fork", origin=("child", 1))
        with pytest.raises(UserError, match="below it: fork"):
            await store.delete("root")
        assert await ids(store) == {"root", "child", "fork"}

    async def test_no_run_goes_on_from_nothing(self, store: Store) -> None:
        await finished(store, "r")
        await store.delete("r")
        fork = replace(new_run("fork"), origin=("r", 1), opening=None, seq=1)
        turn = new_run("turn", conversation="c", origin=("r", 1))
        for new in (fork, turn):
            with pytest.raises(RunNotFound, match="'r'"):
                await store.create(new)
        assert await ids(store) == set()


class Inserting(StoreSuite):
    """Runs of another store are written as they were."""

    @pytest.mark.parametrize("status", [status for status in Status if status is not Status.RUNNING])
    async def test_a_run_is_inserted_as_it_was(self, store: Store, status: Status) -> None:
        await store.insert([stored(status=status)])
        assert await everything(store) == (stored(status=status).run, stored().steps, stored().calls)
        assert await store.list() == [stored(status=status).run]

    async def test_a_run_that_was_executed_is_inserted_without_its_owner(self, store: Store) -> None:
        run = await store.create(new_run("elsewhere"))
        await store.insert([StoredRun(run=replace(run, run_id="r"), steps=[opening()])])
        kept = await store.load("r")
        assert kept == replace(run, run_id="r", status=Status.PENDING, owner=None, lease_until=0.0)
        assert (await store.claim("r")).epoch == run.epoch + 1

    async def test_an_inserted_run_goes_on(self, store: Store, clock: HandClock) -> None:
        await store.insert([stored(status=Status.WAITING)])
        run = await store.claim("r")
        assert (run.status, run.epoch, run.seq, run.updated_at) == (Status.RUNNING, 5, 3, clock.seconds)
        await store.commit(next_commit(run, journaled=True))
        assert ((await store.load("r")).seq, await store.calls("r")) == (4, [])

    async def test_runs_are_inserted_together_or_not_at_all(self, store: Store) -> None:
        await finished(store, "taken")
        before = await store.load("taken")
        with pytest.raises(RunExists, match="'taken'"):
            await store.insert([stored("new"), stored("taken")])
        with pytest.raises(RunNotFound, match="'nothing'"):
            await store.insert([stored("new"), stored("fork", origin=("nothing", 1))])
        assert (await ids(store), await store.steps("new")) == ({"taken"}, [])
        assert await store.load("taken") == before
        await store.insert([])

    async def test_inserted_runs_keep_what_ties_them(self, store: Store) -> None:
        child = stored("r/0/k", parent="r", at=8.5)
        fork = stored("fork", origin=("r", 2), at=9.5)
        await store.insert([fork, child, stored()])  # in any order
        assert await store.list() == [fork.run, child.run, stored().run]
        with pytest.raises(UserError, match="fork"):
            await store.delete("r")
        await store.delete("fork")
        assert list(await store.delete("r")) == ["r", "r/0/k"]

    async def test_an_inserted_turn_is_the_head_of_its_conversation(self, store: Store) -> None:
        await store.insert([stored("first", conversation="c")])
        with pytest.raises(RunBusy):
            await store.create(new_run("second", conversation="c"))
        await store.create(new_run("second", conversation="c", origin=("first", 3)))
