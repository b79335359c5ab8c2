"""What is pruned from a store, and what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import UserError
from agentgraph.graph.lifecycle import Status
from agentgraph.graph.lineage import lineage
from agentgraph.graph.store import RunFilter, Store, StoredRun
from agentgraph.stores import Keep, Kept, MemoryStore, Pruned, prune
from agentgraph.stores.samples import HandClock, new_run, stored

pytestmark = pytest.mark.anyio

NOW = datetime.fromtimestamp(1_000_000, UTC)
OLD, NEW = 10.0, 999_999.0
DAY = timedelta(days=1)


async def holding(*runs: StoredRun) -> MemoryStore:
    store = MemoryStore(clock=HandClock())
    await store.insert(runs)
    return store


async def ids(store: Store) -> set[str]:
    return {run.run_id for run in await store.list()}


async def pruned(store: Store, keep: Keep | None = None) -> Pruned:
    return await prune(store, DAY, keep=keep, clock=HandClock())


async def test_old_runs_that_have_succeeded_go() -> None:
    store = await holding(stored("old", at=OLD), stored("new", at=NEW))
    assert await pruned(store) == Pruned(["old"], [])
    assert await ids(store) == {"new"}


async def test_a_moment_says_how_old() -> None:
    store = await holding(*(stored(f"{n}", at=n) for n in (10, 20, 30)))
    assert (await prune(store, datetime.fromtimestamp(25, UTC))).deleted == ["20", "10"]
    with pytest.raises(UserError, match="no time zone"):
        await prune(store, datetime(2000, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("status", [Status.PENDING, Status.WAITING, Status.FAILED, Status.CANCELLED])
async def test_what_could_go_on_stays_unless_it_is_said(status: Status) -> None:
    store = await holding(stored("r", status, at=OLD))
    assert await pruned(store) == Pruned([], [])
    assert await pruned(store, Keep(statuses=())) == Pruned(["r"], [])


async def test_a_run_that_is_executed_stays_whatever_is_said() -> None:
    store = await holding(stored("root", at=OLD))
    await store.create(new_run("child", parent="root"))
    kept = (await pruned(store, Keep(statuses=()))).kept
    assert [each.run_id for each in kept] == ["root"]
    assert "run 'child' is executed by" in kept[0].why


@pytest.mark.parametrize("keep", [Keep(agents=["a"]), Keep(conversations=["c"]), Keep(runs=["r"])])
async def test_what_is_to_be_kept_stays(keep: Keep) -> None:
    store = await holding(stored("r", conversation="c", at=OLD))
    assert await pruned(store, keep) == Pruned([], [])


async def test_children_go_with_their_root_and_stay_with_it() -> None:
    family = [stored("root", at=OLD), stored("child", parent="root", at=OLD), stored("below", parent="child", at=OLD)]
    store = await holding(*family, stored("new", at=NEW), stored("its child", parent="new", at=OLD))
    assert await pruned(store) == Pruned(["root", "child", "below"], [])
    assert await ids(store) == {"new", "its child"}


async def test_a_child_whose_parent_is_gone_goes_by_itself() -> None:
    store = await holding(stored("child", parent="gone", at=OLD))
    assert (await pruned(store)).deleted == ["child"]


async def test_what_a_run_that_stays_goes_on_from_stays_and_is_reported() -> None:
    store = await holding(stored("r", at=OLD), stored("fork", origin=("r", 1), at=NEW))
    assert await pruned(store) == Pruned([], [Kept("r", "fork goes on from it")])


async def test_a_chain_of_forks_goes_in_one_go() -> None:
    chain = [stored(f"{n}", origin=(f"{n - 1}", 2) if n else None, at=OLD + n) for n in range(9)]
    store = await holding(*chain)
    assert (await pruned(store)).deleted == [f"{n}" for n in reversed(range(9))]


async def test_forks_that_are_older_than_their_origin_go_too() -> None:
    store = await holding(stored("fork", origin=("r", 1), at=OLD), stored("r", at=OLD + 1))
    assert await pruned(store) == Pruned(["fork", "r"], [])


def talk(*turns: StoredRun) -> list[StoredRun]:
    """The turns of one conversation."""
    linked: list[StoredRun] = []
    for n, turn in enumerate(turns):
        origin = (turns[n - 1].run.run_id, 3) if n else None
        linked.append(replace(turn, run=replace(turn.run, conversation="c", origin=origin)))
    return linked


async def test_a_conversation_goes_as_a_whole() -> None:
    store = await holding(*talk(stored("1", at=1), stored("2", at=2), stored("3", at=3)))
    assert await pruned(store) == Pruned(["3", "2", "1"], [])


@pytest.mark.parametrize("stays", [stored("1", Status.CANCELLED, at=1), stored("1", at=NEW)])
async def test_a_conversation_of_which_a_turn_stays_loses_none(stays: StoredRun) -> None:
    store = await holding(*talk(stays, stored("2", at=2), stored("3", at=3)))
    assert await pruned(store) == Pruned([], [])


async def test_a_conversation_that_a_fork_goes_on_from_loses_no_turn() -> None:
    turns = talk(stored("1", at=1), stored("2", at=2), stored("3", at=3))
    store = await holding(*turns, stored("fork", origin=("2", 1), at=NEW))
    assert await pruned(store) == Pruned([], [Kept(turn, "fork goes on from it") for turn in ("3", "2", "1")])
    assert await ids(store) == {"1", "2", "3", "fork"}


async def test_a_dry_run_says_the_same_and_deletes_nothing() -> None:
    runs = [stored("r", at=OLD), stored("child", parent="r", at=OLD), stored("fork", origin=("r", 1), at=OLD + 1)]
    store = await holding(*runs, stored("other", at=OLD), stored("its fork", origin=("other", 1), at=NEW))
    said = await prune(store, DAY, dry_run=True, clock=HandClock())
    assert await ids(store) == {"r", "child", "fork", "other", "its fork"}
    assert await pruned(store) == said == Pruned(["fork", "r", "child"], [Kept("other", "its fork goes on from it")])


async def test_more_runs_than_a_page_holds() -> None:
    store = await holding(*(stored(f"{n:03}", at=n) for n in range(250)))
    assert len((await pruned(store)).deleted) == 250


class Racing(MemoryStore):
    """Somebody else is at work in it."""

    async def delete(self, run_id: str) -> list[str]:
        if run_id == "forked":
            await self.insert([stored("fork", origin=("forked", 1), at=NEW)])
        if run_id == "deleted":
            await super().delete(run_id)
        return list(await super().delete(run_id))


async def test_what_others_do_meanwhile_is_no_error() -> None:
    store = Racing(clock=HandClock())
    await store.insert([stored("forked", at=2), stored("deleted", at=1)])
    done = await pruned(store)
    assert (done.deleted, [each.run_id for each in done.kept]) == ([], ["forked"])
    assert await ids(store) == {"forked", "fork"}


runs = st.lists(
    st.tuples(
        st.sampled_from([OLD, NEW]),
        st.sampled_from([Status.SUCCEEDED, Status.SUCCEEDED, Status.FAILED]),
        st.sampled_from(["alone", "child", "fork", "turn"]),
        st.integers(0, 20),
    ),
    min_size=1,
    max_size=12,
)


def linked(made: list[tuple[float, Status, str, int]]) -> list[StoredRun]:
    """Runs of all kinds, each tied to one before it."""
    made_of: list[StoredRun] = []
    for n, (at, status, kind, pick) in enumerate(made):
        before = made_of[pick % n].run.run_id if n and kind != "alone" else None
        turns = [each.run.run_id for each in made_of if each.run.conversation == "c"]
        origin = before if kind == "fork" else turns[-1] if kind == "turn" and turns else None
        made_of.append(
            stored(
                f"{n}",
                status,
                parent=before if kind == "child" else None,
                origin=None if origin is None else (origin, 2),
                conversation="c" if kind == "turn" else None,
                at=at + n / 100,
            )
        )
    return made_of


@given(runs)
async def test_nothing_that_stays_lacks_anything(made: list[tuple[float, Status, str, int]]) -> None:
    before = linked(made)
    store = await holding(*before)
    done = await pruned(store)
    left = {run.run_id: run for run in await store.list(RunFilter(limit=100))}
    assert set(left) | set(done.deleted) == {each.run.run_id for each in before}
    for each in before:
        if each.run.run_id in left:
            await lineage(store, each.run)
            assert each.run.parent is None or each.run.parent in left
        elif each.run.parent is None:
            assert each.run.status is Status.SUCCEEDED
            assert each.run.updated_at < NEW
    talks = {each.run.run_id for each in before if each.run.conversation == "c"}
    assert talks <= set(left) or not talks & set(left)
    assert await pruned(store) == Pruned([], done.kept)
