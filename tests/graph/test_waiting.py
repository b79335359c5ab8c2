"""Runs that wait for answers: asleep in the store, answered from anywhere, and never twice at work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any

import pytest
from anyio.lowlevel import checkpoint
from pydantic import ValidationError

from agentgraph.exceptions import GraphRuntimeError, RunCancelled, RunWaiting, StoreError, UserError
from agentgraph.graph import Appended, BaseNode, End, Graph, GraphRunContext, Once, Question, RunRecord, Status, Store
from agentgraph.graph.claiming import MAX_ATTEMPTS
from agentgraph.stores import MemoryStore
from tests.graph.mortal import Drowsy
from tests.graph.samples import Line

pytestmark = pytest.mark.anyio


@dataclass
class Notes:
    written: Annotated[list[Line], Appended] = field(default_factory=list[Line])
    tries: int = 0


Ctx = GraphRunContext[Notes, Any]  # Any: deps are functions of such contexts
Do = Callable[[Ctx], Awaitable[object]]


@dataclass
class Work(BaseNode[Notes, Any, str]):
    """Counts its tries in the state, and does what the deps say."""

    async def run(self, ctx: GraphRunContext[Notes, Any]) -> End[str]:
        ctx.state.tries += 1
        ctx.state.written.append(Line("begun"))
        do: Do = ctx.deps
        return End(str(await do(ctx)))


graph = Graph(nodes=[Work], name="work")


async def begin(store: Store, do: Do, run_id: str = "r") -> list[Question]:
    """What the run waits for."""
    with pytest.raises(RunWaiting) as caught:
        await graph.run(Work(), state=Notes(), deps=do, store=store, run_id=run_id)
    return asked(caught.value)


async def again(store: Store, do: Do) -> list[Question]:
    with pytest.raises(RunWaiting) as caught:
        await graph.run(resume="r", deps=do, store=store)
    return asked(caught.value)


def asked(waiting: RunWaiting) -> list[Question]:
    return [question for question in waiting.questions if isinstance(question, Question)]


async def end(store: Store, do: Do) -> str:
    done = await graph.run(resume="r", deps=do, store=store)
    assert (done.state.tries, done.state.written) == (1, [Line("begun")])  # of the attempt that ended, alone
    assert await store.calls("r") == []
    return done.output


async def how_many(ctx: Ctx) -> int:
    count: int = await ctx.wait_for("count", question={"how many": "apples"}, type=int)
    return 2 * count


async def test_a_run_that_waits_sleeps_until_it_is_answered(store: Store) -> None:
    (question,) = await begin(store, how_many)
    assert (question.run_id, question.key, question.about) == ("r", "/0/count", {"how many": "apples"})
    record = await store.load("r")
    assert (record.status, record.owner, record.seq, record.pending) == (Status.WAITING, None, 0, "Work")
    await store.answer("r", question.key, 4, question.digest)
    assert (await store.load("r")).status is Status.WAITING  # to answer only stores
    assert await end(store, how_many) == "8"


async def test_a_run_that_is_resumed_unanswered_waits_on(store: Store) -> None:
    assert await begin(store, how_many) == await again(store, how_many) == await again(store, how_many)
    await store.answer("r", "count", 4)
    assert await end(store, how_many) == "8"


async def test_the_error_names_the_run_and_what_it_waits_for() -> None:
    with pytest.raises(RunWaiting, match="run 'r' waits for 1 answer") as caught:
        await graph.run(Work(), state=Notes(), deps=how_many, store=MemoryStore(), run_id="r")
    assert caught.value.run_id == "r"
    assert caught.value.requests == caught.value.questions


async def test_an_answer_that_does_not_fit_leaves_the_question_open(store: Store) -> None:
    (question,) = await begin(store, how_many)
    await store.answer("r", "count", "many")
    with pytest.raises(ValidationError):
        await graph.run(resume="r", deps=how_many, store=store)
    assert (await store.load("r")).status is Status.FAILED
    await store.answer("r", question.key, 4, question.digest)
    assert await end(store, how_many) == "8"


async def test_a_run_that_is_kept_nowhere_cannot_wait() -> None:
    with pytest.raises(GraphRuntimeError, match=r"waits for an answer \('count'\) needs a store to be found in"):
        await graph.run(Work(), state=Notes(), deps=how_many)


async def test_questions_one_after_the_other_repeat_nothing(store: Store) -> None:
    made: list[str] = []

    async def do(ctx: Ctx) -> str:
        await ctx.once("a", made.append, "a")
        first = await ctx.wait_for("first")
        await ctx.once_all([Once("b", made.append, ["b"])])
        second = await ctx.wait_for("second", question=first)
        await ctx.once("c", made.append, "c")
        return f"{first} {second}"

    await begin(store, do)
    await store.answer("r", "first", 1)
    (second,) = await again(store, do)
    assert second.about == 1
    await store.answer("r", "second", 2)
    assert await end(store, do) == "1 2"
    assert made == ["a", "b", "c"]


def batch(made: list[str], *, answered: list[str]) -> Do:
    """Two calls that ask, one before and one after a call that does not."""

    async def work(ctx: Ctx, key: str) -> str:
        await checkpoint()
        made.append(key)
        return key

    async def ask(ctx: Ctx, key: str) -> str:
        answer: str = await ctx.wait_for(f"about {key}", type=str)
        answered.append(key)
        return answer

    async def do(ctx: Ctx) -> list[str]:
        calls = [("a", ask), ("b", work), ("c", ask), ("d", work)]
        return await ctx.once_all([Once[str](key, partial(fn, ctx), [key], identity=key) for key, fn in calls])

    return do


@pytest.mark.parametrize("order", [("a", "c"), ("c", "a")])
async def test_a_batch_waits_for_all_its_answers_at_once(store: Store, order: tuple[str, str]) -> None:
    made: list[str] = []
    answered: list[str] = []
    do = batch(made, answered=answered)
    assert [question.key for question in await begin(store, do)] == ["/0/about a", "/0/about c"]
    assert sorted(made) == ["b", "d"]  # the others went on to their ends
    await store.answer("r", f"about {order[0]}", f"of {order[0]}")
    assert [question.key for question in await again(store, do)] == [f"/0/about {order[1]}"]
    await store.answer("r", f"about {order[1]}", f"of {order[1]}")
    assert await end(store, do) == "['of a', 'b', 'of c', 'd']"
    assert (sorted(made), answered) == (["b", "d"], list(order))


async def test_a_question_beside_a_call_that_fails_stays_open(store: Store) -> None:
    broken = True

    async def fail() -> str:
        await checkpoint()
        if broken:
            raise KeyError
        return "mended"

    async def do(ctx: Ctx) -> list[Any]:
        return await ctx.once_all([Once("a", partial(ctx.wait_for, "q")), Once[Any]("b", fail)])

    with pytest.raises(KeyError):
        await graph.run(Work(), state=Notes(), deps=do, store=store, run_id="r")
    assert (await store.load("r")).status is Status.FAILED
    await store.answer("r", "q", "fine")
    broken = False
    assert await end(store, do) == "['fine', 'mended']"


async def test_a_question_beside_a_failing_call_does_not_write_over_its_answer() -> None:
    store = MemoryStore()

    async def fail() -> None:
        await store.answer("r", "q", "there")
        raise KeyError

    async def do(ctx: Ctx) -> list[Any]:
        rest = [] if ctx.attempt != 2 else [Once[Any]("b", fail)]
        return await ctx.once_all([Once("a", partial(ctx.wait_for, "q")), *rest])

    await begin(store, do)
    with pytest.raises(KeyError):
        await graph.run(resume="r", deps=do, store=store)
    assert await end(store, do) == "['there']"


async def test_an_answer_just_before_the_sleep_has_the_step_run_again_with_a_clean_state() -> None:
    store, made = Drowsy(), list[str]()

    async def do(ctx: Ctx) -> str:
        await ctx.once_all([Once("held", made.append, [f"held in attempt {ctx.attempt}"], identity="held")])
        made.append("asks")
        return str(await ctx.wait_for("q"))

    await begin(store, do)
    store.before_sleep = partial(store.answer, "r", "q", "in time")
    assert await end(store, do) == "in time"
    assert made == ["held in attempt 1", "asks", "asks", "asks"]


async def test_a_step_that_runs_again_for_an_answer_just_before_the_sleep_may_wait_for_the_next() -> None:
    store = Drowsy()

    async def do(ctx: Ctx) -> str:
        return f"{await ctx.wait_for('first')} {await ctx.wait_for('second')}"

    await begin(store, do)
    store.before_sleep = partial(store.answer, "r", "first", "in time")
    assert [question.key for question in await again(store, do)] == ["/0/second"]
    await store.answer("r", "second", "at last")
    assert await end(store, do) == "in time at last"


async def test_what_was_held_outlives_a_sleep_that_was_refused() -> None:
    store, made = Drowsy(), list[str]()

    async def do(ctx: Ctx) -> str:
        if ctx.attempt > 1:
            await ctx.once_all([Once("held", made.append, ["held"])])
        return str(await ctx.wait_for("q"))

    await begin(store, do)
    store.before_sleep = partial(store.answer, "r", "q", "in time")
    assert await end(store, do) == "in time"
    assert made == ["held"]


async def test_a_sleep_that_cannot_be_written_fails_the_run_and_loses_nothing() -> None:
    store, made = Drowsy(), list[str]()
    store.full = True

    async def do(ctx: Ctx) -> str:
        await ctx.once_all([Once("held", made.append, ["held"])])
        return str(await ctx.wait_for("q"))

    with pytest.raises(StoreError, match="no space left"):
        await graph.run(Work(), state=Notes(), deps=do, store=store, run_id="r")
    record = await store.load("r")
    assert (record.status, record.error) == (Status.FAILED, "StoreError: there is no space left")
    await again(store, do)
    await store.answer("r", "q", "there")
    assert await end(store, do) == "there"
    assert made == ["held"]


async def test_a_run_cancelled_from_elsewhere_does_not_go_to_sleep() -> None:
    store = Drowsy()
    store.before_sleep = partial(store.cancel, "r")
    with pytest.raises(RunCancelled):
        await graph.run(Work(), state=Notes(), deps=how_many, store=store, run_id="r")
    assert (await store.load("r")).status is Status.CANCELLED
    await store.answer("r", "count", 4)  # a cancelled run can be resumed, so its question is still open
    assert await end(store, how_many) == "8"


async def test_a_waiting_run_can_be_cancelled(store: Store) -> None:
    await begin(store, how_many)
    assert await store.cancel("r") is Status.CANCELLED
    await again(store, how_many)
    assert (await store.load("r")).status is Status.WAITING


async def test_a_question_asked_otherwise_is_another_one(store: Store) -> None:
    async def otherwise(ctx: Ctx) -> int:
        count: int = await ctx.wait_for("count", question="pears", type=int)
        return count

    await begin(store, how_many)
    await store.answer("r", "count", 4)
    (question,) = await again(store, otherwise)
    assert question.about == "pears"
    await store.answer("r", "count", 5)
    assert await end(store, otherwise) == "5"


async def test_an_answer_to_a_step_that_has_ended_is_refused(store: Store) -> None:
    await begin(store, how_many)
    await store.answer("r", "count", 4)
    await end(store, how_many)
    with pytest.raises(UserError, match="no open question"):
        await store.answer("r", "count", 5)


async def test_two_questions_of_a_step_need_two_keys() -> None:
    store = MemoryStore()

    async def do(ctx: Ctx) -> str:
        return f"{await ctx.wait_for('k', question=1)} {await ctx.wait_for('k', question=2)}"

    await begin(store, do)
    await store.answer("r", "k", "one")
    with pytest.raises(GraphRuntimeError, match="step 0 asks two questions under the key 'k'"):
        await graph.run(resume="r", deps=do, store=store)


async def test_a_question_and_a_call_need_two_keys() -> None:
    async def do(ctx: Ctx) -> object:
        await ctx.once("k", str)
        return await ctx.wait_for("k")

    with pytest.raises(GraphRuntimeError, match="step 0 asks under the key 'k' of a call that it made"):
        await graph.run(Work(), state=Notes(), deps=do, store=MemoryStore())


async def test_a_run_can_wait_for_what_is_no_question(store: Store) -> None:
    waits = True

    async def wait() -> str:
        if waits:
            raise RunWaiting("another", [])
        return "there"

    async def do(ctx: Ctx) -> object:
        return await ctx.once_all([Once("a", wait), Once("b", str)])

    assert await begin(store, do) == []
    assert (await store.load("r")).status is Status.WAITING
    waits = False
    assert await end(store, do) == "['there', '']"


async def test_a_run_that_is_kept_nowhere_ends_with_what_it_waits_for() -> None:
    async def do(ctx: Ctx) -> str:
        return (await graph.run(Work(), state=Notes(), deps=how_many, store=MemoryStore(), run_id="inner")).output

    with pytest.raises(RunWaiting) as caught:
        await graph.run(Work(), state=Notes(), deps=do)
    assert caught.value.run_id == "inner"


async def test_a_run_that_goes_to_sleep_while_others_look_at_it_has_lost_no_process() -> None:
    class Late(MemoryStore):
        async def load(self, run_id: str) -> RunRecord:
            return replace(await super().load(run_id), status=Status.RUNNING)

    late = Late()
    await begin(late, how_many)
    for _ in range(2 * MAX_ATTEMPTS):
        assert await again(late, how_many)
    await late.answer("r", "count", 4)
    assert await end(late, how_many) == "8"
