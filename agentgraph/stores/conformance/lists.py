"""How every store lists its runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import (
    RunFilter,
    RunRecord,
    Store,
)
from agentgraph.stores.samples import HandClock, new_run, next_commit, settlement

from .suite import StoreSuite

__all__ = ["Lists"]


async def make_many(store: Store, clock: HandClock) -> list[RunRecord]:
    made: list[RunRecord] = []
    for n in range(7):
        clock.seconds += n % 2  # pairs share their time of creation
        made_of = new_run(f"r{n}", agent="ab"[n % 2], conversation="c" if n > 4 else None)
        run = await store.create(replace(made_of, opening=None))  # forks: turns of a conversation are taken one by one
        if n % 3 == 0:
            await store.settle(settlement(run, Event.RELEASE))
        made.append(await store.load(run.run_id))
    return sorted(made, key=lambda run: (run.created_at, run.run_id), reverse=True)


async def finished(
    store: Store, run_id: str, *, parent: str | None = None, origin: tuple[str, int] | None = None
) -> None:
    new = new_run(run_id, parent=parent)
    run = await store.create(new if origin is None else replace(new, opening=None, seq=origin[1], origin=origin))
    await store.commit(next_commit(run, Status.SUCCEEDED))


class Lists(StoreSuite):
    """Runs are listed by what matters, page by page."""

    async def test_runs_are_listed_newest_first(self, store: Store, clock: HandClock) -> None:
        made = await make_many(store, clock)
        assert await store.list() == made
        assert await store.list(RunFilter(limit=2)) == made[:2]
        assert await store.list(RunFilter(limit=0)) == []

    async def test_runs_are_listed_by_what_matters(self, store: Store, clock: HandClock) -> None:
        made = await make_many(store, clock)
        pending = [run for run in made if run.status is Status.PENDING]
        assert await store.list(RunFilter(status=Status.PENDING)) == pending
        assert await store.list(RunFilter(agent="b")) == [run for run in made if run.agent == "b"]
        assert await store.list(RunFilter(conversation="c")) == [run for run in made if run.conversation == "c"]
        assert await store.list(RunFilter(since=clock.seconds)) == [r for r in made if r.created_at >= clock.seconds]
        both = RunFilter(status=Status.PENDING, agent="a", since=0.0)
        assert await store.list(both) == [run for run in pending if run.agent == "a"]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    async def test_pages_join_to_the_whole_list(self, store: Store, clock: HandClock, limit: int) -> None:
        made = await make_many(store, clock)
        found: list[RunRecord] = []
        before: tuple[float, str] | None = None
        while page := await store.list(RunFilter(limit=limit, before=before)):
            found += page
            before = (page[-1].created_at, page[-1].run_id)
        assert found == made

    async def test_runs_are_listed_by_the_run_above(self, store: Store, clock: HandClock) -> None:
        await store.create(new_run("root"))
        for n in range(3):
            clock.seconds += 1
            await store.create(new_run(f"child{n}", parent="root"))
        await store.create(new_run("grandchild", parent="child0"))
        children = await store.list(RunFilter(parent="root"))
        assert [(run.run_id, run.parent) for run in children] == [(f"child{n}", "root") for n in (2, 1, 0)]
        assert [run.run_id for run in await store.list(RunFilter(parent="root", limit=1))] == ["child2"]
        assert [run.run_id for run in await store.list(RunFilter(parent="child0"))] == ["grandchild"]

    async def test_runs_that_go_on_from_one_are_listed(self, store: Store) -> None:
        await finished(store, "r")
        for fork in ("a", "b"):
            await finished(store, fork, origin=("r", 1))
        assert {run.run_id for run in await store.list(RunFilter(origin="r"))} == {"a", "b"}
        assert await store.list(RunFilter(origin="a")) == []
