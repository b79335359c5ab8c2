"""Agents in tools that wait: the call that runs them waits too, and the run that makes it lists what they ask."""

from __future__ import annotations

import anyio
import pytest

from agentgraph import Agent, MemoryStore, RunContext, RunWaiting, ToolApproved, ToolDenied, ToolRequest, UserError
from agentgraph.graph import Status
from tests.agent.scripted import answers, call, says

pytestmark = pytest.mark.anyio


class Office:
    """A boss who lets clerks pay: one agent runs another in its tool, which may run a third."""

    def __init__(self, *, calls: int = 1) -> None:
        self.store = MemoryStore()
        self.paid: list[int] = []
        self.bank = Agent(says(call("pay", "p", euros=5), "the bank has paid"), name="bank")
        self.clerk = Agent(says(call("ask_bank", "b"), "the clerk has paid"), name="clerk")
        orders = [call("order", f"o{number}") for number in range(calls)]
        self.boss = Agent(says([*orders, call("sign", "s")], "done"), name="boss", store=self.store)
        self.signed = 0

        @self.bank.tool_plain(requires_approval=True)
        def pay(euros: int) -> str:
            self.paid.append(euros)
            return "paid"

        @self.clerk.tool
        async def ask_bank(ctx: RunContext[None]) -> str:
            return (await self.bank.run("pay", parent=ctx)).data

        @self.boss.tool
        async def order(ctx: RunContext[None]) -> str:
            return (await self.clerk.run("pay", parent=ctx)).data

        @self.boss.tool_plain
        async def sign() -> str:
            self.signed += 1
            return "signed"

    async def waiting(self, **options: object) -> list[ToolRequest]:
        going = self.boss.run(resume="r", **options) if options or self.signed else self.boss.run("go", run_id="r")  # type: ignore[call-overload]  # what a test gives
        with pytest.raises(RunWaiting) as caught:
            await going
        assert caught.value.run_id == "r"
        return [request for request in caught.value.requests if isinstance(request, ToolRequest)]


async def test_what_waits_below_is_listed_above() -> None:
    office = Office()
    (request,) = await office.waiting()
    assert (request.call.tool_name, request.reason) == ("pay", "approval")
    assert request.run_id not in {"r", ""}
    runs = {run.run_id: run.status for run in await office.store.list()}
    assert len(runs) == 3
    assert set(runs.values()) == {Status.WAITING}
    assert await office.waiting() == [request]
    assert office.signed == 1  # the other calls went on to their ends, once


async def test_an_answer_to_the_run_above_reaches_the_one_that_asks() -> None:
    office = Office()
    (request,) = await office.waiting()
    await office.boss.answer("r", request.key, ToolApproved(digest=request.digest))
    result = await office.boss.run(resume="r")
    assert [part.content for part in answers(result.all_messages())] == ["the clerk has paid", "signed"]
    assert (office.paid, office.signed) == ([5], 1)
    assert {run.status for run in await office.store.list()} == {Status.SUCCEEDED}
    assert result.usage().requests == 6  # two of each, counted once


async def test_it_can_be_answered_where_it_is_asked() -> None:
    office = Office()
    (request,) = await office.waiting()
    await office.bank.answer(request.run_id, "p", ToolDenied("no"), store=office.store)
    with pytest.raises(UserError, match="'p' names no open question of run 'r'"):  # it is open no more
        await office.boss.answer("r", "p", ToolApproved())
    assert (await office.boss.run(resume="r")).data == "done"
    assert office.paid == []


async def test_calls_side_by_side_wait_side_by_side() -> None:
    office = Office(calls=2)
    first, second = await office.waiting()
    assert first.key != second.key
    with pytest.raises(UserError, match="'p' names several open questions of run 'r'"):
        await office.boss.answer("r", "p", ToolApproved())
    assert await office.waiting(answers={second.key: ToolApproved(args={"euros": 7})}) == [first]
    result = await office.boss.run(resume="r", answers={"p": ToolApproved()})
    assert result.data == "done"
    assert (office.paid, office.signed) == ([7, 5], 1)
    assert result.usage().requests == 2 + 2 * 4


async def test_a_second_question_below_takes_the_place_of_the_first() -> None:
    office = Office()
    office.bank = Agent(says(call("pay", "p", euros=5), call("pay", "p", euros=6), "the bank has paid"), name="bank")

    @office.bank.tool_plain(requires_approval=True)
    def pay(euros: int) -> str:
        office.paid.append(euros)
        return "paid"

    (first,) = await office.waiting()
    (second,) = await office.waiting(answers={"p": ToolApproved()})
    assert (first.call.args, second.call.args) == ({"euros": 5}, {"euros": 6})
    with pytest.raises(UserError, match="names no open question"):
        await office.boss.answer("r", first.key, ToolApproved())
    assert (await office.boss.run(resume="r", answers={"p": ToolApproved()})).data == "done"
    assert office.paid == [5, 6]


async def test_an_agent_that_waits_has_to_be_a_child() -> None:
    office = Office()
    lonely = Agent(says(call("order", "o"), "done"), name="lonely", store=office.store)

    @lonely.tool_plain
    async def order() -> str:
        return (await office.bank.run("pay")).data

    with pytest.raises(UserError, match=r"tool 'order' runs an agent that waits for answers .* give .* `parent=ctx`"):
        await lonely.run("go", run_id="r")
    assert (await office.store.load("r")).status is Status.FAILED


async def test_a_cancelled_family_can_be_resumed_and_asks_again() -> None:
    office = Office()
    (request,) = await office.waiting()
    assert await office.boss.cancel("r") is Status.CANCELLED
    assert {run.status for run in await office.store.list()} == {Status.CANCELLED}
    assert await office.waiting() == [request]
    await anyio.lowlevel.checkpoint()
    assert (await office.boss.run(resume="r", answers={"p": ToolApproved()})).data == "done"
