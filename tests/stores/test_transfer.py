"""A run goes from one store into another and is there what it was here."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from agentgraph import Agent, RunContext, RunWaiting, ToolApproved
from agentgraph.exceptions import RunExists, RunNotFound, UserError
from agentgraph.graph.checks import FORK
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.lineage import fork
from agentgraph.graph.store import BranchRecord, JournalKind, JournalRecord, RunFilter, RunRecord, Store, StoredRun
from agentgraph.models.test import TestModel
from agentgraph.stores import MemoryStore, export_run, import_run
from agentgraph.stores.samples import call, new_run, next_commit, settlement, stored

pytestmark = pytest.mark.anyio

T = TypeVar("T")

MOMENTS = ("load", "calls", "branches", "list")


async def everything(store: Store) -> dict[str, StoredRun]:
    return {
        run.run_id: StoredRun(run=run, steps=await store.steps(run.run_id), calls=await store.calls(run.run_id))
        for run in await store.list(RunFilter(limit=1000))
    }


async def copied(store: Store, run_id: str, **options: Any) -> MemoryStore:  # any: those of import_run
    other = MemoryStore()
    assert await import_run(other, await export_run(store, run_id), **options) == options.get("prefix", "") + run_id
    return other


async def test_a_run_is_there_what_it_was_here() -> None:
    store = MemoryStore()
    odd = stored("odd", Status.FAILED)
    odd = replace(odd, run=replace(odd.run, state=b'{"text":"\xc3\xa9"}', options=b"\xff\x00"))
    await store.insert([odd, stored("other")])
    assert await everything(await copied(store, "odd")) == {"odd": odd}


async def test_children_and_all_that_runs_go_on_from_come_along() -> None:
    store = MemoryStore()
    family = [
        stored("first", conversation="c", at=1),
        stored("child of first", parent="first", at=2),
        stored("r", conversation="c", origin=("first", 3), at=3),
        stored("child", parent="r", at=4),
        stored("below", parent="child", at=5),
        stored("fork of child", parent="r", origin=("child", 1), at=6),
    ]
    await store.insert([*family, stored("fork", origin=("r", 1)), stored("other", conversation="d")])
    assert await everything(await copied(store, "r")) == {each.run.run_id: each for each in family}


async def test_a_child_alone_belongs_to_nobody() -> None:
    store = MemoryStore()
    await store.insert([stored("root"), stored("child", parent="root")])
    other = await copied(store, "child")
    assert (await other.load("child")).parent is None


async def test_a_run_that_is_executed_is_exported_between_two_steps() -> None:
    store = MemoryStore()
    run = await store.create(new_run())
    await store.journal("r", run.epoch, call(0))
    here = (await everything(await copied(store, "r")))["r"]
    assert (here.run.status, here.run.owner, here.run.seq) == (Status.PENDING, None, 0)
    assert here.calls == [call(0)]

    class Moving(MemoryStore):
        async def load(self, run_id: str) -> Any:  # any: as the base
            found = await super().load(run_id)
            await store.commit(next_commit(await store.load("r"), journaled=True))
            return found

    moving = Moving()
    moving.__dict__.update(store.__dict__)
    there = (await everything(await copied(moving, "r")))["r"]
    assert (there.run.seq, [step.seq for step in there.steps], there.calls) == (0, [-1], [call(0)])


class GoingOn(MemoryStore):
    """Lets something happen to the run once, right after it was read in one way."""

    def __init__(self, store: MemoryStore, moment: str, happens: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self.__dict__.update(store.__dict__)
        self.moment, self.happens = moment, happens

    async def load(self, run_id: str) -> RunRecord:
        return await self.after("load", super().load(run_id))

    async def calls(self, run_id: str) -> list[JournalRecord]:
        return await self.after("calls", super().calls(run_id))

    async def branches(self, run_id: str) -> list[BranchRecord]:
        return await self.after("branches", super().branches(run_id))

    async def after(self, moment: str, reading: Awaitable[T]) -> T:
        found = await reading
        if moment == self.moment:
            self.moment = ""
            await self.happens()
        return found

    # Last: what stands below it could not say `list[…]`.
    async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
        return await self.after("list", super().list(which))


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_run_that_goes_on_while_it_is_forked_has_its_calls_or_their_step(moment: str) -> None:
    store = MemoryStore()
    run = await store.create(new_run())
    await store.journal("r", run.epoch, call(0))
    going_on = GoingOn(store, moment, lambda: store.commit(next_commit(run, journaled=True)))
    made = await fork(going_on, await going_on.load("r"), "fork")
    assert (made.seq, await store.calls("fork")) in [(0, [call(0)]), (1, [])]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_run_that_forks_while_it_is_forked_has_the_branches_or_stands_before_them(moment: str) -> None:
    store = MemoryStore()
    run = await store.create(new_run())
    commit, opens = next_commit(run), [BranchRecord(branch="0:0", node="Work")]
    commit = replace(commit, step=replace(commit.step, outcome=FORK), opens=opens)
    going_on = GoingOn(store, moment, lambda: store.commit(commit))
    made = await fork(going_on, await going_on.load("r"), "fork")
    assert (made.seq, await store.branches("fork")) in [(0, []), (1, opens)]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_run_that_goes_to_sleep_while_it_is_exported_takes_what_it_waits_for_along(moment: str) -> None:
    store = MemoryStore()
    run = await store.create(new_run())
    asleep = replace(settlement(run, Event.WAIT, journal=[call(0)]), questions=[call(0, "q", JournalKind.ASKED, b"{}")])
    other = await copied(GoingOn(store, moment, lambda: store.settle(asleep)), "r")
    found = (await other.load("r")).status, [row.key for row in await other.calls("r")]
    assert found in [(Status.PENDING, []), (Status.WAITING, ["k", "q"])]


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_child_of_a_step_that_is_not_exported_is_not_either(moment: str) -> None:
    store = MemoryStore()
    run = await store.create(new_run())

    async def go_on() -> None:
        await store.commit(next_commit(run))
        await store.create(new_run("r/:1/0", parent="r"))

    other = await copied(GoingOn(store, moment, go_on), "r")
    assert (await other.load("r")).seq >= len(await other.list(RunFilter(parent="r")))


async def test_what_is_there_already_is_refused_unless_it_gets_other_names() -> None:
    store = MemoryStore()
    await store.insert([stored("first", conversation="c"), stored("r", conversation="c", origin=("first", 3))])
    data = await export_run(store, "r")
    before = await everything(store)
    with pytest.raises(RunExists):
        await import_run(store, data)
    assert await everything(store) == before
    assert await import_run(store, data, prefix="copy of ") == "copy of r"
    made = await store.load("copy of r")
    assert (made.origin, made.conversation) == (("copy of first", 3), "copy of c")
    assert [run.run_id for run in await store.list(RunFilter(conversation="c"))] == ["r", "first"]


def approving(calls: list[int]) -> Agent[None, str]:
    """An agent whose tool runs another one, that waits for a person."""
    inner, outer = Agent(TestModel(), name="inner"), Agent(TestModel(), name="outer")

    @inner.tool_plain(requires_approval=True)
    def refund(order: int) -> str:
        calls.append(order)
        return "refunded"

    @outer.tool
    async def ask_inner(ctx: RunContext[None]) -> str:
        return (await inner.run("refund", parent=ctx)).data

    return outer


@pytest.mark.parametrize("prefix", ["", "copy-"])
async def test_a_waiting_run_is_answered_in_the_other_store(prefix: str) -> None:
    calls: list[int] = []
    agent, store = approving(calls), MemoryStore()
    with pytest.raises(RunWaiting):
        await agent.run("go", run_id="r", store=store)
    other = await copied(store, "r", prefix=prefix)
    run_id = f"{prefix}r"
    with pytest.raises(RunWaiting) as waiting:
        await agent.run(resume=run_id, store=other)
    (request,) = waiting.value.requests
    result = await agent.run(resume=run_id, store=other, answers={getattr(request, "key", ""): ToolApproved()})
    assert (result.data, calls) == ('{"ask_inner":"{\\"refund\\":\\"refunded\\"}"}', [0])
    assert {run.run_id.startswith(run_id) for run in await other.list()} == {True}
    assert (await store.load("r")).status is Status.WAITING


async def test_a_fork_takes_its_origin_along_and_goes_on() -> None:
    agent, store = Agent(TestModel(custom_result_text="hello")), MemoryStore()
    done = await agent.run("go", run_id="r", store=store)
    await fork(store, await store.load("r"), "f", 1)
    again = await agent.run(resume="f", store=await copied(store, "f"))
    assert (again.data, len(again.all_messages())) == (done.data, 2)


async def test_what_is_not_there_is_not_exported() -> None:
    with pytest.raises(RunNotFound, match="'r'"):
        await export_run(MemoryStore(), "r")


async def file() -> Any:  # any: what JSON holds
    store = MemoryStore()
    await store.insert([stored("first"), stored("r", origin=("first", 1))])
    return json.loads(await export_run(store, "r"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"agentgraph": "graph"}, "this is no exported run: it lacks"),
        ({"format": 2}, "exported in format 2, this release reads format 1; upgrade"),
        ({"run_id": "x"}, "not whole: x is missing"),
        ({"runs": []}, "not whole: r is missing"),
        ({"runs": 7}, "broken at runs: Input should be a valid list"),
    ],
)
async def test_what_is_no_exported_run_is_refused(change: dict[str, object], problem: str) -> None:
    store = MemoryStore()
    with pytest.raises(UserError, match=problem):
        await import_run(store, json.dumps({**await file(), **change}))
    assert await store.list() == []


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"{}", "7", "[" * 100_000])
async def test_anything_else_is_refused(data: bytes | str) -> None:
    with pytest.raises(UserError, match="this is no exported run"):
        await import_run(MemoryStore(), data)


async def test_a_broken_row_is_named() -> None:
    broken = await file()
    del broken["runs"][0]["run"]["seq"]
    with pytest.raises(UserError, match=r"broken at runs\.0\.run\.seq: Field required"):
        await import_run(MemoryStore(), json.dumps(broken))
    broken = await file()
    broken["runs"][1]["steps"][0]["body"] = {"base64": "?"}
    with pytest.raises(UserError, match="this is no exported run"):
        await import_run(MemoryStore(), json.dumps(broken))


async def test_a_run_that_is_there_twice_is_refused() -> None:
    broken = await file()
    broken["runs"].append(broken["runs"][0])
    with pytest.raises(UserError, match="it holds a run twice"):
        await import_run(MemoryStore(), json.dumps(broken))


async def test_a_question_that_cannot_be_read_is_named() -> None:
    store = MemoryStore()
    broken = stored()
    await store.insert([replace(broken, calls=[replace(call(3), kind=JournalKind.ASKED)])])
    with pytest.raises(UserError, match="a question of run 'r' cannot be read"):
        await copied(store, "r", prefix="p")
