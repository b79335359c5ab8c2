"""What every store keeps of runs that are handed to a dispatcher."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.exceptions import RunExists
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import Dispatch, NewRun, RunFilter, Store
from agentgraph.stores.samples import new_run, next_commit, settlement, stored

from .suite import StoreSuite

__all__ = ["Dispatches"]

HOW = Dispatch(queue="letters", tenant="äcme", priority=2, after=12.5)


def submitted(run_id: str = "r", how: Dispatch = HOW) -> NewRun:
    return replace(new_run(run_id), status=Status.PENDING, dispatch=how)


class Dispatches(StoreSuite):
    """A run that was submitted says how it is to be executed, and nobody executes it yet."""

    async def test_a_submitted_run_is_nobodys_and_says_how_it_is_to_be_executed(self, store: Store) -> None:
        run = await store.create(submitted())
        assert (run.status, run.owner, run.epoch, run.dispatch) == (Status.PENDING, None, 0, HOW)
        assert await store.load("r") == run
        with pytest.raises(RunExists):
            await store.create(submitted())

    async def test_how_it_is_executed_stays_the_same_whatever_becomes_of_it(self, store: Store) -> None:
        await store.create(submitted())
        run = await store.claim("r")
        assert (run.status, run.epoch, run.dispatch) == (Status.RUNNING, 1, HOW)
        await store.commit(next_commit(run))
        await store.settle(settlement(run, Event.RELEASE))
        assert (await store.load("r")).dispatch == HOW

    async def test_only_submitted_runs_are_listed_where_that_is_asked_for(self, store: Store) -> None:
        plain = Dispatch(queue="q")
        await store.create(submitted("one"))
        await store.create(new_run("two"))
        await store.create(submitted("three", plain))
        found = {run.run_id: run.dispatch for run in await store.list(RunFilter(submitted=True))}
        assert found == {"one": HOW, "three": plain}
        assert await store.list(RunFilter(submitted=True, status=Status.RUNNING)) == []

    async def test_a_run_that_comes_from_another_store_stands_in_no_queue(self, store: Store) -> None:
        moved = stored(status=Status.PENDING)
        await store.insert([replace(moved, run=replace(moved.run, dispatch=HOW))])
        run = await store.load("r")
        assert (run.status, run.dispatch) == (Status.PENDING, None)
