"""What every dispatcher does: this process alone, in memory and in a file, and DBOS on PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import pytest

from agentgraph.agent import Agent
from agentgraph.context import RunContext
from agentgraph.distributed import Dispatcher, Limits, Serveable, Served, ServeOptions, open_dispatcher
from agentgraph.exceptions import AgentRunError, RunCancelled, RunExists, RunNotFound, UserError
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, RunRecord, Status, open_questions
from agentgraph.models.test import TestModel

from .fleet import is_now, until
from .jobs import Asks, Counted, Hold, Parent, Step, asker, counter, holder, parent, read

pytestmark = pytest.mark.anyio

KINDS = ["memory", "file", "postgres"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """DBOS is asyncio's; what is run in this process alone is tried on trio in `test_local.py`."""
    return "asyncio"


@pytest.fixture(params=KINDS)
async def dispatcher(request: pytest.FixtureRequest, tmp_path: Path, marks: Path) -> AsyncGenerator[Dispatcher]:
    match request.param:
        case "memory":
            opened = open_dispatcher()
        case "file":
            opened = open_dispatcher(tmp_path / "runs.db", lease=1.0)
        case _:
            opened = open_dispatcher(request.getfixturevalue("url"), lease=1.0, stale_after=1.0)
    async with opened as dispatcher:
        yield dispatcher


@asynccontextmanager
async def serving(
    dispatcher: Dispatcher, *agents: Serveable, options: ServeOptions | None = None
) -> AsyncGenerator[None]:
    """Have the dispatcher serve while the block lasts."""
    ready = anyio.Event()
    given: ServeOptions = {**(options or {}), "ready": ready.set}
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: dispatcher.serve(agents, **given))
            await ready.wait()
            yield
            dispatcher.stop()


def is_past(seq: int, run: RunRecord) -> bool:
    return run.seq > seq


async def test_a_submitted_run_of_a_graph_is_executed_where_it_is_served(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(counter, Step(3), state=Counted())
    async with serving(dispatcher, counter):
        done = await dispatcher.result(counter, run_id)
    assert (done.output, done.state.count) == (3, 3)


async def test_a_submitted_run_of_an_agent_gives_its_result_to_any_process(dispatcher: Dispatcher) -> None:
    agent = Agent(TestModel(custom_result_text="done"), name="clerk")
    async with serving(dispatcher, agent):
        run_id = await dispatcher.submit(agent, "Refund order 17", run_id="order-17")
        done = await dispatcher.result(agent, run_id)
    assert (run_id, done.data) == ("order-17", "done")


async def test_when_it_is_submitted_a_run_is_stored_and_nobody_has_it(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(counter, Step(3), state=Counted(), tenant="acme", priority=2)
    run = await dispatcher.store.load(run_id)
    assert (run.status, run.owner, run.epoch, run.seq) == (Status.PENDING, None, 0, 0)
    assert run.dispatch is not None
    assert (run.dispatch.queue, run.dispatch.tenant, run.dispatch.priority) == ("counter", "acme", 2)


async def test_submitted_again_under_its_id_it_is_the_same_run(dispatcher: Dispatcher, marks: Path) -> None:
    async with serving(dispatcher, holder):
        for _ in range(3):
            await dispatcher.submit(holder, Hold(0.01), state=Counted(), run_id="once")
        await dispatcher.result(holder, "once")
        await dispatcher.submit(holder, Hold(0.01), state=Counted(), run_id="once")
    assert [mark.what for mark in read(marks)] == ["begin", "end"]


async def test_an_id_that_another_run_has_is_refused(dispatcher: Dispatcher) -> None:
    await dispatcher.submit(counter, Step(3), state=Counted(), run_id="taken")
    with pytest.raises(RunExists):
        await dispatcher.submit(holder, Hold(0), state=Counted(), run_id="taken")


async def test_an_answer_wakes_a_run(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(asker, Asks(2), state=Counted())
    async with serving(dispatcher, asker):
        for number in (3, 4):
            await until(dispatcher.store, run_id, is_now(Status.WAITING))
            (question,) = open_questions(await dispatcher.store.calls(run_id))
            seq = (await dispatcher.store.load(run_id)).seq
            await dispatcher.store.answer(run_id, question.key, number)
            await until(dispatcher.store, run_id, partial(is_past, seq))
        done = await dispatcher.result(asker, run_id)
    assert done.output == 7


async def test_an_answer_to_a_run_below_wakes_the_one_that_was_submitted(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(parent, Parent(), state=Counted())
    async with serving(dispatcher, parent):
        await until(dispatcher.store, run_id, is_now(Status.WAITING))
        (question,) = open_questions(await dispatcher.store.calls(run_id))
        await dispatcher.store.answer(question.run_id, question.key, 5)
        done = await dispatcher.result(parent, run_id)
    assert (question.run_id != run_id, done.output) == (True, 5)


@dataclass
class Nap(BaseNode[Counted, None, int]):
    seconds: float

    async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
        await ctx.sleep(self.seconds, key="nap")
        return End(ctx.attempt)


napper = Graph(nodes=[Nap], name="napper")


async def test_a_timer_wakes_a_run(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(napper, Nap(1.2), state=Counted())
    async with serving(dispatcher, napper):
        await dispatcher.result(napper, run_id)


async def test_a_delayed_run_begins_no_earlier(dispatcher: Dispatcher, marks: Path) -> None:
    async with serving(dispatcher, holder):
        late = await dispatcher.submit(holder, Hold(0), state=Counted(), delay=1.0)
        soon = await dispatcher.submit(holder, Hold(0), state=Counted())
        await dispatcher.result(holder, late)
    assert [mark.run for mark in read(marks) if mark.what == "begin"] == [soon, late]


async def test_what_has_priority_comes_first(dispatcher: Dispatcher, marks: Path) -> None:
    await dispatcher.limit("holder", Limits(per_worker=1))
    ids = [
        await dispatcher.submit(holder, Hold(0), state=Counted(), run_id=f"p{priority}", priority=priority)
        for priority in (2, 3, 1, 0)
    ]
    async with serving(dispatcher, holder):
        for run_id in ids:
            await dispatcher.result(holder, run_id)
    assert [mark.run for mark in read(marks) if mark.what == "begin"] == ["p0", "p1", "p2", "p3"]


async def test_a_run_that_is_cancelled_before_it_begins_never_does_unless_it_is_woken(
    dispatcher: Dispatcher, marks: Path
) -> None:
    run_id = await dispatcher.submit(holder, Hold(0), state=Counted())
    assert await dispatcher.cancel(run_id) is Status.CANCELLED
    with pytest.raises(RunCancelled):
        await dispatcher.result(holder, run_id)
    async with serving(dispatcher, holder):
        await dispatcher.result(holder, await dispatcher.submit(holder, Hold(0), state=Counted(), run_id="other"))
        assert {mark.run for mark in read(marks)} == {"other"}
        await dispatcher.wake(run_id)
        await dispatcher.result(holder, run_id)


async def test_a_run_that_is_executed_is_cancelled(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(holder, Hold(60), state=Counted())
    async with serving(dispatcher, holder):
        await until(dispatcher.store, run_id, is_now(Status.RUNNING))
        await dispatcher.cancel(run_id)
        with pytest.raises(RunCancelled):
            await dispatcher.result(holder, run_id)


async def test_a_run_that_fails_says_so_and_can_be_tried_again(dispatcher: Dispatcher) -> None:
    broken = True

    @dataclass
    class Work(BaseNode[Counted, None, int]):
        async def run(self, ctx: GraphRunContext[Counted]) -> End[int]:
            if broken:
                raise ValueError("not today")
            return End(1)

    worker = Graph(nodes=[Work], name="worker")
    run_id = await dispatcher.submit(worker, Work(), state=Counted())
    async with serving(dispatcher, worker):
        with pytest.raises(AgentRunError, match="failed at step 0: ValueError: not today") as caught:
            await dispatcher.result(worker, run_id)
        broken = False
        await dispatcher.wake(run_id)
        await until(dispatcher.store, run_id, is_now(Status.SUCCEEDED))
    assert caught.value.run_id == run_id


async def test_a_run_that_nothing_here_can_execute_fails_and_says_so(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(counter, Step(1), state=Counted(), queue="shared")
    async with serving(dispatcher, holder, options={"queues": ["shared"]}):
        with pytest.raises(AgentRunError, match="one of graph 'counter', and served here is graph 'holder'"):
            await dispatcher.result(counter, run_id)
    async with serving(dispatcher, holder, counter, options={"queues": ["shared"]}):
        await dispatcher.wake(run_id)
        await until(dispatcher.store, run_id, is_now(Status.SUCCEEDED))


async def test_deps_are_made_where_a_run_is_executed(dispatcher: Dispatcher) -> None:
    agent = Agent(TestModel(), name="clerk", deps_type=str)

    @agent.tool
    def whoami(ctx: RunContext[str]) -> str:
        return ctx.deps

    async with serving(dispatcher, Served(agent, deps=lambda record: f"of {record.run_id}")):
        await dispatcher.submit(agent, "who?", run_id="r")
        done = await dispatcher.result(agent, "r")
    assert done.data == '{"whoami":"of r"}'


async def test_at_the_end_a_step_ends_and_its_run_is_handed_on(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(counter, Step(200), state=Counted())
    async with serving(dispatcher, counter):
        await until(dispatcher.store, run_id, partial(is_past, 3))
    run = await dispatcher.store.load(run_id)
    assert (run.status, run.owner) in [(Status.PENDING, None), (Status.SUCCEEDED, None)]
    async with serving(dispatcher, counter):
        assert (await dispatcher.result(counter, run_id)).output == 200
        await dispatcher.wake(run_id)
    assert (await dispatcher.store.load(run_id)).status is Status.SUCCEEDED


async def test_a_step_that_does_not_end_in_time_begins_anew_elsewhere(dispatcher: Dispatcher, marks: Path) -> None:
    run_id = await dispatcher.submit(holder, Hold(1.0), state=Counted())
    async with serving(dispatcher, holder, options={"grace": 0.01}):
        await until(dispatcher.store, run_id, is_now(Status.RUNNING))
    assert (await dispatcher.store.load(run_id)).status is Status.PENDING
    async with serving(dispatcher, holder):
        await dispatcher.result(holder, run_id)
    assert [mark.what for mark in read(marks)].count("end") == 1


async def test_who_stops_serving_by_cancellation_hands_runs_on_too(dispatcher: Dispatcher) -> None:
    run_id = await dispatcher.submit(holder, Hold(60), state=Counted())
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: dispatcher.serve([holder], grace=0.01))
            await until(dispatcher.store, run_id, is_now(Status.RUNNING))
            group.cancel_scope.cancel()
    assert (await dispatcher.store.load(run_id)).status is Status.PENDING


async def test_health_says_what_is_served(dispatcher: Dispatcher) -> None:
    assert (dispatcher.health().status, dispatcher.health().good) == ("idle", False)
    run_id = await dispatcher.submit(holder, Hold(60), state=Counted())
    async with serving(dispatcher, holder, options={"grace": 0.01, "concurrency": 7}):
        await until(dispatcher.store, run_id, is_now(Status.RUNNING))
        health = dispatcher.health()
        assert (health.status, health.running, [*health.queues]) == ("serving", 1, ["holder"])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"deps": 1}, "`submit` has no option deps"),
        ({"delay": -1.0}, "neither can be below 0"),
        ({"delay": math.nan}, "delay=nan"),
        ({"delay": math.inf}, "shorter than a century"),
        ({"priority": 2**31}, "a priority below"),
        ({"model": TestModel()}, "know its `model` by name"),
        ({"state": 3}, "cannot be given state"),
    ],
)
async def test_what_cannot_be_stored_is_refused(dispatcher: Dispatcher, options: dict[str, object], why: str) -> None:
    agent = Agent(TestModel(), name="clerk")
    with pytest.raises(UserError, match=why):
        await dispatcher.submit(agent, "hello", **options)  # type: ignore[arg-type]  # wrong on purpose


async def test_what_is_submitted_can_be_executed(dispatcher: Dispatcher) -> None:
    with pytest.raises(UserError, match="model"):
        await dispatcher.submit(Agent(name="clerk"), "hello")
    with pytest.raises(UserError, match="`state`, `run_id` and `deadline`, and not conversation"):
        await dispatcher.submit(counter, Step(1), state=Counted(), conversation="c")


async def test_who_was_never_submitted_is_not_woken(dispatcher: Dispatcher) -> None:
    await counter.run(Step(1), state=Counted(), store=dispatcher.store, run_id="mine")
    with pytest.raises(UserError, match="'mine' was not submitted"):
        await dispatcher.wake("mine")
    with pytest.raises(RunNotFound):
        await dispatcher.wake("nobody")


async def test_what_is_served_has_names_of_its_own(dispatcher: Dispatcher) -> None:
    twins: Sequence[Graph[Counted, None, int]] = [Graph(nodes=[Step], name="twin") for _ in range(2)]
    with pytest.raises(UserError, match="two of what is served are graph 'twin'"):
        await dispatcher.serve(twins)
    with pytest.raises(UserError, match="found again by its name"):
        await dispatcher.submit(Graph(nodes=[Step]), Step(1), state=Counted())
    with pytest.raises(UserError, match="give it `name=`"):
        await dispatcher.serve([Graph(nodes=[Step])])
