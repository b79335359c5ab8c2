"""Calls that a person approves: with the model's arguments or others, or denies, and nobody is asked for nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from anyio.lowlevel import checkpoint

from agentgraph import (
    Agent,
    ApprovalRequired,
    MemoryStore,
    RunContext,
    RunWaiting,
    ToolApproved,
    ToolDenied,
    ToolRequest,
    Usage,
    UserError,
)
from agentgraph.agent import ToolValue
from agentgraph.graph import Status, Store
from agentgraph.messages import RetryPromptPart, ToolCallPart, ToolReturnPart
from tests.agent.doors import DOORS
from tests.agent.scripted import answers, call, says
from tests.graph.mortal import Drowsy

pytestmark = pytest.mark.anyio


class Desk:
    """An agent that refunds orders, which needs approval, and looks them up, which does not."""

    def __init__(self, *calls: ToolCallPart, store: Store | None = None) -> None:
        self.done: list[object] = []
        self.store = store or MemoryStore()
        self.agent: Agent[None, str] = Agent(says(list(calls), "done"), name="desk", store=self.store)

        @self.agent.tool(requires_approval=True)
        async def refund(ctx: RunContext[None], order: int) -> str:
            assert ctx.tool_call_approved
            self.done.append(order)
            return f"refunded {order}"

        @self.agent.tool
        async def look_up(ctx: RunContext[None], order: int) -> str:
            await checkpoint()
            assert not ctx.tool_call_approved
            self.done.append(f"looked up {order}")
            return "lost"

    async def begin(self) -> list[ToolRequest]:
        with pytest.raises(RunWaiting) as caught:
            await self.agent.run("go", run_id="r")
        return requests(caught.value)

    async def resumed(self, **given: Any) -> list[ToolRequest]:
        with pytest.raises(RunWaiting) as caught:
            await self.agent.run(resume="r", **given)
        return requests(caught.value)

    async def end(self, **given: Any) -> list[ToolReturnPart | RetryPromptPart]:
        result = await self.agent.run(resume="r", **given)
        assert result.data == "done"
        return answers(result.all_messages())


def requests(waiting: RunWaiting) -> list[ToolRequest]:
    assert waiting.run_id == "r"
    return [request for request in waiting.requests if isinstance(request, ToolRequest)]


REFUND, LOOK_UP = call("refund", "c1", order=17), call("look_up", "c2", order=17)


async def test_the_run_waits_while_the_other_calls_are_made() -> None:
    desk = Desk(REFUND, LOOK_UP)
    (request,) = await desk.begin()
    assert (request.run_id, request.key, request.reason, request.call) == ("r", "/2/0", "approval", REFUND)
    assert desk.done == ["looked up 17"]
    record = await desk.store.load("r")
    assert (record.status, record.owner, record.pending) == (Status.WAITING, None, "HandleResponseNode")


async def test_an_approved_call_is_made() -> None:
    desk = Desk(REFUND, LOOK_UP)
    await desk.begin()
    said = await desk.end(answers={"c1": ToolApproved()})
    assert [part.content for part in said] == ["refunded 17", "lost"]
    assert desk.done == ["looked up 17", 17]


async def test_a_call_is_approved_with_other_arguments() -> None:
    desk = Desk(REFUND)
    await desk.begin()
    (said,) = await desk.end(answers={"c1": ToolApproved(args={"order": 18})})
    assert (said.content, said.tool_call_id, desk.done) == ("refunded 18", "c1", [18])


async def test_arguments_that_do_not_fit_are_refused_before_they_are_stored() -> None:
    desk = Desk(REFUND)
    await desk.begin()
    wrong = ToolApproved(args={"order": "many"})
    with pytest.raises(UserError, match="tool 'refund' does not take the arguments with which 'c1' was approved"):
        await desk.agent.answer("r", "c1", wrong)
    with pytest.raises(UserError, match="does not take the arguments"):
        await desk.agent.run(resume="r", answers={"c1": wrong})
    assert len(await desk.resumed()) == 1


async def test_of_a_denied_call_the_model_is_told_why() -> None:
    desk = Desk(REFUND)
    await desk.begin()
    (said,) = await desk.end(answers={"c1": ToolDenied("not before Monday")})
    assert said == replace(said, tool_name="refund", content="not before Monday", tool_call_id="c1")
    assert desk.done == []


async def test_a_denial_has_words_of_its_own() -> None:
    desk = Desk(REFUND)
    await desk.begin()
    (said,) = await desk.end(answers={"c1": ToolDenied()})
    assert said.content == "This call was denied."


@pytest.mark.parametrize("value", [{"refunded": 17}, None, "by hand"])
async def test_any_other_answer_is_what_the_call_returns(value: object) -> None:
    desk = Desk(REFUND)
    await desk.begin()
    (said,) = await desk.end(answers={"c1": value})
    assert (said.content, desk.done) == (value, [])


async def test_an_answer_can_be_stored_without_an_agent() -> None:
    desk = Desk(REFUND, call("refund", "c2", order=18))
    first, second = await desk.begin()
    await desk.store.answer("r", first.key, "by hand")
    await desk.store.answer("r", second.key, {"kind": "approved"})
    assert [part.content for part in await desk.end()] == ["by hand", "refunded 18"]


async def test_arguments_that_do_not_fit_go_back_to_the_model_and_nobody_is_asked() -> None:
    desk = Desk(call("refund", "c1", order="many"))
    result = await desk.agent.run("go")
    (said,) = answers(result.all_messages())
    assert isinstance(said, RetryPromptPart)


async def test_a_run_that_is_resumed_unanswered_waits_on() -> None:
    desk = Desk(REFUND, LOOK_UP)
    assert await desk.begin() == await desk.resumed() == await desk.resumed()
    assert desk.done == ["looked up 17"]


@pytest.mark.parametrize("order", [("c1", "c2"), ("c2", "c1")])
async def test_calls_are_approved_one_at_a_time_in_any_order(order: tuple[str, str]) -> None:
    desk = Desk(REFUND, call("refund", "c2", order=18))
    assert len(await desk.begin()) == 2
    first, last = order
    assert [request.call.tool_call_id for request in await desk.resumed(answers={first: ToolApproved()})] == [last]
    assert len(desk.done) == 1
    assert [part.content for part in await desk.end(answers={last: ToolApproved()})] == ["refunded 17", "refunded 18"]
    assert len(desk.done) == 2


# ------------------------------------------------------------------------------------------------ naming the request


async def test_a_request_is_named_by_its_key_or_by_the_id_of_its_call() -> None:
    desk = Desk(call("refund", order=17), call("refund", "c2", order=18))
    first, second = await desk.begin()
    assert (first.call.tool_call_id, first.key, second.key) == (None, "/2/0", "/2/1")
    await desk.agent.answer("r", first.key, ToolApproved())
    await desk.agent.answer("r", "c2", ToolApproved())
    assert len(await desk.end()) == 2


async def test_an_id_that_two_calls_share_names_neither() -> None:
    desk = Desk(REFUND, call("refund", "c1", order=18))
    first, second = await desk.begin()
    there_are = r"there are: /2/0 \(call c1\), /2/1 \(call c1\)"
    with pytest.raises(UserError, match=f"'c1' names several open questions of run 'r'; {there_are}"):
        await desk.agent.answer("r", "c1", ToolApproved())
    (left,) = await desk.resumed(answers={first.key: ToolDenied()})
    assert left == second
    await desk.end(answers={"c1": ToolApproved()})  # now it names one


async def test_an_answer_is_taken_once() -> None:
    desk = Desk(REFUND)
    (request,) = await desk.begin()
    await desk.agent.answer("r", "c1", ToolDenied())
    for key in ("c1", request.key):
        with pytest.raises(UserError, match="names no open question of run 'r'; there are: none"):
            await desk.agent.answer("r", key, ToolApproved())
    await desk.end()
    assert desk.done == []


async def test_of_several_answers_none_is_stored_if_one_is_refused() -> None:
    desk = Desk(REFUND, call("refund", "c2", order=18))
    await desk.begin()
    for wrong in ({"c3": ToolApproved()}, {"c2": ToolApproved(digest="other")}, {"c2": object()}):
        with pytest.raises(UserError):
            await desk.agent.run(resume="r", answers={"c1": ToolApproved(), **wrong})
    assert len(await desk.resumed()) == 2


async def test_an_answer_carries_the_digest_of_what_was_seen() -> None:
    desk = Desk(REFUND, call("refund", "c2", order=18))
    first, second = await desk.begin()
    assert first.digest != second.digest
    for answer in (ToolApproved(digest=second.digest), ToolDenied(digest=second.digest), ToolValue(1, second.digest)):
        with pytest.raises(UserError, match="'c1' of run 'r' is about another call than the one that was answered"):
            await desk.agent.answer("r", "c1", answer)
    await desk.agent.answer("r", "c1", ToolApproved(digest=first.digest))
    await desk.agent.answer("r", "c2", ToolDenied(digest=second.digest))
    assert len(await desk.end()) == 2


async def test_the_same_call_has_the_same_digest_in_any_run() -> None:
    assert [each.digest for each in await Desk(REFUND).begin()] == [each.digest for each in await Desk(REFUND).begin()]


async def test_an_answer_that_json_cannot_hold_is_refused() -> None:
    desk = Desk(REFUND)
    await desk.begin()
    with pytest.raises(UserError, match="the answer to 'c1' cannot be turned into JSON"):
        await desk.agent.answer("r", "c1", object())


async def test_answers_go_with_resume() -> None:
    with pytest.raises(UserError, match="`answers=` goes with `resume=`"):
        await Desk(REFUND).agent.run("go", answers={"c1": ToolApproved()})


async def test_an_answer_goes_where_runs_are_kept_now() -> None:
    desk, elsewhere = Desk(REFUND), MemoryStore()
    with desk.agent.override(store=elsewhere):
        await desk.begin()
        await desk.agent.answer("r", "c1", ToolApproved())
    with pytest.raises(UserError, match="names no open question"):
        await desk.agent.answer("r", "c1", ToolApproved(), store=elsewhere)
    await desk.end(store=elsewhere)


# --------------------------------------------------------------------------------- answered while it goes to sleep


async def hasty() -> Desk:
    """A run that waits, and is answered just before it would sleep again."""
    store = Drowsy()
    desk = Desk(REFUND, LOOK_UP, store=store)
    await desk.begin()
    store.before_sleep = partial(desk.agent.answer, "r", "c1", ToolApproved())
    return desk


async def test_a_run_answered_before_it_sleeps_goes_on_and_counts_where_it_was_told_to() -> None:
    desk, usage = await hasty(), Usage()
    result = await desk.agent.run(resume="r", usage=usage)
    assert (result.data, result.usage() is usage, usage.requests) == ("done", True, 2)
    assert desk.done == ["looked up 17", 17]


async def test_a_node_that_is_streamed_leaves_the_answer_to_whoever_resumes() -> None:
    desk = await hasty()
    with pytest.raises(RunWaiting):
        await DOORS["stream_nodes"](desk.agent, None, {"resume": "r"})
    assert (await desk.store.load("r")).status is Status.PENDING
    assert [part.content for part in await desk.end()] == ["refunded 17", "lost"]


# ------------------------------------------------------------------------------------------------- asked by the tool


def careful(store: Store, made: list[object], *, always: bool = False) -> Agent[None, str]:
    agent = Agent(says(call("pay", "c1", euros=500), "done"), name="careful", store=store)

    @agent.tool
    def pay(ctx: RunContext[None], euros: int) -> str:
        if always or (euros > 100 and not ctx.tool_call_approved):
            made.append("asked")
            raise ApprovalRequired
        made.append(euros)
        return "paid"

    return agent


async def test_a_tool_can_ask_for_approval_itself() -> None:
    store, made = MemoryStore(), list[object]()
    agent = careful(store, made)
    with pytest.raises(RunWaiting) as caught:
        await agent.run("go", run_id="r")
    assert [request.reason for request in requests(caught.value)] == ["approval"]
    with pytest.raises(RunWaiting):  # the tool is not called to ask again
        await agent.run(resume="r")
    assert made == ["asked"]
    assert (await agent.run(resume="r", answers={"c1": ToolApproved()})).data == "done"
    assert made == ["asked", 500]


async def test_a_tool_that_asks_for_what_was_approved_is_told_so() -> None:
    store, made = MemoryStore(), list[object]()
    agent = careful(store, made, always=True)
    with pytest.raises(RunWaiting):
        await agent.run("go", run_id="r")
    with pytest.raises(UserError, match=r"'pay' asks for approval of a call that was approved: .*tool_call_approved"):
        await agent.run(resume="r", answers={"c1": ToolApproved()})
    assert (await store.load("r")).status is Status.FAILED
    assert (await careful(store, made).run(resume="r")).data == "done"  # mended, and nobody is asked again
