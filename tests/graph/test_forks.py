"""A run forks into branches that walk side by side, each with a state of its own, and joins their values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import anyio
import pytest

from agentgraph.exceptions import GraphRuntimeError, RunCancelled, RunFenced, RunWaiting
from agentgraph.graph import (
    Appended,
    BaseNode,
    BranchError,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    RunEvent,
    Status,
    StepEnded,
    StepStarted,
    Store,
    fork,
    open_questions,
)
from agentgraph.stores import MemoryStore
from agentgraph.stores.transfer import export_run, import_run

pytestmark = pytest.mark.anyio

Do = Callable[["Ctx", int], Awaitable[object]]


@dataclass
class Desk:
    """The state."""

    notes: Annotated[list[str], Appended] = field(default_factory=list[str])
    seen: dict[str, int] = field(default_factory=dict[str, int])


Ctx = GraphRunContext[Desk, Do | None]


@dataclass
class Split(BaseNode[Desk, Do | None, list[Any]]):
    count: int
    limit: int | None = None
    collect: bool = False

    async def run(self, ctx: Ctx) -> Fork[Work, Collect]:
        ctx.state.notes.append("split")
        ctx.state.seen["split"] = self.count
        on_error = "collect" if self.collect else "raise"
        branches = [Work(number) for number in range(self.count)]
        return Fork(branches, join=Collect, limit=self.limit, on_error=on_error)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@dataclass
class Work(BaseNode[Desk, Do | None]):
    number: int

    async def run(self, ctx: Ctx) -> Deliver | Join[int]:
        ctx.state.notes.append(f"work {self.number}")
        ctx.state.seen["work"] = self.number
        if ctx.deps is not None:
            await ctx.deps(ctx, self.number)
        return Deliver(10 * self.number)


@dataclass
class Deliver(BaseNode[Desk, Do | None]):
    value: int

    async def run(self, ctx: Ctx) -> Join[int]:
        return Join(self.value + len(ctx.state.notes) + ctx.state.seen["work"])


@dataclass
class Collect(BaseNode[Desk, Do | None, list[Any]]):
    values: list[int | BranchError]

    async def run(self, ctx: Ctx) -> End[list[Any]]:
        return End([*self.values])


graph: Graph[Desk, Do | None, list[Any]] = Graph(
    nodes=[Split, Work, Deliver, Collect], name="split", run_end_type=list[int | BranchError]
)
DONE = [2, 13, 24]


async def begin(store: Store | None, node: Split, do: Do | None = None) -> list[Any]:
    run_id = None if store is None else "r"
    return (await graph.run(node, state=Desk(), deps=do, store=store, run_id=run_id)).output


async def resume(store: Store, do: Do | None = None) -> list[Any]:
    return (await graph.run(resume="r", deps=do, store=store)).output


async def test_values_stand_in_the_order_of_the_branches(store: Store) -> None:
    async def the_last_first(ctx: Ctx, number: int) -> None:
        for _ in range(9 - 3 * number):
            await anyio.lowlevel.checkpoint()

    assert await begin(store, Split(3), the_last_first) == DONE
    assert await begin(None, Split(3), the_last_first) == DONE
    assert await resume(store) == DONE


async def test_branches_share_no_state(store: Store) -> None:
    async with graph.iter(Split(2), state=Desk(), store=store) as run:
        nodes = [node.get_node_id() async for node in run if isinstance(node, BaseNode)]
    assert nodes == ["Split", "Fork", "Collect"]
    assert run.state == Desk(["split"], {"split": 2})


async def test_each_step_of_a_branch_is_committed_by_itself(store: Store) -> None:
    await begin(store, Split(2))
    steps = [(step.branch, step.seq, step.node, step.outcome) for step in await store.steps("r", after=-1)]
    assert steps == [
        ("", 0, "Split", "Fork"),
        ("", 1, "Collect", "End"),
        ("0:0", 0, "Work", "Deliver"),
        ("0:0", 1, "Deliver", "Join"),
        ("0:1", 0, "Work", "Deliver"),
        ("0:1", 1, "Deliver", "Join"),
    ]
    assert await store.branches("r") == []


async def test_events_name_the_branch() -> None:
    events: list[RunEvent] = []
    await graph.run(Split(1), state=Desk(), observers=[events.append])
    told = [(each.branch, each.seq, each.node) for each in events if isinstance(each, StepStarted)]
    assert told == [("", 0, "Split"), ("0:0", 0, "Work"), ("0:0", 1, "Deliver"), ("", 1, "Collect")]
    ended = [(each.branch, each.outcome) for each in events if isinstance(each, StepEnded)]
    assert ended == [("", "Fork to Collect"), ("0:0", "Deliver"), ("0:0", "Join"), ("", "End")]


async def test_a_fork_of_nothing(store: Store) -> None:
    assert await begin(store, Split(0)) == []


async def test_a_limit_bounds_how_many_run_at_once() -> None:
    active = most = 0

    async def count(ctx: Ctx, number: int) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await anyio.lowlevel.checkpoint()
        active -= 1

    assert len(await begin(None, Split(7, limit=3), count)) == 7
    assert most == 3


async def test_the_first_failure_stops_the_others_and_what_has_joined_stays(store: Store) -> None:
    ran: list[int] = []
    released = anyio.Event()

    async def fail(ctx: Ctx, number: int) -> None:
        ran.append(number)
        if number == 1:
            await released.wait()
            raise ZeroDivisionError
        if number == 2:
            released.set()
            await anyio.sleep_forever()

    with pytest.raises(ZeroDivisionError) as caught:
        await begin(store, Split(3), fail)
    assert caught.value.__notes__ == ["raised in run 'r', step 1 (Fork to Collect)"]
    record = await store.load("r")
    assert (record.status, record.error) == (Status.FAILED, "ZeroDivisionError: ")
    assert [branch.node for branch in await store.branches("r")] == ["Join", "Work", "Work"]
    ran.clear()

    async def note(ctx: Ctx, number: int) -> None:
        ran.append(number)

    assert await resume(store, note) == DONE
    assert sorted(ran) == [1, 2]


async def test_errors_are_collected_where_the_fork_says_so(store: Store) -> None:
    async def fail(ctx: Ctx, number: int) -> None:
        if number == 1:
            raise ValueError("no")

    collected = [2, BranchError("0:1", "ValueError", "no"), 24]
    assert await begin(store, Split(3, collect=True), fail) == collected
    assert await resume(store) == collected
    assert [step.outcome for step in await store.steps("r") if step.branch == "0:1"] == ["(failed)"]


async def test_an_error_of_the_run_is_no_error_of_a_branch(store: Store) -> None:
    async def lose(ctx: Ctx, number: int) -> None:
        raise RunFenced("r", 0)

    with pytest.raises(RunFenced):
        await begin(store, Split(2, collect=True), lose)


async def test_calls_of_a_branch_are_journaled_apart(store: Store) -> None:
    calls: list[int] = []

    def once(number: int) -> int:
        calls.append(number)
        return number

    async def call(ctx: Ctx, number: int) -> None:
        assert await ctx.once("same key", once, number) == number
        assert await ctx.once("another", once, 100 + number) == 100 + number
        if fails and number == 1:
            raise ZeroDivisionError

    fails = True
    with pytest.raises(ZeroDivisionError):
        await begin(store, Split(2), call)
    fails = False
    assert await resume(store, call) == DONE[:2]
    assert sorted(calls) == [0, 1, 100, 101]


async def test_branches_wait_and_the_others_go_on(store: Store) -> None:
    async def ask(ctx: Ctx, number: int) -> None:
        if number != 1:
            assert await ctx.wait_for("sure", question=number, type=bool)

    with pytest.raises(RunWaiting) as caught:
        await begin(store, Split(3, limit=1), ask)
    assert [question.about for question in open_questions(await store.calls("r"))] == [0, 2]
    assert len(caught.value.questions) == 2
    assert (await store.load("r")).status is Status.WAITING
    assert [branch.node for branch in await store.branches("r")] == ["Work", "Join", "Work"]
    await store.answer("r", "0:2/0/sure", value=True)
    with pytest.raises(RunWaiting, match=r"waits for 1 answer"):
        await resume(store, ask)
    await store.answer("r", "0:0/0/sure", value=True)
    assert await resume(store, ask) == DONE


async def test_an_answer_that_comes_just_before_the_sleep() -> None:
    class Quick(MemoryStore):
        async def settle(self, settlement: Any) -> Status:  # Any: handed on as it is
            status = await super().settle(settlement)
            if settlement.questions and status is Status.WAITING:
                await self.answer("r", "0:0/0/sure", value=True)
            return status

    async def ask(ctx: Ctx, number: int) -> None:
        if number == 0:
            assert await ctx.wait_for("sure", type=bool)

    store = Quick()
    with pytest.raises(RunWaiting):
        await begin(store, Split(2), ask)
    assert await resume(store, ask) == DONE[:2]


async def test_a_cancel_from_elsewhere_stops_all_branches(store: Store) -> None:
    async def cancel(ctx: Ctx, number: int) -> None:
        if number == 0:
            await store.cancel("r")
        else:
            await anyio.sleep_forever()

    with pytest.raises(RunCancelled):
        await begin(store, Split(3), cancel)
    assert (await store.load("r")).status is Status.CANCELLED
    assert await resume(store) == DONE


async def test_a_cancelled_task_cancels_the_run(store: Store) -> None:
    async def wait(ctx: Ctx, number: int) -> None:
        if number == 2:
            scope.cancel()
        await anyio.lowlevel.checkpoint()

    with anyio.CancelScope() as scope:
        await begin(store, Split(3), wait)
    assert (await store.load("r")).status is Status.CANCELLED
    assert await resume(store) == DONE


async def test_leaving_in_the_middle_keeps_the_branches(store: Store) -> None:
    async with graph.iter(Split(2), state=Desk(), store=store, run_id="r") as run:
        await run.next()
        assert run.next_node == Fork([Work(0), Work(1)], join=Collect)
    async with graph.iter(resume="r", store=store) as run:
        assert run.next_node == Fork([Work(0), Work(1)], join=Collect)
        assert await run.next() == Collect([2, 13])
    assert await resume(store) == [2, 13]


async def test_a_pending_fork_is_replaced(store: Store) -> None:
    async with graph.iter(Split(2), state=Desk(), store=store, run_id="r") as run:
        await run.next()
        assert await run.next(Collect([7])) == End([7])
    assert await store.branches("r") == []
    assert await resume(store) == [7]


async def test_a_fork_takes_the_place_of_another_node(store: Store) -> None:
    async with graph.iter(Split(2), state=Desk(), store=store, run_id="r") as run:
        assert await run.next(Fork([Work(5)], join=Collect)) == Collect([56])


async def test_a_run_is_forked_off_amidst_its_branches(store: Store) -> None:
    async def fail(ctx: Ctx, number: int) -> None:
        if number == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await begin(store, Split(2, limit=1), fail)
    await fork(store, await store.load("r"), "amidst")
    assert await resume(store) == DONE[:2]
    await fork(store, await store.load("r"), "after", 1)
    await fork(store, await store.load("r"), "before", 0)
    for run_id in ("amidst", "after", "before"):
        assert (await graph.run(resume=run_id, store=store)).output == DONE[:2]
    rows = [(row.branch, row.seq) for row in await store.steps("amidst")]
    assert rows == [("", 1), ("0:1", 0), ("0:1", 1)]  # what the first branch had done is pointed at
    assert [row.branch for row in await store.steps("after")] == [""]
    await fork(store, await store.load("amidst"), "again", 1)
    assert (await graph.run(resume="again", store=store)).output == DONE[:2]


async def test_a_run_is_moved_to_another_store_amidst_its_branches(store: Store) -> None:
    async def fail(ctx: Ctx, number: int) -> None:
        await ctx.once("once", str, number)
        if number == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await begin(store, Split(2, limit=1), fail)
    other = MemoryStore()
    await import_run(other, await export_run(store, "r"))
    assert await resume(other) == DONE[:2]
    assert await other.calls("r") == []


async def test_can_resume_looks_into_the_branches(store: Store) -> None:
    async with graph.iter(Split(1), state=Desk(), store=store, run_id="r") as run:
        await run.next()

    @dataclass
    class Other(BaseNode[Desk, Do | None]):
        async def run(self, ctx: Ctx) -> Join[int]:
            return Join(1)

    @dataclass
    class Begin(BaseNode[Desk, Do | None, list[Any]]):
        async def run(self, ctx: Ctx) -> Fork[Other, Collect]:
            return Fork([Other()], join=Collect)

    changed: Graph[Desk, Do | None, list[Any]] = Graph(nodes=[Begin, Other, Collect], name="split")
    problems = await changed.can_resume("r", store=store)
    assert any("Work" in problem.what for problem in problems)


@dataclass
class Start(BaseNode[None, object, list[Any]]):
    async def run(self, ctx: GraphRunContext[None, object]) -> Fork[Liar, Gather]:
        return Fork([Liar()], join=Gather)


@dataclass
class Liar(BaseNode[None, object]):
    """Returns what the deps are, whatever it says."""

    async def run(self, ctx: GraphRunContext[None, object]) -> Join[int]:
        return ctx.deps  # type: ignore[return-value] # pyright: ignore[reportReturnType]


@dataclass
class Gather(BaseNode[None, object, list[Any]]):
    values: list[Any]

    async def run(self, ctx: GraphRunContext[None, object]) -> End[list[Any]]:
        return End(self.values)


lying: Graph[None, object, list[Any]] = Graph(nodes=[Start, Liar, Gather], name="lying")


class TestWhatIsRefused:
    async def test_an_end_inside_a_branch(self) -> None:
        with pytest.raises(GraphRuntimeError, match=r"Liar\.run returned End, inside branch 0:0: a branch ends with"):
            await lying.run(Start(), deps=End([]))

    async def test_another_fork_than_the_annotation_says(self) -> None:
        with pytest.raises(GraphRuntimeError, match=r"Liar\.run returned Fork to Gather, which its return annotation"):
            await lying.run(Start(), deps=Fork([Liar()], join=Gather))

    async def test_a_join_outside_of_a_fork(self) -> None:
        async with lying.iter(Start(), deps=Join(1)) as run:
            with pytest.raises(GraphRuntimeError, match=r"Liar\.run returned Join, and there is no fork"):
                await run.next(Liar())

    async def test_a_fork_to_nodes_of_another_graph(self) -> None:
        for other in (Fork([Work(1)], join=Gather), Fork([Liar()], join=Collect)):
            async with lying.iter(Start()) as run:
                with pytest.raises(GraphRuntimeError, match="is not a node of graph 'lying'"):
                    await run.next(other)
