"""Calls over which their process died: made again, asked about, or failing the run, as each of them says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from agentgraph.exceptions import GraphRuntimeError, RunWaiting
from agentgraph.graph import AfterCrash, BaseNode, End, Graph, GraphRunContext, JournalKind, Once, Question, Status
from tests.graph.mortal import Killed, Mortal

pytestmark = pytest.mark.anyio

Do = Callable[[GraphRunContext[None, Any]], Awaitable[object]]


@dataclass
class Work(BaseNode[None, Any, str]):
    async def run(self, ctx: GraphRunContext[None, Any]) -> End[str]:
        do: Do = ctx.deps  # Any: a function of such contexts
        return End(str(await do(ctx)))


graph = Graph(nodes=[Work], name="work")


@dataclass
class Payment:
    """A call that kills its process as often as it is told to, after the money is gone."""

    store: Mortal
    policy: AfterCrash
    deaths: int = 1
    made: int = 0

    async def pay(self, euros: int) -> int:
        self.made += 1
        rows = await self.store.calls("r")
        self.seen = [(row.key, row.kind) for row in rows if row.kind is not JournalKind.NOTED]
        if self.made <= self.deaths:
            self.store.die()
        return euros

    async def __call__(self, ctx: GraphRunContext[None, Any]) -> int:
        call = Once[int]("pay", self.pay, [5], after_crash=self.policy)
        (paid,) = await ctx.once_all([call])
        return paid

    async def crash(self, *, resume: bool = False) -> None:
        if resume:
            going = graph.run(resume="r", deps=self, store=self.store)
        else:
            going = graph.run(Work(), deps=self, store=self.store, run_id="r")
        with pytest.raises(Killed):
            await going
        await self.store.bury()

    async def asked(self) -> Question:
        with pytest.raises(RunWaiting) as caught:
            await graph.run(resume="r", deps=self, store=self.store)
        (question,) = caught.value.questions
        assert isinstance(question, Question)
        return question

    async def end(self) -> str:
        done = await graph.run(resume="r", deps=self, store=self.store)
        assert await self.store.calls("r") == []
        return done.output


async def test_by_default_the_call_is_made_again_and_nothing_is_written_before_it() -> None:
    payment = Payment(Mortal(), "retry")
    await payment.crash()
    assert (await payment.end(), payment.made, payment.seen) == ("5", 2, [])


@pytest.mark.parametrize("policy", ["ask", "fail"])
async def test_other_policies_write_that_the_call_begins(policy: AfterCrash) -> None:
    payment = Payment(Mortal(), policy, deaths=0)
    done = await graph.run(Work(), deps=payment, store=payment.store, run_id="r")
    assert (done.output, payment.seen) == ("5", [("pay", JournalKind.STARTED)])


async def test_a_question_says_that_the_outcome_is_not_known() -> None:
    payment = Payment(Mortal(), "ask")
    await payment.crash()
    question = await payment.asked()
    assert (question.key, question.about) == ("/0/pay", {"reason": "unknown outcome"})
    assert (await payment.store.load("r")).status is Status.WAITING
    assert await payment.asked() == question
    assert payment.made == 1


async def test_what_a_person_says_it_returned_is_what_it_returned() -> None:
    payment = Payment(Mortal(), "ask")
    await payment.crash()
    await payment.asked()
    await payment.store.answer("r", "pay", {"returned": 7})
    assert (await payment.end(), payment.made) == ("7", 1)


async def test_what_a_person_says_it_returned_has_to_fit() -> None:
    payment = Payment(Mortal(), "ask")
    await payment.crash()
    await payment.asked()
    await payment.store.answer("r", "pay", {"returned": "much"})
    with pytest.raises(ValidationError):
        await payment.end()
    await payment.store.answer("r", "pay", {"returned": 7})
    assert (await payment.end(), payment.made) == ("7", 1)


async def test_any_other_answer_has_the_call_made_again() -> None:
    payment = Payment(Mortal(), "ask")
    await payment.crash()
    await payment.asked()
    await payment.store.answer("r", "pay", "again")
    assert (await payment.end(), payment.made) == ("5", 2)
    assert payment.seen == [("pay", JournalKind.ANSWERED), ("pay#2", JournalKind.STARTED)]


async def test_a_second_crash_is_asked_about_anew() -> None:
    payment = Payment(Mortal(), "ask", deaths=2)
    await payment.crash()
    await payment.asked()
    await payment.store.answer("r", "pay", "again")
    await payment.crash(resume=True)
    assert (await payment.asked()).key == "/0/pay#2"
    await payment.store.answer("r", "pay#2", {"returned": 8})
    assert (await payment.end(), payment.made) == ("8", 2)


async def test_a_call_can_fail_its_run_instead() -> None:
    payment = Payment(Mortal(), "fail")
    await payment.crash()
    for _ in range(2):
        with pytest.raises(GraphRuntimeError, match="'pay'"):
            await payment.end()
        assert (await payment.store.load("r")).status is Status.FAILED
    assert payment.made == 1


@pytest.mark.parametrize("policy", ["ask", "fail"])
async def test_a_call_that_raised_did_not_lose_its_process_and_is_made_again(policy: AfterCrash) -> None:
    store, made = Mortal(), list[int]()

    async def pay() -> None:
        made.append(1)
        raise KeyError

    async def do(ctx: GraphRunContext[None, Any]) -> object:
        return await ctx.once_all([Once[None]("pay", pay, after_crash=policy)])

    with pytest.raises(KeyError):
        await graph.run(Work(), deps=do, store=store, run_id="r")
    with pytest.raises(KeyError):
        await graph.run(resume="r", deps=do, store=store)
    assert made == [1, 1]


async def test_without_a_store_a_call_that_raised_is_noted_nowhere() -> None:
    async def do(ctx: GraphRunContext[None, Any]) -> object:
        return await ctx.once_all([Once[int]("pay", int, ["much"], after_crash="ask")])

    with pytest.raises(ValueError, match="much"):
        await graph.run(Work(), deps=do)


async def test_without_a_store_there_is_nothing_to_ask_about() -> None:
    async def do(ctx: GraphRunContext[None, Any]) -> object:
        return await ctx.once_all([Once("pay", int, after_crash="ask"), Once("more", int, after_crash="fail")])

    assert (await graph.run(Work(), deps=do)).output == "[0, 0]"
