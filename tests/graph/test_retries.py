"""Nodes that try again, each time as if for the first time; and nodes that take too long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, ClassVar, cast

import anyio
import pytest
from pydantic import BaseModel

from agentgraph.exceptions import (
    DeadlineExceeded,
    GraphSetupError,
    NodeTimeout,
    RunCancelled,
    RunFenced,
    RunWaiting,
    StoreError,
    UserError,
)
from agentgraph.graph import (
    Appended,
    BaseNode,
    BranchError,
    End,
    Fork,
    Graph,
    GraphRunContext,
    Join,
    Once,
    RetryPolicy,
    RunEvent,
    Scheduler,
    Status,
    StepStarted,
    Store,
)
from agentgraph.stores import MemoryStore
from agentgraph.stores.samples import HandClock
from tests.graph.mortal import Dying, Killed
from tests.graph.samples import Line

pytestmark = pytest.mark.anyio


@dataclass
class Seen:
    count: int = 0
    lines: Annotated[list[Line], Appended] = field(default_factory=list[Line])
    words: list[str] = field(default_factory=list[str])


Ctx = GraphRunContext[Seen, Any]  # Any: deps are functions of such contexts
Do = Callable[[Ctx], Awaitable[object]]


@dataclass
class Try(BaseNode[Seen, Any, str]):
    """Leaves its traces everywhere, then does what the deps say."""

    names: list[str] = field(default_factory=list[str])
    retry = RetryPolicy(attempts=3, delay=10, jitter=False)

    async def run(self, ctx: GraphRunContext[Seen, Any]) -> End[str]:
        ctx.state.count += 1
        ctx.state.lines.append(Line("tried"))
        ctx.state.words.append("tried")
        self.names.append("tried")
        do: Do = ctx.deps
        return End(f"{await do(ctx)} {self.names}")


graph = Graph(nodes=[Try], name="try")
ONE = Seen(1, [Line("tried")], ["tried"])


def failing(times: int, error: Exception | None = None) -> tuple[Do, list[int]]:
    """Deps that fail at first; the attempts are listed."""
    attempts: list[int] = []

    async def do(ctx: Ctx) -> str:
        attempts.append(ctx.attempt)
        if len(attempts) <= times:
            raise error or ConnectionError(f"no {len(attempts)}")
        return "done"

    return do, attempts


@pytest.mark.parametrize("kept", [True, False])
async def test_a_call_alone_in_its_batch_is_not_made_again_by_the_next_attempt(store: Store, *, kept: bool) -> None:
    made: list[int] = []

    async def fail_once(ctx: Ctx) -> str:
        await ctx.once_all([Once("pay", made.append, (7,))])
        if ctx.attempt == 1:
            raise ConnectionError
        return "done"

    scheduler = Scheduler(store if kept else None, HandClock())
    assert (await graph.run(Try(), state=Seen(), deps=fail_once, scheduler=scheduler)).output == "done ['tried']"
    assert made == [7]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_node_that_fails_tries_again_as_if_for_the_first_time(store: Store, *, kept: bool) -> None:
    do, attempts = failing(2)
    clock, events = HandClock(), list[RunEvent]()
    scheduler = Scheduler(store if kept else None, clock, [events.append])
    done = await graph.run(Try(), state=Seen(), deps=do, scheduler=scheduler, run_id="r")
    assert (done.output, done.state) == ("done ['tried']", ONE)
    assert attempts == [1, 2, 3] == [event.attempt for event in events if isinstance(event, StepStarted)]
    assert clock.ticks == 30  # 10 s, then 20 s
    if kept:
        step = (await store.steps("r"))[-1]
        assert (step.attempt, await store.calls("r")) == (3, [])
        assert (await graph.run(resume="r", store=store)).state == ONE


async def test_the_last_error_fails_the_run_and_says_so(store: Store) -> None:
    do, attempts = failing(3)
    with pytest.raises(ConnectionError, match="no 3") as caught:
        await graph.run(Try(), state=Seen(), deps=do, scheduler=Scheduler(store, HandClock()), run_id="r")
    assert caught.value.__notes__[0] == "the last of 3 attempts that its `retry` allows"
    assert (await store.load("r")).status is Status.FAILED
    done = await graph.run(resume="r", deps=do, scheduler=Scheduler(store, HandClock()))
    assert (done.state, attempts) == (ONE, [1, 2, 3, 4])  # no number comes twice


async def test_a_resumed_run_has_all_of_its_attempts_again() -> None:
    store, (do, attempts) = MemoryStore(), failing(5)
    scheduler = Scheduler(store, HandClock())
    with pytest.raises(ConnectionError):
        await graph.run(Try(), state=Seen(), deps=do, scheduler=scheduler, run_id="r")
    await graph.run(resume="r", deps=do, scheduler=scheduler)
    assert attempts == [1, 2, 3, 4, 5, 6]


async def test_what_an_attempt_did_once_is_not_done_again(store: Store) -> None:
    made: list[str] = []

    async def do(ctx: Ctx) -> list[Any]:
        await ctx.once("first", made.append, "first")
        await ctx.once_all([Once("held", made.append, ["held"])])
        if ctx.attempt < 3:
            raise ConnectionError
        await ctx.once("second", made.append, "second")
        return made

    scheduler = Scheduler(store, HandClock())
    await graph.run(Try(), state=Seen(), deps=do, scheduler=scheduler, run_id="r")
    assert made == ["first", "held", "second"]
    assert await store.calls("r") == []


async def test_what_a_step_was_given_before_is_there_in_each_attempt(store: Store) -> None:
    """A list that was changed between two steps is not stored yet."""
    do, _ = failing(1)
    async with graph.iter(Try(), state=Seen(), deps=do, scheduler=Scheduler(store, HandClock()), run_id="r") as run:
        run.state.lines = [Line("given")]
        run.state.words.append("given")
        await run.next()
    done = await graph.run(resume="r", store=store)
    assert done.state == Seen(1, [Line("given"), Line("tried")], ["given", "tried"])


NEVER = [RunFenced("r", 0), StoreError("full"), UserError("no"), RunCancelled("r"), ValueError("another kind")]


@pytest.mark.parametrize("error", NEVER, ids=lambda error: type(error).__name__)
async def test_what_no_attempt_can_mend_is_not_tried_again(error: Exception) -> None:
    do, attempts = failing(1, error)

    @dataclass
    class Picky(Try):
        retry = RetryPolicy(on=(ConnectionError, UserError, StoreError, RunCancelled, RunFenced))

    with pytest.raises(type(error)):
        await Graph(nodes=[Picky], name="picky").run(Picky(), state=Seen(), deps=do, store=MemoryStore())
    assert attempts == [1]


async def test_a_question_is_no_failure_and_keeps_its_attempts(store: Store) -> None:
    do, attempts = failing(1)

    async def ask(ctx: Ctx) -> str:
        await do(ctx)
        return str(await ctx.wait_for("q"))

    scheduler = Scheduler(store, HandClock())
    with pytest.raises(RunWaiting):
        await graph.run(Try(), state=Seen(), deps=ask, scheduler=scheduler, run_id="r")
    await store.answer("r", "q", "yes")
    done = await graph.run(resume="r", deps=ask, scheduler=scheduler)
    assert (done.output, done.state, attempts) == ("yes ['tried']", ONE, [1, 2, 3])


async def test_an_answer_that_comes_between_two_attempts_is_found() -> None:
    store, clock = MemoryStore(), HandClock()

    async def first(ctx: Ctx) -> str:
        return str(await ctx.wait_for("q"))

    async def then(ctx: Ctx) -> str:
        if ctx.attempt == 2:
            await store.answer("r", "q", "in time")
            raise ConnectionError
        return await first(ctx)

    with pytest.raises(RunWaiting):
        await graph.run(Try(), state=Seen(), deps=first, store=store, run_id="r")
    assert (await graph.run(resume="r", deps=then, scheduler=Scheduler(store, clock))).output == "in time ['tried']"


async def test_a_wait_is_cut_by_a_cancel(store: Store) -> None:
    do, attempts = failing(9)

    async def fail(ctx: Ctx) -> object:
        scope.cancel()
        return await do(ctx)

    with anyio.CancelScope() as scope:
        await graph.run(Try(), state=Seen(), deps=fail, store=store, run_id="r")
    assert (await store.load("r")).status is Status.CANCELLED
    assert attempts == [1]


async def test_a_wait_is_cut_by_the_deadline() -> None:
    do, attempts = failing(9)
    with pytest.raises(DeadlineExceeded):
        await graph.run(Try(), state=Seen(), deps=do, deadline=0.5)
    assert attempts == [1]


async def test_a_deadline_that_passed_while_it_waited_allows_no_further_attempt() -> None:
    do, attempts = failing(9)
    clock = HandClock()
    with pytest.raises(DeadlineExceeded):
        await graph.run(
            Try(), state=Seen(), deps=do, scheduler=Scheduler(None, clock), deadline=clock.now() + timedelta(seconds=15)
        )
    assert attempts == [1, 2]


@dataclass
class Slow(BaseNode[Seen, Any, str]):
    timeout = 0.01

    async def run(self, ctx: GraphRunContext[Seen, Any]) -> End[str]:
        ctx.state.count += 1
        if ctx.deps == "quick":
            return End("quick")
        await anyio.sleep_forever()
        raise AssertionError


async def test_a_node_that_takes_too_long_fails_and_says_where(store: Store) -> None:
    slow = Graph(nodes=[Slow], name="slow")
    with pytest.raises(
        NodeTimeout, match=r"^Slow took longer than its `timeout` of 0.01 s in step 0 of run 'r'"
    ) as caught:
        await slow.run(Slow(), state=Seen(), store=store, run_id="r")
    assert (caught.value.run_id, caught.value.seq, caught.value.node, caught.value.seconds) == ("r", 0, "Slow", 0.01)
    assert (await store.load("r")).status is Status.FAILED
    assert (await slow.run(resume="r", deps="quick", store=store)).output == "quick"


async def test_a_timeout_may_be_tried_again() -> None:
    @dataclass
    class Again(Slow):
        retry = RetryPolicy(on=TimeoutError, attempts=2)

    started: list[RunEvent] = []
    scheduler = Scheduler(MemoryStore(), HandClock(), [started.append])
    with pytest.raises(NodeTimeout):
        await Graph(nodes=[Again], name="again").run(Again(), state=Seen(), scheduler=scheduler)
    assert [event.attempt for event in started if isinstance(event, StepStarted)] == [1, 2]


@dataclass
class Begin(BaseNode[Seen, Any, list[str]]):
    on_error: ClassVar[Any] = "raise"

    async def run(self, ctx: GraphRunContext[Seen, Any]) -> Fork[Branch, Gather]:
        ctx.state.lines.append(Line("begun"))
        return Fork([Branch(0), Branch(1)], join=Gather, on_error=self.on_error)


@dataclass
class Branch(BaseNode[Seen, Any]):
    number: int
    retry = RetryPolicy(attempts=2, delay=1, jitter=False)

    async def run(self, ctx: GraphRunContext[Seen, Any]) -> Join[str]:
        ctx.state.lines.append(Line(f"of {self.number}"))
        do: Do = ctx.deps
        return Join(f"{await do(ctx)} {[line.text for line in ctx.state.lines]}")


@dataclass
class Gather(BaseNode[Seen, Any, list[str]]):
    values: list[str | BranchError]

    async def run(self, ctx: GraphRunContext[Seen, Any]) -> End[list[str]]:
        return End([each if isinstance(each, str) else each.message for each in self.values])


forking: Graph[Seen, Any, list[str]] = Graph(nodes=(Begin, Branch, Gather), name="forking")


async def test_a_model_and_a_state_of_any_kind_are_rewound() -> None:
    class Model(BaseModel):
        count: int = 0

    class Plain:
        count = 0

    @dataclass
    class Count(BaseNode[Any, None, int]):
        retry = RetryPolicy(delay=0)

        async def run(self, ctx: GraphRunContext[Any]) -> End[int]:
            ctx.state.count += 1
            if ctx.attempt == 1:
                raise ConnectionError
            return End(ctx.state.count)

    for state in (Model(), Plain()):
        assert (await Graph(nodes=(Count,), name="count", state_type=type(state)).run(Count(), state=state)).output == 1


@pytest.mark.parametrize("kept", [True, False])
async def test_branches_try_again_each_for_itself(store: Store, *, kept: bool) -> None:
    async def do(ctx: Ctx) -> str:
        assert await ctx.once("once", len, ctx.branch) == 3
        if ctx.branch == "0:1" and ctx.attempt == 1:
            raise ConnectionError
        return f"{ctx.attempt}"

    scheduler = Scheduler(store if kept else None, HandClock())
    done = await forking.run(Begin(), state=Seen(), deps=do, scheduler=scheduler)
    assert done.output == ["1 ['begun', 'of 0']", "2 ['begun', 'of 1']"]
    assert done.state.lines == [Line("begun")]


async def test_a_branch_whose_attempts_all_fail_is_collected(store: Store) -> None:
    @dataclass
    class Collecting(Begin):
        on_error = "collect"

    async def do(ctx: Ctx) -> str:
        if ctx.branch == "0:0":
            raise ConnectionError(f"attempt {ctx.attempt}")
        return "fine"

    collecting: Graph[Seen, Any, list[str]] = Graph(nodes=(Collecting, Branch, Gather), name="collecting")
    done = await collecting.run(Collecting(), state=Seen(), deps=do, scheduler=Scheduler(store, HandClock()))
    assert done.output == ["attempt 2", "fine ['begun', 'of 1']"]


async def lived(store: Dying, whole: Graph[Any, Any, Any], start: Any, seen: list[tuple[str, int]]) -> Seen | None:
    """One life of a process, in which the first attempt of every node fails; the state if it comes to the end."""
    failed: set[str] = set()

    async def do(ctx: Ctx) -> str:
        seen.append((ctx.branch, ctx.attempt))
        await ctx.once("once", len, ctx.branch)
        if ctx.branch not in failed:
            failed.add(ctx.branch)
            raise ConnectionError
        return "done"

    which: Any = {"resume": "r"} if start is None else {"run_id": "r", "state": Seen()}
    try:
        done = await whole.run(start, deps=do, scheduler=Scheduler(store, HandClock()), **which)
    except (Killed, BaseExceptionGroup):
        return None
    return cast("Seen", done.state)


@pytest.mark.parametrize("of", ["root", "branch"])
async def test_wherever_it_is_killed_no_attempt_has_the_number_of_another(of: str) -> None:
    whole, start = (graph, Try) if of == "root" else (forking, Begin)
    killed, unscathed = 0, None
    while unscathed is None:
        store, seen = Dying(killed + 1), list[tuple[str, int]]()
        unscathed = await lived(store, whole, start(), seen)
        if unscathed is not None:
            continue
        killed += 1
        await store.bury()
        state = await lived(store, whole, None, seen)
        assert state == (ONE if of == "root" else Seen(lines=[Line("begun")]))
        assert len(set(seen)) == len(seen)
    assert killed >= 3


@pytest.mark.parametrize("jitter", [True, False])
def test_delays_grow_up_to_the_longest(*, jitter: bool) -> None:
    policy = RetryPolicy(delay=2, factor=3, longest=10, jitter=jitter)
    delays = [policy.wait(attempts) for attempts in (1, 2, 3, 1000)]
    whole = [2, 6, 10, 10]
    assert all(0 <= delay <= most for delay, most in zip(delays, whole, strict=True))
    assert jitter or delays == whole


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"delay": -1}, {"factor": 0.5}, {"longest": float("inf")}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="makes no sense"):
        RetryPolicy(**wrong)


def test_the_graph_names_every_policy_that_is_none() -> None:
    @dataclass
    class Field(BaseNode[None, None, int]):
        timeout: float = 3  # type: ignore[misc] # pyright: ignore[reportIncompatibleVariableOverride] - the mistake

        async def run(self, ctx: GraphRunContext) -> End[int]:
            raise NotImplementedError

    @dataclass
    class Wrong(Field):
        timeout: ClassVar[float] = -1  # type: ignore[misc] # pyright: ignore[reportIncompatibleVariableOverride]
        retry: ClassVar[Any] = 3

    with pytest.raises(GraphSetupError) as caught:
        Graph(nodes=[Field, Wrong])
    assert tuple(problem.rpartition(" (")[0] for problem in caught.value.problems) == (
        "Field.timeout is a field, and the engine knows the name: call the field otherwise, or annotate it ClassVar",
        "Wrong.retry is no RetryPolicy",
        "Wrong.timeout is -1: give a number of seconds above 0",
    )


async def test_a_run_has_a_store_or_a_scheduler() -> None:
    with pytest.raises(UserError, match="leave `store` or `scheduler` out"):
        await graph.run(Try(), state=Seen(), store=MemoryStore(), scheduler=Scheduler())
