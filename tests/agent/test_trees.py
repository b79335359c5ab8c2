"""Trees of runs: killed at any depth they go on, what they use counts once, and they are cancelled together."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import count
from typing import TypedDict, Unpack

import anyio
import pytest
from anyio.lowlevel import checkpoint

from agentgraph import (
    Agent,
    MemoryStore,
    RunCancelled,
    RunContext,
    RunWaiting,
    ToolApproved,
    ToolRequest,
    Usage,
    UsageLimitExceeded,
    UsageLimits,
)
from agentgraph.graph import RunFilter, Status, Store
from agentgraph.messages import ModelMessage, ModelResponse
from agentgraph.models.function import AgentInfo, FunctionModel
from tests.agent.doors import plain
from tests.agent.interrupting import Accident, Interrupting, Killed
from tests.agent.scripted import answers, call, says

pytestmark = pytest.mark.anyio


class Given(TypedDict, total=False):
    usage_limits: UsageLimits
    answers: dict[str, ToolApproved]


class Firm:
    """A boss has leads look after orders, each lead has a clerk pack: three levels, two side by side."""

    def __init__(self, *, approval: bool = False) -> None:
        self.done = Counter[str]()
        self.gate: anyio.Event | None = None
        self.packing = anyio.Event()
        self.clerk = Agent(says([call("pack", "p1"), call("pack", "p2")], "packed"), name="clerk")
        self.lead = Agent(says(call("delegate", "d"), call("note", "n"), "looked after"), name="lead")
        self.boss = Agent(says([call("order", "o1"), call("order", "o2"), call("note", "n")], "done"), name="boss")

        @self.clerk.tool(requires_approval=approval)
        async def pack(ctx: RunContext[None]) -> str:
            self.packing.set()
            if self.gate is not None:
                await self.gate.wait()
            return await self.did(ctx)

        @self.lead.tool
        async def delegate(ctx: RunContext[None]) -> str:
            return (await self.clerk.run("Pack it", parent=ctx)).data + await self.did(ctx)

        self.lead.tool(name="note")(self.did)
        self.boss.tool(name="note")(self.did)

        @self.boss.tool
        async def order(ctx: RunContext[None]) -> str:
            return (await self.lead.run("Look after it", parent=ctx)).data

    async def did(self, ctx: RunContext[None]) -> str:
        assert ctx.idempotency_key is not None
        await checkpoint()
        self.done[ctx.idempotency_key] += 1
        return "ok"

    async def begin(self, store: Store, limits: UsageLimits | None = None) -> tuple[object, Usage]:
        result = await self.boss.run("go", run_id="r", store=store, usage_limits=limits)
        return plain(result.all_messages()), result.usage()

    async def go_on(self, store: Store, run_id: str = "r", **given: Unpack[Given]) -> tuple[object, Usage]:
        result = await self.boss.run(resume=run_id, store=store, **given)
        return plain(result.all_messages()), result.usage()


def approvals(waiting: RunWaiting) -> dict[str, ToolApproved]:
    return {request.key: ToolApproved() for request in waiting.requests if isinstance(request, ToolRequest)}


@pytest.mark.parametrize("accident", ["killed after", "disk full"])
async def test_a_tree_goes_on_from_every_write_at_any_depth(accident: Accident) -> None:
    unkilled = Firm()
    expected = await unkilled.begin(MemoryStore())
    for at in count(1):
        firm, store = Firm(), Interrupting(MemoryStore(), at, accident)
        with suppress(Killed, BaseExceptionGroup, RuntimeError):
            await firm.begin(store)
        if not store.interrupted:
            assert at > 30
            return
        kept = {key: times for key, times in firm.done.items() if store.knows(key)}
        await store.aclose()
        assert await firm.go_on(store.store) == expected
        assert firm.done.keys() == unkilled.done.keys()
        assert {key: firm.done[key] for key in kept} == kept
        assert {run.status for run in await store.store.list()} == {Status.SUCCEEDED}
        assert len(await store.store.list()) == 5


async def test_what_a_tree_has_used_is_that_of_its_root() -> None:
    store, firm = MemoryStore(), Firm()
    result = await firm.boss.run("go", run_id="r", store=store)
    assert result.usage().requests == 2 + 2 * 3 + 2 * 2


@pytest.mark.parametrize("limit", [2, 3, 5])
async def test_a_limit_holds_for_the_whole_tree_and_can_be_raised(limit: int) -> None:
    store, firm = MemoryStore(), Firm()
    expected = await Firm().begin(MemoryStore())
    with pytest.raises(UsageLimitExceeded, match=f"request_limit={limit}"):
        await firm.begin(store, UsageLimits(request_limit=limit))
    assert (await store.load("r")).status is Status.FAILED
    assert await firm.go_on(store, usage_limits=UsageLimits(request_limit=12)) == expected
    assert set(firm.done.values()) == {1}


@pytest.mark.parametrize("limit", range(1, 12))
async def test_runs_side_by_side_do_not_go_over_the_limit_together(limit: int) -> None:
    store, firm, usage = MemoryStore(), Firm(), Usage()
    with pytest.raises(UsageLimitExceeded):
        await firm.boss.run("go", run_id="r", store=store, usage_limits=UsageLimits(request_limit=limit), usage=usage)
    assert usage.requests == limit
    with pytest.raises(UsageLimitExceeded):  # what has ended counts as well when the tree goes on
        await firm.boss.run(resume="r", store=store, usage=usage)
    assert usage.requests == limit


async def test_a_tree_that_is_executed_is_cancelled_together() -> None:
    store, firm = MemoryStore(), Firm()
    firm.gate = anyio.Event()
    expected = await Firm().begin(MemoryStore())

    async def cancel() -> None:
        await firm.packing.wait()
        assert await firm.boss.cancel("r", store=store) is Status.RUNNING
        assert firm.gate is not None
        firm.gate.set()

    async with anyio.create_task_group() as group:
        group.start_soon(cancel)
        with pytest.raises(RunCancelled) as caught:
            await firm.begin(store)
        assert caught.value.run_id == "r"
    assert {run.status for run in await store.list()} == {Status.CANCELLED}
    firm.gate = None
    assert await firm.go_on(store) == expected


async def test_a_scope_around_a_tree_cancels_all_of_it() -> None:
    store, firm = MemoryStore(), Firm()
    firm.gate = anyio.Event()
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(firm.begin, store)
            await firm.packing.wait()
            scope.cancel()
    assert {run.status for run in await store.list()} == {Status.CANCELLED}
    firm.gate = None
    assert await firm.go_on(store) == await Firm().begin(MemoryStore())


async def test_a_child_that_is_cancelled_cancels_those_above_it() -> None:
    store, firm = MemoryStore(), Firm()
    firm.gate = anyio.Event()

    async def cancel() -> None:
        await firm.packing.wait()
        (child, *_) = await store.list(RunFilter(agent="clerk"))
        await firm.clerk.cancel(child.run_id, store=store)
        assert firm.gate is not None
        firm.gate.set()

    async with anyio.create_task_group() as group:
        group.start_soon(cancel)
        with pytest.raises(RunCancelled) as caught:
            await firm.begin(store)
        assert caught.value.run_id == "r"
    assert (await store.load("r")).status is Status.CANCELLED
    firm.gate = None
    assert await firm.go_on(store) == await Firm().begin(MemoryStore())


async def test_a_waiting_child_that_is_cancelled_goes_on_with_its_parent() -> None:
    store, firm = MemoryStore(), Firm(approval=True)
    with pytest.raises(RunWaiting):
        await firm.begin(store)
    (child, *_) = await store.list(RunFilter(agent="clerk"))
    assert await firm.clerk.cancel(child.run_id, store=store) is Status.CANCELLED
    with pytest.raises(RunWaiting) as caught:
        await firm.go_on(store)
    approved = approvals(caught.value)
    assert len(approved) == 4
    await firm.go_on(store, answers=approved)
    assert set(firm.done.values()) == {1}


@pytest.mark.parametrize("step", [2, 3, None])
async def test_a_fork_of_a_run_with_children_ends_like_the_run(step: int | None) -> None:
    store, firm = MemoryStore(), Firm()
    expected = await firm.begin(store)
    fork = await firm.boss.fork("r", step=step, store=store)
    assert await firm.go_on(store, fork) == expected
    below = await store.list(RunFilter(parent=fork))
    assert len(below) == (2 if step == 2 else 0)  # children of its own, where it makes the calls itself
    assert len(await store.list(RunFilter(parent="r"))) == 2


async def test_a_fork_of_a_run_whose_children_wait_has_children_of_its_own() -> None:
    store, firm = MemoryStore(), Firm(approval=True)
    with pytest.raises(RunWaiting):
        await firm.begin(store)
    fork = await firm.boss.fork("r", store=store)
    ends: list[object] = []
    for run_id in (fork, "r"):
        with pytest.raises(RunWaiting) as caught:
            await firm.go_on(store, run_id)
        asked = approvals(caught.value)
        assert all(key.startswith(f"{run_id}/") for key in asked)
        ends.append(await firm.go_on(store, run_id, answers=asked))
    assert ends[0] == ends[1]


async def test_the_fork_of_a_child_belongs_to_nobody() -> None:
    store, firm = MemoryStore(), Firm()
    await firm.begin(store)
    (child, *_) = await store.list(RunFilter(agent="lead"))
    fork = await firm.lead.fork(child.run_id, step=2, store=store)
    result = await firm.lead.run(resume=fork, store=store)
    assert [part.content for part in answers(result.all_messages())] == ["packedok", "ok"]
    assert (await store.load(fork)).parent is None


async def test_a_request_that_is_on_its_way_counts_for_the_runs_beside_it() -> None:
    asked = anyio.Event()

    async def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked.set()
        await anyio.sleep_forever()
        raise AssertionError

    clerk = Agent(FunctionModel(reply), name="clerk")
    boss = Agent(says([call("first"), call("second")], "done"), name="boss")

    @boss.tool
    async def first(ctx: RunContext[None]) -> str:
        return (await clerk.run("Go", parent=ctx)).data

    @boss.tool
    async def second(ctx: RunContext[None]) -> str:
        await asked.wait()
        return (await clerk.run("Go", parent=ctx)).data

    with pytest.raises(UsageLimitExceeded, match="request_limit=2: 2 were made"):
        await boss.run("Go", usage_limits=UsageLimits(request_limit=2))
