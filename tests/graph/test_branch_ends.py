"""Branches that end otherwise than by joining, and forks that cannot be gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from agentgraph.exceptions import GraphRuntimeError, RunCancelled, RunNotResumable, RunWaiting, StoreError
from agentgraph.graph import (
    BaseNode,
    BranchError,
    BranchRecord,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    Question,
    RunEvent,
    Settlement,
    Status,
    StepEnded,
    Store,
)
from agentgraph.stores import MemoryStore
from agentgraph.stores.transfer import export_run, import_run

pytestmark = pytest.mark.anyio

Outcome = BaseNode[Any, Any, Any] | End[Any] | Join[Any]


class Said(BaseModel):
    """The state."""

    words: list[str] = []


@dataclass
class Deps:
    """What the nodes find."""

    store: Store | None = None
    healed: bool = False
    begun: anyio.Event = field(default_factory=anyio.Event)


Ctx = GraphRunContext[Said, Deps]


@dataclass
class Begin(BaseNode[Said, Deps, list[Any]]):
    kinds: list[str]
    collect: bool = False

    async def run(self, ctx: Ctx) -> Fork[Act, Gather]:
        ctx.state.words.append("begin")
        return Fork([Act(kind) for kind in self.kinds], join=Gather, on_error="collect" if self.collect else "raise")


@dataclass
class Act(BaseNode[Said, Deps]):
    kind: str

    async def run(self, ctx: Ctx) -> Join[Any] | Fork[Act, Inner]:
        ctx.state.words.append(self.kind)
        healed = ctx.deps.healed
        match self.kind:
            case "fail" if not healed:
                await ctx.deps.begun.wait()
                raise ValueError("failed")
            case "stay" if not healed:
                ctx.deps.begun.set()
                await anyio.sleep_forever()
            case "fail when stopped" if not healed:
                ctx.deps.begun.set()
                try:
                    await anyio.sleep_forever()
                finally:
                    raise ZeroDivisionError("failed when stopped")
            case "cancel, then fail" if ctx.deps.store is not None:
                await ctx.deps.store.cancel(ctx.run_id)
                raise ValueError("failed")
            case "fork":
                return Fork([Act("fail"), Act("fail when stopped")], join=Inner)
            case "join with what JSON has not":
                return Join(object())
            case _:
                pass
        return Join(ctx.state.words)

    def interrupted(self, ctx: Ctx) -> Act | None:
        return Act(f"what was left of {self.kind}") if self.kind == "stay" else None


@dataclass
class Inner(BaseNode[Said, Deps]):
    values: list[Any]

    async def run(self, ctx: Ctx) -> Join[Any]:
        return Join(len(self.values))


@dataclass
class Gather(BaseNode[Said, Deps, list[Any]]):
    values: list[Any]

    async def run(self, ctx: Ctx) -> End[list[Any]]:
        return End([*self.values])


graph = Graph(nodes=(Begin, Act, Inner, Gather), name="acts", state_type=Said, run_end_type=list[Any])


async def begin(store: Store | None, begin: Begin, deps: Deps | None = None) -> list[Any]:
    run_id = None if store is None else "r"
    return (await graph.run(begin, state=Said(), deps=deps or Deps(), store=store, run_id=run_id)).output


async def test_a_branch_that_is_stopped_keeps_what_it_has_done(store: Store) -> None:
    with pytest.raises(ValueError, match="failed"):
        await begin(store, Begin(["fail", "stay"]))
    ended = await graph.run(resume="r", deps=Deps(healed=True), store=store)
    left = ["begin", "stay", "what was left of stay"]
    assert ended.output == [["begin", "fail"], left]
    assert ended.state == Said(words=["begin"])


async def test_a_branch_that_fails_once_more_when_it_is_stopped_has_failed_once(store: Store) -> None:
    failed = BranchError("0:0", "ValueError", "failed")
    assert await begin(store, Begin(["fork", "join"], collect=True)) == [failed, ["begin", "join"]]


async def test_observers_hear_of_a_branch_that_has_failed() -> None:
    events: list[RunEvent] = []
    deps = Deps()
    deps.begun.set()
    await graph.run(Begin(["fail"], collect=True), state=Said(), deps=deps, observers=[events.append])
    told = [(each.branch, each.node, each.outcome) for each in events if isinstance(each, StepEnded) and each.branch]
    assert told == [("0:0", "Act", "(failed)")]


async def test_a_cancel_that_is_seen_when_a_branch_has_failed(store: Store) -> None:
    with pytest.raises(RunCancelled):
        await begin(store, Begin(["cancel, then fail"], collect=True), Deps(store))
    assert (await store.load("r")).status is Status.CANCELLED


async def test_a_value_that_cannot_be_stored_is_lost_with_its_process(store: Store) -> None:
    deps = Deps()
    deps.begun.set()
    with pytest.raises(ValueError, match="failed"):
        await begin(store, Begin(["join with what JSON has not", "fail"]), deps)
    with pytest.raises(RunNotResumable, match="the value of branch 0:0 was not stored"):
        await graph.run(resume="r", deps=Deps(healed=True), store=store)


async def test_a_fork_whose_join_is_gone(store: Store) -> None:
    async with graph.iter(Begin(["join"]), state=Said(), deps=Deps(), store=store, run_id="r") as run:
        await run.next()

    @dataclass
    class Other(BaseNode[Said, Deps, list[Any]]):
        values: list[Any]

        async def run(self, ctx: Ctx) -> End[list[Any]]:
            return End([])

    @dataclass
    class Start(BaseNode[Said, Deps, list[Any]]):
        async def run(self, ctx: Ctx) -> Fork[Act, Other]:
            return Fork([Act("join")], join=Other)

    changed: Graph[Said, Deps, list[Any]] = Graph(nodes=(Start, Act, Inner, Other), name="acts", state_type=Said)
    with pytest.raises(RunNotResumable, match="joined by Gather, which is not in the graph"):
        await changed.run(resume="r", deps=Deps(), store=store)


async def test_a_fork_is_returned_and_not_run() -> None:
    @dataclass
    class Hasty(BaseNode[Said, Deps, list[Any]]):
        async def run(self, ctx: Ctx) -> Fork[Act, Gather]:
            return await Fork([Act("join")], join=Gather).run(ctx)

    hasty = Graph(nodes=(Hasty, Act, Inner, Gather), name="hasty", state_type=Said)
    with pytest.raises(GraphRuntimeError, match="return the fork"):
        await hasty.run(Hasty(), state=Said(), deps=Deps())


async def test_a_run_that_goes_on_while_it_is_exported_is_exported_whole() -> None:
    class Busy(MemoryStore):
        async def branches(self, run_id: str) -> list[BranchRecord]:
            found = await super().branches(run_id)
            if found and not going.healed:
                going.healed = True
                await graph.run(resume="r", deps=going, store=self)
            return found

    going, store = Deps(), Busy()
    async with graph.iter(Begin(["join"]), state=Said(), deps=Deps(), store=store, run_id="r") as run:
        await run.next()
    other = MemoryStore()
    await import_run(other, await export_run(store, "r"))
    assert (await other.load("r")).status is Status.SUCCEEDED


async def test_a_run_whose_questions_cannot_be_written_fails() -> None:
    class Full(MemoryStore):
        async def settle(self, settlement: Settlement) -> Status:
            if settlement.questions:
                raise StoreError("the disk is full")
            return await super().settle(settlement)

    async def leave(questions: Sequence[Question]) -> None:
        async with graph.iter(Begin(["join"]), state=Said(), deps=Deps(), store=store, run_id="r") as run:
            run.ctx.failure = RunWaiting("r", questions)  # as a node does that is read outside of its turn
            raise run.ctx.failure

    store = Full()
    with pytest.raises(StoreError, match="the disk is full"):
        await leave([Question("r", "/0/sure", "sure?", "digest")])
    assert (await store.load("r")).status is Status.FAILED
