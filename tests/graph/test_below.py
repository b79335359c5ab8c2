"""Graphs that run as children of a run: found again, listed, cancelled and told of with it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated, Any

import anyio
import pytest

from agentgraph.exceptions import GraphRuntimeError, RunCancelled, RunExists, RunNotResumable, RunWaiting, UserError
from agentgraph.graph import (
    Appended,
    BaseNode,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    NewRun,
    Question,
    RetryPolicy,
    RunEnded,
    RunEvent,
    RunFilter,
    RunRecord,
    Scheduler,
    Settlement,
    Status,
    Store,
    cancel_tree,
)
from agentgraph.graph.claiming import MAX_ATTEMPTS
from agentgraph.graph.lifecycle import Event
from agentgraph.stores import MemoryStore
from agentgraph.stores.samples import HandClock
from tests.graph.mortal import Dying, Killed
from tests.graph.samples import Line

pytestmark = pytest.mark.anyio


@dataclass
class Inner:
    words: Annotated[list[str], Appended] = field(default_factory=list[str])


@dataclass
class Say(BaseNode[Inner, Any, str]):
    """Says a word in each of two steps; some words have to be asked for."""

    word: str

    async def run(self, ctx: GraphRunContext[Inner, Any]) -> Say | End[str]:
        if ctx.deps is not None:
            await ctx.once("made", ctx.deps.append, f"{self.word} {ctx.seq}")
        if self.word == "sleep":
            await ctx.sleep(86400)
        if self.word == "fail" and ctx.seq == 1 and ctx.attempt == 1:
            raise ConnectionError
        word = await ctx.wait_for("word") if self.word == "ask" else self.word
        ctx.state.words.append(word)
        return Say(word) if ctx.seq == 0 else End(" ".join(ctx.state.words))


saying = Graph(nodes=(Say,), name="saying")


@dataclass
class Climb(BaseNode[None, None, int]):
    """Takes twelve steps."""

    step: int

    async def run(self, ctx: GraphRunContext) -> Climb | End[int]:
        return Climb(self.step + 1) if self.step < 12 else End(self.step)


climbing = Graph(nodes=(Climb,), name="climbing")


@dataclass
class Send(BaseNode[None, None, int]):
    """Has a child, or one of a child, take them."""

    depth: int

    async def run(self, ctx: GraphRunContext) -> End[int]:
        if self.depth:
            return End((await ctx.run(sending, Send(self.depth - 1))).output)
        return End((await ctx.run(climbing, Climb(0))).output)


sending = Graph(nodes=(Send,), name="sending")


@pytest.mark.parametrize("depth", [0, 1])
async def test_a_step_whose_children_go_on_in_every_life_is_not_given_up(depth: int) -> None:
    store, lives, begun = Dying(left := 4 + depth), 0, False
    while True:
        try:
            if begun:
                ended = await sending.run(resume="r", store=store)
            else:
                begun = True
                ended = await sending.run(Send(depth), store=store, run_id="r")
        except Killed:
            await store.bury()
            store.left, lives = left, lives + 1
        else:
            break
    assert ended.output == 12
    assert lives > MAX_ATTEMPTS


@dataclass
class Outer:
    lines: Annotated[list[Line], Appended] = field(default_factory=list[Line])


@dataclass
class Both(BaseNode[Outer, Any, str]):
    first: str
    second: str

    async def run(self, ctx: GraphRunContext[Outer, Any]) -> End[str]:
        ctx.state.lines.append(Line("begun"))
        first = await ctx.run(saying, Say(self.first), state=Inner(), deps=ctx.deps)
        second = await ctx.run(saying, Say(self.second), state=Inner(), deps=ctx.deps, key="second")
        return End(f"{first.output}, {second.output}")


both: Graph[Outer, Any, str] = Graph(nodes=(Both,), name="both")
CHILDREN = ("r/:0/0", "r/:0/second")


def waits(*, still: bool) -> AbstractContextManager[Any]:
    return pytest.raises(RunWaiting) if still else nullcontext()


async def test_a_graph_runs_as_a_child_and_belongs_to_its_parent(store: Store) -> None:
    events: list[RunEvent] = []
    done = await both.run(Both("a", "b"), state=Outer(), store=store, run_id="r", observers=[events.append])
    assert done.output == "a a, b b"
    children = await store.list(RunFilter(parent="r"))
    assert {child.run_id: child.status for child in children} == dict.fromkeys(CHILDREN, Status.SUCCEEDED)
    assert [event.run_id for event in events if isinstance(event, RunEnded)] == [*CHILDREN, "r"]


async def test_where_nothing_is_kept_a_child_just_runs() -> None:
    assert (await both.run(Both("a", "b"), state=Outer())).output == "a a, b b"


async def test_a_child_that_fails_fails_its_parent_and_both_go_on(store: Store) -> None:
    made: list[str] = []
    with pytest.raises(ConnectionError):
        await both.run(Both("a", "fail"), state=Outer(), deps=made, store=store, run_id="r")
    assert (await store.load("r")).status is (await store.load("r/:0/second")).status is Status.FAILED
    done = await both.run(resume="r", deps=made, store=store)
    assert (done.output, done.state.lines) == ("a a, fail fail", [Line("begun")])
    assert made == ["a 0", "a 1", "fail 0", "fail 1"]


async def test_a_child_that_the_former_owner_begins_at_the_same_time_is_gone_on_with() -> None:
    class Beaten(MemoryStore):
        async def create(self, run: NewRun) -> RunRecord:
            made = await super().create(run)
            if run.parent is not None and not overtaken:
                overtaken.append(run.run_id)
                await self.settle(Settlement(run_id=run.run_id, epoch=made.epoch, event=Event.RELEASE))
                raise RunExists(run.run_id)
            return made

    overtaken: list[str] = []
    made: list[str] = []
    done = await both.run(Both("a", "b"), state=Outer(), deps=made, store=Beaten(), run_id="r")
    assert (done.output, made) == ("a a, b b", ["a 0", "a 1", "b 0", "b 1"])
    assert overtaken == [CHILDREN[0]]


async def test_what_a_child_waits_for_is_listed_by_its_parent_and_answered_there(store: Store) -> None:
    with pytest.raises(RunWaiting) as caught:
        await both.run(Both("ask", "ask"), state=Outer(), store=store, run_id="r")
    assert caught.value.run_id == "r"
    assert [each.run_id for each in caught.value.questions if isinstance(each, Question)] == ["r/:0/0"]
    assert (await store.load("r")).status is Status.WAITING
    await store.answer("r/:0/0", "word", "yes")
    with pytest.raises(RunWaiting):
        await both.run(resume="r", store=store)
    await store.answer("r/:0/second", "word", "no")
    assert (await both.run(resume="r", store=store)).output == "yes yes, no no"


async def test_a_parent_sleeps_as_long_as_its_child(store: Store) -> None:
    scheduler = Scheduler(store, clock := HandClock())
    with pytest.raises(RunWaiting):
        await both.run(Both("a", "sleep"), state=Outer(), scheduler=scheduler, run_id="r")
    for still in (True, False):  # each of its two steps sleeps
        assert (await store.load("r")).wake_at == (await store.load("r/:0/second")).wake_at == clock.seconds + 86400
        clock.seconds += 86400
        with waits(still=still):
            await both.run(resume="r", scheduler=scheduler)
    assert (await store.load("r")).status is Status.SUCCEEDED


@dataclass
class Cancel(BaseNode[None, Any, str]):
    async def run(self, ctx: GraphRunContext[None, Any]) -> Done:
        if ctx.deps is not None:
            assert ctx.store is not None
            await ctx.store.cancel(ctx.deps)
            await anyio.sleep_forever()
        return Done()


@dataclass
class Done(BaseNode[None, Any, str]):
    async def run(self, ctx: GraphRunContext[None, Any]) -> End[str]:
        return End("done")


cancelling: Graph[None, Any, str] = Graph(nodes=(Cancel, Done), name="cancelling")


@dataclass
class Above(BaseNode[None, Any, str]):
    async def run(self, ctx: GraphRunContext[None, Any]) -> End[str]:
        return End((await ctx.run(cancelling, Cancel(), deps=ctx.deps)).output)


above: Graph[None, Any, str] = Graph(nodes=(Above,), name="above")


@pytest.mark.parametrize("cancelled", ["r", "r/:0/0"])
async def test_a_child_is_cancelled_with_its_parent_and_goes_on_with_it(store: Store, cancelled: str) -> None:
    with pytest.raises(RunCancelled):
        await above.run(Above(), deps=cancelled, store=store, run_id="r")
    assert (await store.load("r")).status is (await store.load("r/:0/0")).status is Status.CANCELLED
    assert (await above.run(resume="r", store=store)).output == "done"


async def test_a_tree_that_waits_is_cancelled_as_a_whole(store: Store) -> None:
    with pytest.raises(RunWaiting):
        await both.run(Both("a", "ask"), state=Outer(), store=store, run_id="r")
    assert await cancel_tree(store, "r") is Status.CANCELLED
    assert (await store.load("r/:0/second")).status is Status.CANCELLED
    assert (await store.load("r/:0/0")).status is Status.SUCCEEDED


@dataclass
class Hurried(Above):
    timeout = 0.05
    retry = RetryPolicy(on=TimeoutError, delay=0)


@dataclass
class Stuck(Cancel):
    async def run(self, ctx: GraphRunContext[None, Any]) -> Done:
        if ctx.attempt == 1:
            await anyio.sleep_forever()
        return Done()


async def test_an_attempt_that_takes_too_long_stops_its_child_and_the_next_one_goes_on_with_it(store: Store) -> None:
    stuck: Graph[None, Any, str] = Graph(nodes=(Stuck, Done), name="stuck")

    @dataclass
    class Impatient(Hurried):
        async def run(self, ctx: GraphRunContext[None, Any]) -> End[str]:
            return End((await ctx.run(stuck, Stuck())).output)

    impatient: Graph[None, Any, str] = Graph(nodes=(Impatient,), name="impatient")
    assert (await impatient.run(Impatient(), store=store, run_id="r")).output == "done"
    assert [step.attempt for step in await store.steps("r/:0/0")] == [1, 2, 1]


@dataclass
class Fickle(BaseNode[None, str, str]):
    async def run(self, ctx: GraphRunContext[None, str]) -> End[str]:
        done = await ctx.run(saying, Say(ctx.deps), state=Inner())
        raise ConnectionError(done.output)


async def test_a_child_that_was_asked_something_else_is_refused(store: Store) -> None:
    fickle: Graph[None, str, str] = Graph(nodes=(Fickle,), name="fickle")
    with pytest.raises(ConnectionError):
        await fickle.run(Fickle(), deps="a", store=store, run_id="r")
    with pytest.raises(
        RunNotResumable, match=r"'r/:0/0' cannot be resumed: an earlier attempt .* asked something else"
    ):
        await fickle.run(resume="r", deps="b", store=store)
    with pytest.raises(ConnectionError, match="a a"):
        await fickle.run(resume="r", deps="a", store=store)


@dataclass
class Wrong(BaseNode[None, Any, str]):
    async def run(self, ctx: GraphRunContext[None, Any]) -> End[str]:
        for _ in range(2):
            await ctx.run(saying, Say("a"), state=Inner(), key="k", **ctx.deps)
        raise NotImplementedError


async def test_two_children_need_two_keys_and_options_that_fit() -> None:
    wrong: Graph[None, Any, str] = Graph(nodes=(Wrong,), name="wrong")
    with pytest.raises(GraphRuntimeError, match="starts two runs under the key 'k'"):
        await wrong.run(Wrong(), deps={}, store=MemoryStore())
    with pytest.raises(UserError, match="takes `state` and `deps`, and not run_id"):
        await wrong.run(Wrong(), deps={"run_id": "x"}, store=MemoryStore())


@dataclass
class Patient(Both):
    retry = RetryPolicy(attempts=2)


patient: Graph[Outer, Any, str] = Graph(nodes=(Patient,), name="patient")


async def test_a_node_that_tries_again_goes_on_with_its_children(store: Store) -> None:
    made: list[str] = []
    scheduler = Scheduler(store, HandClock())
    done = await patient.run(Patient("a", "fail"), state=Outer(), deps=made, scheduler=scheduler)
    assert done.output == "a a, fail fail"
    assert made == ["a 0", "a 1", "fail 0", "fail 1"]


async def test_where_nothing_is_kept_a_node_that_tries_again_starts_its_children_anew() -> None:
    fails = iter([ConnectionError])

    class Failing(list[str]):
        def append(self, word: str) -> None:
            super().append(word)
            if word == "b 1":
                for error in fails:
                    raise error

    made = Failing()
    done = await patient.run(Patient("a", "b"), state=Outer(), deps=made, scheduler=Scheduler(None, HandClock()))
    assert (done.output, made) == ("a a, b b", ["a 0", "a 1", "b 0", "b 1"] * 2)


@dataclass
class Fan(BaseNode[Outer, Any, list[str]]):
    async def run(self, ctx: GraphRunContext[Outer, Any]) -> Fork[Each, Gather]:
        return Fork([Each("a"), Each("b")], join=Gather)


@dataclass
class Each(BaseNode[Outer, Any]):
    word: str

    async def run(self, ctx: GraphRunContext[Outer, Any]) -> Join[str]:
        return Join((await ctx.run(saying, Say(self.word), state=Inner(), deps=ctx.deps)).output)


@dataclass
class Gather(BaseNode[Outer, Any, list[str]]):
    values: list[str]

    async def run(self, ctx: GraphRunContext[Outer, Any]) -> End[list[str]]:
        return End(self.values)


fan: Graph[Outer, Any, list[str]] = Graph(nodes=(Fan, Each, Gather), name="fan")


@pytest.mark.parametrize("of", ["step", "branch"])
async def test_wherever_a_parent_is_killed_its_children_go_on(of: str) -> None:
    whole: Graph[Outer, Any, Any] = both if of == "step" else fan
    start: Any = Both("a", "b") if of == "step" else Fan()
    killed, alive = 0, False
    while not alive:
        store, made = Dying(killed + 1), list[str]()
        try:
            await whole.run(start, state=Outer(), deps=made, store=store, run_id="r")
            alive = True
        except (Killed, BaseExceptionGroup):
            killed += 1
        await store.bury()
        done = await whole.run(resume="r", deps=made, store=store)
        assert done.output == ("a a, b b" if of == "step" else ["a a", "b b"])
        assert {*made} == {"a 0", "a 1", "b 0", "b 1"}
        assert len(made) <= 5 + (of == "branch")  # calls whose rows were lost are made again
        assert len(await store.list(RunFilter(parent="r"))) == 2
    assert killed >= 9
