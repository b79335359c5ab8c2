"""Following the runs of any graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from agentgraph import MemoryStore
from agentgraph.exceptions import DecodeError, RunWaiting
from agentgraph.graph import (
    BaseNode,
    Emitted,
    End,
    EventKind,
    EventRecord,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    RetryPolicy,
    RunEnded,
    Scheduler,
    Status,
    StepEnded,
    StepRecord,
    StepStarted,
    TextAdded,
    follow,
    fork,
    open_questions,
)
from agentgraph.stores.samples import HandClock, told

pytestmark = pytest.mark.anyio


@dataclass
class Progress:
    done: int
    of: object
    inner: list[object] = field(default_factory=list[object])


@dataclass
class Work(BaseNode[None, list[object], str]):
    """Emits what it is given, and fails over an exception."""

    async def run(self, ctx: GraphRunContext[None, list[object]]) -> Rest:
        for event in ctx.deps:
            if isinstance(event, Exception):
                raise event
            ctx.emit(event)
        ctx.emit("for observers alone", keep=False)
        return Rest()


@dataclass
class Rest(BaseNode[None, list[object], str]):
    async def run(self, ctx: GraphRunContext[None, list[object]]) -> End[str]:
        return End("done")


work = Graph(nodes=[Work, Rest], name="work")


async def heard(store: MemoryStore, after: str | None = None) -> list[object]:
    return [each.event async for each in follow(store, "r", after=after, until="now")]


async def test_steps_and_what_they_emit_are_told() -> None:
    store = MemoryStore()
    await work.run(Work(), deps=["half", Progress(1, Progress)], store=store, run_id="r")
    assert await heard(store) == [
        StepStarted("r", 0, 1, "Work"),
        Emitted("r", 0, "half"),
        Emitted("r", 0, {"done": 1, "of": "type", "inner": []}),
        StepEnded("r", 0, "Work", "Rest"),
        StepStarted("r", 1, 1, "Rest"),
        StepEnded("r", 1, "Rest", "End"),
        RunEnded("r", Status.SUCCEEDED),
    ]


async def test_what_holds_itself_is_told_by_the_name_of_its_type() -> None:
    store, endless = MemoryStore(), Progress(1, None)
    endless.inner.append(endless)
    await work.run(Work(), deps=[endless], store=store, run_id="r")
    assert Emitted("r", 0, "Progress") in await heard(store)


async def test_each_attempt_begins_anew() -> None:
    store = MemoryStore()
    with pytest.raises(ValueError, match="broken"):
        await work.run(Work(), deps=["first", ValueError("broken")], store=store, run_id="r")
    events = [each async for each in follow(store, "r", until="now")]
    assert [each.event for each in events] == [
        StepStarted("r", 0, 1, "Work"),
        Emitted("r", 0, "first"),
        RunEnded("r", Status.FAILED, "ValueError: broken"),
    ]
    await work.run(resume="r", deps=["second"], store=store)
    rest = await heard(store, events[-1].offset)
    assert rest[:3] == [StepStarted("r", 0, 2, "Work"), Emitted("r", 0, "second"), StepEnded("r", 0, "Work", "Rest")]
    assert await heard(store) == [each.event for each in events[:2]] + rest


async def test_attempts_of_a_node_that_tries_again_are_told_before_its_step_ends() -> None:
    @dataclass
    class Try(BaseNode[None, None, str]):
        retry = RetryPolicy(attempts=2)

        async def run(self, ctx: GraphRunContext) -> End[str]:
            ctx.emit("tried")
            raise ValueError("broken")

    store, trying = MemoryStore(), Graph(nodes=[Try], name="trying")
    with pytest.raises(ValueError, match="broken"):
        await trying.run(Try(), scheduler=Scheduler(store, HandClock()), run_id="r")
    assert await heard(store) == [
        StepStarted("r", 0, 1, "Try"),
        Emitted("r", 0, "tried"),
        StepStarted("r", 0, 2, "Try"),
        Emitted("r", 0, "tried"),
        RunEnded("r", Status.FAILED, "ValueError: broken"),
    ]


async def test_what_another_claim_tells_meanwhile_is_told_with_its_run() -> None:
    class Claimed(MemoryStore):
        async def events(self, run_id: str, since: tuple[int, int, int] = (-1, 0, 0)) -> list[EventRecord]:
            if (await self.load("r")).status is Status.FAILED:
                run = await self.claim("r")
                self.tell("r", run.epoch, replace(told(0, 0), attempt=run.attempt))
            return await super().events(run_id, since)

    store = Claimed()
    with pytest.raises(ValueError, match="broken"):
        await work.run(Work(), deps=[ValueError("broken")], store=store, run_id="r")
    first = await heard(store)
    assert first == [StepStarted("r", 0, 1, "Work"), RunEnded("r", Status.FAILED, "ValueError: broken")]


async def test_text_of_an_earlier_attempt_and_text_after_a_gap_are_not_told() -> None:
    store = MemoryStore()
    async with work.iter(Work(), deps=[], store=store, run_id="r"):
        store.tell("r", 1, told(0, 0))
    run = await store.claim("r")
    texts = [told(0, n, body=body) for n, body in enumerate([b'[0,0,"one"]', b'[0,3," two"]', b'[0,9,"four"]'])]
    for event in texts:
        store.tell("r", run.epoch, replace(event, attempt=2))
    assert await heard(store) == [
        StepStarted("r", 0, 1, "Work"),
        StepStarted("r", 0, 2, "Work"),
        TextAdded("r", 0, 0, "one"),
        TextAdded("r", 0, 0, " two"),
    ]


@pytest.mark.parametrize("body", [b"{}", b'{"v":9}'])
async def test_a_row_that_cannot_be_read_says_where(body: bytes) -> None:
    class Torn(MemoryStore):
        async def steps(self, run_id: str, after: int = -2) -> list[StepRecord]:
            rows = await super().steps(run_id, after)
            return [replace(row, body=body) if row.seq == 1 else row for row in rows]

    store = Torn()
    await work.run(Work(), deps=[], store=store, run_id="r")
    with pytest.raises(DecodeError, match="'r', step 1"):
        await heard(store)


async def test_events_of_other_branches_are_not_told() -> None:
    store = MemoryStore()
    async with work.iter(Work(), deps=[], store=store, run_id="r"):
        store.tell("r", 1, EventRecord(seq=0, branch="0:1", attempt=1, n=0, kind=EventKind.EMITTED, body=b"1"))
        assert await heard(store) == [StepStarted("r", 0, 1, "Work")]


@dataclass
class Share(BaseNode[None, int | None, int]):
    parts: int

    async def run(self, ctx: GraphRunContext[None, int | None]) -> Fork[Part, Sum]:
        return Fork([Part(number) for number in range(self.parts)], join=Sum)


@dataclass
class Part(BaseNode[None, int | None]):
    number: int

    async def run(self, ctx: GraphRunContext[None, int | None]) -> Part | Join[int]:
        ctx.emit(self.number)
        return Part(self.number + 10) if self.number < 10 else Join(await ctx.wait_for("more", type=int))


@dataclass
class Sum(BaseNode[None, int | None, int]):
    values: list[int]

    async def run(self, ctx: GraphRunContext[None, int | None]) -> End[int]:
        if ctx.deps is None:
            raise ValueError("not now")
        return End(sum(self.values))


shares: Graph[None, int | None, int] = Graph(nodes=[Share, Part, Sum], name="shares")


async def test_of_a_fork_the_step_that_joins_is_told_as_soon_as_all_branches_have_ended() -> None:
    store = MemoryStore()
    with pytest.raises(RunWaiting):
        await shares.run(Share(2), store=store, run_id="r")
    waits = [each async for each in follow(store, "r")]
    assert [each.event for each in waits[-2:]] == [StepEnded("r", 0, "Share", "Fork"), RunEnded("r", Status.WAITING)]
    for question in open_questions(await store.calls("r")):
        await store.answer("r", question.key, 1)
    with pytest.raises(ValueError, match="not now"):
        await shares.run(resume="r", store=store)
    fails = [each async for each in follow(store, "r", after=waits[-1].offset)]
    assert [type(each.event) for each in fails] == [StepStarted, RunEnded]
    begun = fails[0].event
    assert isinstance(begun, StepStarted)
    assert (begun.seq, begun.node) == (1, "Sum")
    await shares.run(resume="r", deps=1, store=store)
    ends = [each async for each in follow(store, "r", after=fails[-1].offset)]
    assert [each.event for each in ends[1:]] == [StepEnded("r", 1, "Sum", "End"), RunEnded("r", Status.SUCCEEDED)]
    for each in ends:
        assert await heard(store, each.offset) == [later.event for later in ends[ends.index(each) + 1 :]]


async def test_a_fork_of_a_run_that_stands_at_a_fork_is_followed_to_its_end() -> None:
    store = MemoryStore()
    with pytest.raises(RunWaiting):
        await shares.run(Share(2), store=store, run_id="origin")
    await fork(store, await store.load("origin"), "r")
    assert await heard(store) == []
    with pytest.raises(RunWaiting):
        await shares.run(resume="r", deps=1, store=store)
    for question in open_questions(await store.calls("r")):
        await store.answer("r", question.key, 1)
    await shares.run(resume="r", deps=1, store=store)
    assert await heard(store) == [
        StepStarted("r", 1, 2, "Sum"),
        StepEnded("r", 1, "Sum", "End"),
        RunEnded("r", Status.SUCCEEDED),
    ]
