"""What every store does for one owner of a run."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from agentgraph.exceptions import IllegalTransition, RunBusy, RunExists, RunFenced, RunNotFound
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import OPENING, JournalKind, RunFilter, RunRecord, Store
from tests.conformance.records import HandClock, call, commit, new_run, next_commit, settlement, step

pytestmark = pytest.mark.anyio


async def everything(store: Store, run_id: str = "r") -> tuple[object, ...]:
    return await store.load(run_id), await store.steps(run_id), await store.calls(run_id)


async def test_a_new_run_is_claimed_by_its_creator(store: Store, clock: HandClock) -> None:
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


async def test_an_id_is_taken_once(store: Store) -> None:
    await store.create(new_run(agent="first"))
    before = await everything(store)
    with pytest.raises(RunExists, match="'r'"):
        await store.create(new_run(agent="second"))
    assert await everything(store) == before


async def test_a_commit_writes_step_state_and_pending_node(store: Store, clock: HandClock) -> None:
    run = await store.create(new_run())
    clock.seconds += 5
    assert await store.commit(commit("r", run.epoch, 0, outcome="Next")) is Status.RUNNING
    after = await store.load("r")
    assert (after.seq, after.attempt, after.pending, after.epoch) == (1, 1, "Next", 1)
    assert (after.state, after.usage) == (b'{"count":1}', b'{"requests":1}')
    assert (after.created_at, after.updated_at) == (clock.seconds - 5, clock.seconds)
    assert await store.steps("r") == [new_run().opening, step(0, outcome="Next")]


async def test_steps_are_read_from_any_point(store: Store) -> None:
    run = await store.create(new_run())
    for seq in range(4):
        await store.commit(commit("r", run.epoch, seq))
    assert [one.seq for one in await store.steps("r")] == [OPENING, 0, 1, 2, 3]
    assert [one.seq for one in await store.steps("r", after=OPENING)] == [0, 1, 2, 3]
    assert [one.seq for one in await store.steps("r", after=1)] == [2, 3]
    assert await store.steps("r", after=3) == []
    assert await store.steps("nothing") == []


async def test_a_finished_run_has_no_owner(store: Store) -> None:
    run = await store.create(new_run())
    assert await store.commit(commit("r", run.epoch, 0, Status.SUCCEEDED, outcome="End")) is Status.SUCCEEDED
    after = await store.load("r")
    assert (after.status, after.owner, after.lease_until, after.pending) == (Status.SUCCEEDED, None, 0.0, "End")


async def test_a_succeeded_run_is_returned_unclaimed(store: Store) -> None:
    await store.commit(next_commit(await store.create(new_run()), Status.SUCCEEDED))
    finished = await store.load("r")
    assert await store.claim("r", b"new options") == finished
    assert await store.load("r") == finished


@pytest.mark.parametrize("status", [Status.WAITING, Status.PENDING, Status.CANCELLED, Status.FAILED])
async def test_a_commit_can_give_the_run_up(store: Store, status: Status) -> None:
    await store.commit(next_commit(await store.create(new_run()), status))
    assert (await store.load("r")).status is status
    run = await store.claim("r")
    assert (run.status, run.epoch, run.seq, run.attempt) == (Status.RUNNING, 2, 1, 1)


@pytest.mark.parametrize("seq", [OPENING, 0, 2])
async def test_a_step_is_committed_once_and_in_turn(store: Store, seq: int) -> None:
    run = await store.create(new_run())
    await store.commit(commit("r", run.epoch, 0))
    before = await everything(store)
    for status in (Status.RUNNING, Status.SUCCEEDED):
        with pytest.raises(RunFenced) as caught:
            await store.commit(commit("r", run.epoch, seq, status))
        assert (caught.value.run_id, caught.value.seq) == ("r", seq)
    assert await everything(store) == before


async def test_writes_to_an_unknown_run_are_fenced(store: Store) -> None:
    run = replace(await store.create(new_run()), run_id="unknown")
    with pytest.raises(RunFenced):
        await store.commit(next_commit(run))
    with pytest.raises(RunFenced):
        await store.journal("unknown", 1, call(0))
    with pytest.raises(RunFenced):
        await store.settle(settlement(run, Event.RELEASE))
    for ask in (store.load, store.claim, store.cancel):
        with pytest.raises(RunNotFound, match="'unknown'"):
            await ask("unknown")


async def test_an_old_epoch_writes_nothing(store: Store) -> None:
    old = await store.create(new_run())
    await store.settle(settlement(old, Event.RELEASE))
    await store.claim("r")
    before = await everything(store)
    with pytest.raises(RunFenced):
        await store.commit(next_commit(old, journaled=True))
    with pytest.raises(RunFenced):
        await store.journal("r", old.epoch, call(0))
    with pytest.raises(RunFenced):
        await store.settle(settlement(old, Event.FAIL, error="late", journal=[call(0)]))
    assert await everything(store) == before


async def test_a_run_given_up_takes_no_more_writes(store: Store) -> None:
    run = await store.create(new_run())
    await store.settle(settlement(run, Event.RELEASE))
    before = await everything(store)
    with pytest.raises(RunFenced):
        await store.commit(next_commit(run))
    with pytest.raises(RunFenced):
        await store.journal("r", run.epoch, call(0))
    assert await everything(store) == before


async def test_a_held_run_is_busy_until_it_is_settled(store: Store, clock: HandClock) -> None:
    run = await store.create(new_run())
    clock.seconds += 1000  # a lease that this store itself holds does not matter
    with pytest.raises(RunBusy) as caught:
        await store.claim("r")
    assert caught.value.run_id == "r"
    await store.settle(settlement(run, Event.RELEASE))
    assert (await store.claim("r")).epoch == 2


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (Event.RELEASE, Status.PENDING),
        (Event.FAIL, Status.FAILED),
        (Event.CANCEL, Status.CANCELLED),
        (Event.WAIT, Status.WAITING),
    ],
)
async def test_a_settlement_keeps_the_pending_node(store: Store, event: Event, status: Status) -> None:
    run = await store.create(new_run())
    await store.settle(settlement(run, event, error="why", journal=[call(0, "a"), call(0, "b")]))
    after = await store.load("r")
    assert (after.status, after.error, after.owner, after.seq, after.pending) == (status, "why", None, 0, "First")
    assert await store.calls("r") == [call(0, "a"), call(0, "b")]
    again = await store.claim("r")
    assert (again.status, again.error, again.attempt, again.epoch) == (Status.RUNNING, None, 2, 2)


@pytest.mark.parametrize("event", [Event.START, Event.CLAIM, Event.FINISH])
async def test_other_events_do_not_settle(store: Store, event: Event) -> None:
    run = await store.create(new_run())
    with pytest.raises(IllegalTransition):
        await store.settle(settlement(run, event))
    assert await store.load("r") == run


async def test_a_claim_may_replace_the_options(store: Store) -> None:
    run = await store.create(new_run())
    await store.settle(settlement(run, Event.RELEASE))
    run = await store.claim("r")
    assert run.options == b'{"limit":1}'
    await store.settle(settlement(run, Event.RELEASE))
    assert (await store.claim("r", b'{"limit":2}')).options == b'{"limit":2}'
    assert (await store.load("r")).options == b'{"limit":2}'


async def test_attempts_count_the_claims_of_one_step(store: Store) -> None:
    run = await store.create(new_run())
    for attempt in (2, 3):
        await store.settle(settlement(run, Event.RELEASE))
        run = await store.claim("r")
        assert run.attempt == attempt
    await store.commit(next_commit(run))
    assert (await store.load("r")).attempt == 1


async def test_the_journal_keeps_the_order_of_its_first_rows(store: Store) -> None:
    run = await store.create(new_run())
    started = call(0, "a", JournalKind.STARTED, b"null")
    for record in (started, call(0, "b"), call(0, "a", JournalKind.LOST, b'"a file"')):
        await store.journal("r", run.epoch, record)
    assert await store.calls("r") == [call(0, "a", JournalKind.LOST, b'"a file"'), call(0, "b")]
    assert await store.calls("nothing") == []


@pytest.mark.parametrize("seq", [OPENING, 1])
async def test_only_the_pending_step_has_a_journal(store: Store, seq: int) -> None:
    run = await store.create(new_run())
    with pytest.raises(RunFenced):
        await store.journal("r", run.epoch, call(seq))
    assert await store.calls("r") == []


@pytest.mark.parametrize("status", [Status.RUNNING, Status.SUCCEEDED])
async def test_a_steps_journal_dies_with_its_commit(store: Store, status: Status) -> None:
    run = await store.create(new_run())
    await store.journal("r", run.epoch, call(0))
    await store.commit(next_commit(run, status, journaled=True))
    assert await store.calls("r") == []


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
async def test_a_cancel_is_seen_by_the_next_commit(store: Store, asked: Status, becomes: Status) -> None:
    run = await store.create(new_run())
    assert await store.cancel("r") is Status.RUNNING
    assert await store.commit(next_commit(run, asked)) is becomes
    after = await store.load("r")
    assert (after.status, after.seq, after.owner) == (becomes, 1, None)


@pytest.mark.parametrize(
    ("event", "status"),
    [(Event.RELEASE, Status.CANCELLED), (Event.WAIT, Status.CANCELLED), (Event.FAIL, Status.FAILED)],
)
async def test_a_settlement_does_not_lose_a_cancel(store: Store, event: Event, status: Status) -> None:
    run = await store.create(new_run())
    await store.cancel("r")
    await store.settle(settlement(run, event))
    assert (await store.load("r")).status is status


async def test_a_claim_forgets_an_earlier_cancel(store: Store) -> None:
    run = await store.create(new_run())
    await store.cancel("r")
    await store.settle(settlement(run, Event.RELEASE))
    run = await store.claim("r")
    assert await store.commit(next_commit(run)) is Status.RUNNING


@pytest.mark.parametrize("event", [Event.RELEASE, Event.WAIT])
async def test_a_run_that_nobody_executes_is_cancelled_at_once(store: Store, event: Event) -> None:
    await store.settle(settlement(await store.create(new_run()), event))
    assert await store.cancel("r") is Status.CANCELLED
    assert (await store.load("r")).status is Status.CANCELLED
    assert await store.cancel("r") is Status.CANCELLED
    assert (await store.claim("r")).status is Status.RUNNING


async def test_what_has_ended_is_not_cancelled(store: Store) -> None:
    await store.commit(next_commit(await store.create(new_run()), Status.SUCCEEDED))
    finished = await store.load("r")
    assert await store.cancel("r") is Status.SUCCEEDED
    assert await store.load("r") == finished


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


async def test_runs_are_listed_newest_first(store: Store, clock: HandClock) -> None:
    made = await make_many(store, clock)
    assert await store.list() == made
    assert await store.list(RunFilter(limit=2)) == made[:2]
    assert await store.list(RunFilter(limit=0)) == []


async def test_runs_are_listed_by_what_matters(store: Store, clock: HandClock) -> None:
    made = await make_many(store, clock)
    pending = [run for run in made if run.status is Status.PENDING]
    assert await store.list(RunFilter(status=Status.PENDING)) == pending
    assert await store.list(RunFilter(agent="b")) == [run for run in made if run.agent == "b"]
    assert await store.list(RunFilter(conversation="c")) == [run for run in made if run.conversation == "c"]
    assert await store.list(RunFilter(since=clock.seconds)) == [r for r in made if r.created_at >= clock.seconds]
    both = RunFilter(status=Status.PENDING, agent="a", since=0.0)
    assert await store.list(both) == [run for run in pending if run.agent == "a"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_join_to_the_whole_list(store: Store, clock: HandClock, limit: int) -> None:
    made = await make_many(store, clock)
    found: list[RunRecord] = []
    before: tuple[float, str] | None = None
    while page := await store.list(RunFilter(limit=limit, before=before)):
        found += page
        before = (page[-1].created_at, page[-1].run_id)
    assert found == made


async def test_many_runs_are_written_side_by_side(store: Store) -> None:
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


async def test_closing_twice_is_closing_once(store: Store) -> None:
    await store.create(new_run())
    await store.aclose()
    await store.aclose()
