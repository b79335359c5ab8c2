"""Going on with a run that was left, failed, or lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from agentgraph.exceptions import (
    DecodeError,
    RunBusy,
    RunCancelled,
    RunFenced,
    RunNotFound,
    RunNotResumable,
    RunWaiting,
)
from agentgraph.graph import (
    BaseNode,
    End,
    Graph,
    GraphRunContext,
    JournalRecord,
    RunInfo,
    Scheduler,
    Status,
    StepRecord,
    Store,
    fork,
)
from agentgraph.graph.claiming import MAX_ATTEMPTS
from agentgraph.stores import MemoryStore
from tests.graph.samples import ENTIRE, START, Add, Line, Show, Tally, at, failing, tally

pytestmark = pytest.mark.anyio


async def test_a_succeeded_run_gives_its_stored_result_unclaimed(store: Store) -> None:
    done = await tally.run(Add(START), state=Tally(), store=store, run_id="r")
    before = await store.load("r")
    again = await tally.run(resume="r", store=store)
    assert again == done
    assert await store.load("r") == before
    async with tally.iter(resume="r", store=store) as run:
        assert [node async for node in run] == [End("again 3")]


async def test_what_cannot_be_had(store: Store) -> None:
    with pytest.raises(RunNotFound, match="there is no run 'r'"):
        await tally.run(resume="r", store=store)
    with pytest.raises(RunNotResumable, match="there is no store to resume it from; give `store=`"):
        await tally.run(resume="r")
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r"):
        with pytest.raises(RunBusy, match="run 'r' is executed by process"):
            await tally.run(resume="r", store=store)
    with pytest.raises(RunNotResumable, match="it is a run of graph 'tally', not of 'graph'"):
        await Graph(nodes=[Add, Show]).run(resume="r", store=store, infer_name=False)
    assert (await store.load("r")).status is Status.PENDING


async def begun(store: MemoryStore) -> None:
    """A run whose process was lost."""
    await Scheduler(store).begin(tally, Add(START), (Tally(), None), RunInfo(run_id="r", named=True))
    await store.aclose()


async def test_a_scheduler_without_a_store_resumes_nothing(memory: MemoryStore) -> None:
    await begun(memory)
    with pytest.raises(RunNotResumable, match="there is no store to resume it from"):
        await Scheduler().resume(tally, await memory.load("r"), None)


async def test_an_owner_that_lost_the_run_writes_nothing_more(memory: MemoryStore) -> None:
    async with tally.iter(Add(START), state=Tally(), store=memory, run_id="r") as stale:
        await stale.next()
        await memory.aclose()
        async with tally.iter(resume="r", store=memory) as run:
            await run.next()
            before = await memory.steps("r")
            with pytest.raises(RunFenced, match="run 'r' was taken over at or before step 1"):
                await stale.next()
            assert await memory.steps("r") == before
            assert isinstance(await run.next(), Show)


async def test_a_step_that_loses_its_process_again_and_again_fails_the_run(memory: MemoryStore) -> None:
    await begun(memory)
    for attempt in range(2, MAX_ATTEMPTS + 1):
        execution = await Scheduler(memory).resume(tally, await memory.load("r"), None)
        assert execution.ctx.attempt == attempt
        await memory.aclose()
    with pytest.raises(RunNotResumable, match=r"step 0 \(Add\) has lost its process 5 times; it counts"):
        await tally.run(resume="r", store=memory)
    record = await memory.load("r")
    assert (record.status, record.error) == (Status.FAILED, "step 0 (Add) has lost its process 5 times")
    assert (await tally.run(resume="r", store=memory)).output == "again 3"
    assert await memory.calls("r") == []


async def test_only_attempts_that_lost_their_process_count(memory: MemoryStore) -> None:
    await begun(memory)
    for _ in range(MAX_ATTEMPTS):
        for _ in range(2):
            with pytest.raises(KeyError):
                await tally.run(resume="r", deps=failing(1, KeyError()), store=memory)
        async with tally.iter(resume="r", store=memory):
            pass
        await Scheduler(memory).resume(tally, await memory.load("r"), None)
        await memory.aclose()
    with pytest.raises(RunNotResumable, match="has lost its process 5 times"):
        await tally.run(resume="r", store=memory)


@dataclass
class Before(BaseNode[None, None, str]):
    async def run(self, ctx: GraphRunContext) -> Asking:
        return Asking()


@dataclass
class Asking(BaseNode[None, None, str]):
    async def run(self, ctx: GraphRunContext) -> End[str]:
        return End(str(await ctx.wait_for("sure")))


async def test_a_run_that_waits_at_a_later_step_keeps_no_count_of_the_one_that_was_lost(memory: MemoryStore) -> None:
    graph = Graph(nodes=(Before, Asking), name="asking")
    await Scheduler(memory).begin(graph, Before(), (None, None), RunInfo(run_id="r", named=True))
    await memory.aclose()
    with pytest.raises(RunWaiting):
        await graph.run(resume="r", store=memory)
    assert [(row.seq, row.key) for row in await memory.calls("r")] == [(1, "sure")]


async def test_a_fork_begins_to_count_anew(memory: MemoryStore) -> None:
    await begun(memory)
    for _ in range(MAX_ATTEMPTS - 1):
        await Scheduler(memory).resume(tally, await memory.load("r"), None)
        await memory.aclose()
    await fork(memory, await memory.load("r"), "fork")
    assert await memory.calls("fork") == []


async def test_a_step_may_fail_as_often_as_it_is_resumed(memory: MemoryStore) -> None:
    with pytest.raises(KeyError):
        await tally.run(Add(START), state=Tally(), deps=failing(1, KeyError()), store=memory, run_id="r")
    for _ in range(2 * MAX_ATTEMPTS):
        with pytest.raises(KeyError):
            await tally.run(resume="r", deps=failing(1, KeyError()), store=memory)
    assert (await tally.run(resume="r", store=memory)).state.texts == ENTIRE


@dataclass
class Small(BaseNode[Tally, Any, str]):
    async def run(self, ctx: GraphRunContext[Tally, Any]) -> End[str]:
        return End("")


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.PENDING])
async def test_code_that_does_not_fit_leaves_the_run_as_it_was(status: Status, memory: MemoryStore) -> None:
    try:
        async with tally.iter(Add(START), state=Tally(), store=memory, run_id="r", deps=failing(1, KeyError())) as run:
            await run.next()
            if status is Status.CANCELLED:
                await run.cancel()
            elif status is Status.FAILED:
                await run.next()
    except KeyError:
        pass
    before = await memory.load("r")
    assert before.status is status
    with pytest.raises(RunNotResumable, match="it goes on at Show, which is not in the graph; there are Small"):
        await Graph(nodes=[Small], name="tally").run(resume="r", store=memory)
    after = await memory.load("r")
    assert (after.status, after.error, after.pending) == (status, before.error, "Show")


class Unreadable(MemoryStore):
    """Gives back what nobody can read."""

    unread = "steps"

    async def steps(self, run_id: str, after: int = -2) -> list[StepRecord]:
        found = await super().steps(run_id, after)
        return [replace(step, body=b"?") for step in found] if self.unread == "steps" else found

    async def calls(self, run_id: str) -> list[JournalRecord]:
        if self.unread == "calls":
            raise OSError
        return await super().calls(run_id)


@pytest.mark.parametrize(("unread", "error"), [("steps", DecodeError), ("calls", OSError)])
async def test_a_run_that_cannot_be_read_is_given_up(unread: str, error: type[Exception]) -> None:
    store = Unreadable()
    store.unread = unread
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r"):
        pass
    for _ in range(2 * MAX_ATTEMPTS):
        with pytest.raises(error):
            await tally.run(resume="r", store=store)
    assert (await store.load("r")).status is Status.PENDING


async def test_a_run_cancelled_from_elsewhere_commits_its_step_and_says_so(store: Store, elsewhere: Store) -> None:
    async with tally.iter(Add(START), state=Tally(), store=store, run_id="r") as run:
        await run.next()
        assert await elsewhere.cancel("r") is Status.RUNNING
        with pytest.raises(RunCancelled, match="run 'r' was cancelled; go on with `resume='r'`"):
            await run.next()
    record = await store.load("r")
    assert (record.status, record.seq) == (Status.CANCELLED, 2)
    assert (await tally.run(resume="r", store=store)).state.texts == ENTIRE


async def test_an_end_wins_over_a_cancel(store: Store, elsewhere: Store) -> None:
    async with tally.iter(Add(START), state=Tally(count=2), store=store, run_id="r") as run:
        await run.next()
        await elsewhere.cancel("r")
        assert await run.next() == End("go 3")
    assert (await store.load("r")).status is Status.SUCCEEDED


async def test_a_cancel_that_meets_a_replacement_stops_before_the_other_node(memory: MemoryStore) -> None:
    ran: list[str] = []
    async with tally.iter(
        Add(START), state=Tally(), store=memory, run_id="r", deps=at(2, lambda: ran.append("ran"))
    ) as run:
        await run.next()
        await memory.cancel("r")
        with pytest.raises(RunCancelled):
            await run.next(Show(Line("mine")))
    record = await memory.load("r")
    assert (ran, record.status, record.pending, record.seq) == ([], Status.CANCELLED, "Show", 2)
