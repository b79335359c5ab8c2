"""What the memory store forgets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from agentgraph.exceptions import RunNotFound, UserError
from agentgraph.graph import Dispatch
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import RunFilter
from agentgraph.stores import MemoryStore
from agentgraph.stores.retention import Retention
from agentgraph.stores.samples import HandClock, new_run, next_commit, settlement

pytestmark = pytest.mark.anyio


async def finish(store: MemoryStore, run_id: str, status: Status = Status.SUCCEEDED) -> None:
    await store.commit(next_commit(await store.load(run_id), status))


async def kept(store: MemoryStore) -> set[str]:
    return {run.run_id for run in await store.list(RunFilter(limit=10_000))}


async def test_a_succeeded_run_that_nobody_named_is_forgotten() -> None:
    store = MemoryStore()
    await store.create(new_run("r", named=False))
    await finish(store, "r")
    with pytest.raises(RunNotFound, match="memory"):
        await store.load("r")


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.WAITING, Status.PENDING])
async def test_a_run_that_can_go_on_is_kept(status: Status) -> None:
    store = MemoryStore()
    await store.create(new_run("r", named=False))
    await finish(store, "r", status)
    assert (await store.claim("r")).status is Status.RUNNING


async def test_named_runs_and_conversations_are_kept() -> None:
    store = MemoryStore()
    await store.create(new_run("named"))
    await store.create(new_run("talk", named=False, conversation="c"))
    await finish(store, "named")
    await finish(store, "talk")
    assert await kept(store) == {"named", "talk"}


async def test_what_was_submitted_stays_until_it_has_ended() -> None:
    store = MemoryStore(keep=1)
    for run_id in "abc":
        await store.create(replace(new_run(run_id), status=Status.PENDING, dispatch=Dispatch(queue="q")))
    await store.claim("a")
    await finish(store, "a", Status.WAITING)
    assert await kept(store) == {"a", "b", "c"}
    for run_id in "bc":
        await store.claim(run_id)
        await finish(store, run_id)
    assert await kept(store) == {"a", "c"}


async def test_the_oldest_finished_runs_are_forgotten_first() -> None:
    store = MemoryStore(keep=3)
    for run_id, status in {"a": Status.WAITING, "b": Status.PENDING, "c": Status.FAILED, "d": Status.SUCCEEDED}.items():
        await store.create(new_run(run_id))
        await finish(store, run_id, status)
    assert await kept(store) == {"a", "b", "d"}
    for run_id, rest in {"e": {"a", "b", "e"}, "f": {"a", "b", "f"}}.items():
        await store.create(new_run(run_id))
        await finish(store, run_id, Status.CANCELLED)
        assert await kept(store) == rest


async def test_waiting_runs_are_forgotten_last() -> None:
    store = MemoryStore(keep=1)
    for run_id, status in {"waits": Status.WAITING, "pends": Status.PENDING, "ended": Status.SUCCEEDED}.items():
        await store.create(new_run(run_id))
        await finish(store, run_id, status)
    assert await kept(store) == {"waits"}
    await store.create(new_run("waits too"))
    await finish(store, "waits too", Status.WAITING)
    assert await kept(store) == {"waits too"}


async def test_what_is_executed_is_never_forgotten() -> None:
    store = MemoryStore(keep=0)
    for run_id in ("a", "b", "c"):
        await store.create(new_run(run_id))
    assert await kept(store) == {"a", "b", "c"}
    await finish(store, "b")
    assert await kept(store) == {"a", "c"}


async def test_a_run_that_is_executed_again_stops_counting() -> None:
    store = MemoryStore(keep=1)
    await store.settle(settlement(await store.create(new_run("a")), Event.RELEASE))
    await store.claim("a")
    await store.settle(settlement(await store.create(new_run("b")), Event.RELEASE))
    assert await kept(store) == {"a", "b"}


async def test_a_cancelled_run_counts() -> None:
    store = MemoryStore(keep=0)
    await store.create(new_run("a"))
    await store.aclose()
    assert await store.cancel("a") is Status.CANCELLED
    assert await kept(store) == set()


async def test_children_live_as_long_as_their_root() -> None:
    store = MemoryStore()
    await store.create(new_run("root", named=False))
    await store.create(new_run("child", named=False, parent="root"))
    await store.create(new_run("grandchild", named=False, parent="child"))
    await store.create(new_run("busy child", named=False, parent="root"))
    await finish(store, "grandchild")
    await finish(store, "child")
    assert await kept(store) == {"root", "child", "grandchild", "busy child"}
    await finish(store, "root")
    assert await kept(store) == {"busy child"}
    await finish(store, "busy child")
    assert await kept(store) == set()


async def test_a_history_that_another_run_shares_is_kept() -> None:
    store = MemoryStore(keep=1)
    for turn in range(5):
        origin = (f"turn {turn - 1}", 1) if turn else None
        await store.create(new_run(f"turn {turn}", conversation="c", origin=origin))
        await finish(store, f"turn {turn}")
    assert len(await kept(store)) == 5
    await store.create(new_run("other"))
    await finish(store, "other")
    assert await kept(store) == {"other"}


async def test_an_origin_goes_with_the_last_run_that_shares_it() -> None:
    store = MemoryStore()
    await store.create(new_run("origin", named=False))
    for fork in ("one", "two"):
        await store.create(new_run(fork, named=False, origin=("origin", 0)))
    await finish(store, "origin")
    await finish(store, "one")
    assert await kept(store) == {"origin", "two"}
    await finish(store, "two")
    assert await kept(store) == set()


async def test_a_long_chain_of_forks_is_forgotten_at_once() -> None:
    store = MemoryStore()
    for n in range(3000):
        await store.create(new_run(f"{n}", named=False, origin=(f"{n - 1}", 0) if n else None))
    for n in range(3000):
        await finish(store, f"{n}")
    assert await kept(store) == set()


async def test_a_closed_store_gives_its_runs_up() -> None:
    store = MemoryStore(clock=HandClock())
    await store.create(new_run())
    await store.aclose()
    assert (await store.claim("r")).epoch == 2


def test_a_negative_bound_is_the_callers_mistake() -> None:
    with pytest.raises(UserError, match="keep"):
        MemoryStore(keep=-1)


Steps = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["new", "wake", *Status]), st.booleans()), max_size=60)


@given(Steps, st.integers(0, 3))
def test_only_what_rests_is_forgotten_and_never_a_shared_history(steps: list[tuple[int, str, bool]], keep: int) -> None:
    retention = Retention(keep)
    executed: dict[int, bool] = {}  # of every run that is kept
    origins: dict[int, int] = {}
    for run, what, flag in steps:
        if what == "new" and run not in executed:
            origin = run // 2 if flag and run // 2 in executed else None
            retention.add(str(run), None, None if origin is None else str(origin))
            executed[run] = True
            if origin is not None:
                origins[run] = origin
        elif what == "wake" and run in executed:
            retention.wake(str(run))
            executed[run] = True
        elif what not in ("new", "wake") and executed.get(run):
            executed[run] = False
            gone = [int(one) for one in retention.rest(str(run), Status(what), forget=flag)]
            for one in gone:
                assert not executed.pop(one)
                origins.pop(one, None)
            assert not set(gone) & set(origins.values())
            free = [one for one, busy in executed.items() if not busy and one not in origins.values()]
            assert len(free) <= keep
