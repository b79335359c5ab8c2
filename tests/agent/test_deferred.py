"""Calls whose work is done elsewhere, and calls over which their process died."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from agentgraph import (
    Agent,
    ApprovalRequired,
    CallDeferred,
    GraphRuntimeError,
    RunContext,
    RunWaiting,
    ToolApproved,
    ToolDenied,
    ToolRequest,
)
from agentgraph.graph import AfterCrash, JournalKind, Status
from agentgraph.tools import Tool
from tests.agent.scripted import answers, call, says
from tests.graph.mortal import Killed, Mortal

pytestmark = pytest.mark.anyio


class Worker:
    """An agent with one tool, `work`, which does as `does` says."""

    def __init__(self, does: Callable[[RunContext[None], int], object], **options: object) -> None:
        self.store = Mortal()
        self.calls: list[tuple[int, str | None]] = []

        def work(ctx: RunContext[None], n: int) -> object:
            self.calls.append((n, ctx.idempotency_key))
            return does(ctx, n)

        self.tool = Tool(work, **options)  # type: ignore[call-overload]  # options, as the test gives them
        model = says([call("work", "c1", n=1), call("work", "c2", n=2)], "done")
        self.agent: Agent[None, str] = Agent(model, tools=[self.tool], store=self.store, name="worker")

    @property
    def made(self) -> list[int]:
        return sorted(n for n, _ in self.calls)

    async def begin(self) -> list[ToolRequest]:
        with pytest.raises(RunWaiting) as caught:
            await self.agent.run("go", run_id="r")
        return [request for request in caught.value.requests if isinstance(request, ToolRequest)]

    async def resumed(self, **given: object) -> list[ToolRequest]:
        with pytest.raises(RunWaiting) as caught:
            await self.agent.run(resume="r", answers=given)
        return [request for request in caught.value.requests if isinstance(request, ToolRequest)]

    async def end(self, **given: object) -> list[object]:
        result = await self.agent.run(resume="r", answers=given)
        assert await self.store.calls("r") == []
        return [part.content for part in answers(result.all_messages())]

    async def crash(self, **given: object) -> None:
        going = self.agent.run(resume="r", answers=given) if self.calls or given else self.agent.run("go", run_id="r")
        with pytest.raises((Killed, BaseExceptionGroup)):
            await going
        await self.store.bury()


def defer(_: RunContext[None], n: int) -> object:
    raise CallDeferred


async def test_a_deferred_call_returns_what_is_handed_in() -> None:
    worker = Worker(defer)
    assert [request.reason for request in await worker.begin()] == ["deferred", "deferred"]
    assert [request.call.tool_call_id for request in await worker.resumed(c2={"two": 2})] == ["c1"]
    assert await worker.end(c1="one") == ["one", {"two": 2}]
    assert worker.made == [1, 2]  # a call that was deferred is not made again


@pytest.mark.parametrize(("raised", "reason"), [(CallDeferred, "deferred"), (ApprovalRequired, "approval")])
async def test_a_tool_without_a_context_can_make_its_only_call_wait(raised: type[Exception], reason: str) -> None:
    agent = Agent(says(call("work", "c1"), "done"), name="worker", store=Mortal())

    @agent.tool_plain
    async def work() -> str:
        raise raised

    with pytest.raises(RunWaiting) as caught:
        await agent.run("go", run_id="r")
    (request,) = caught.value.requests
    assert isinstance(request, ToolRequest)
    assert (request.reason, request.key) == (reason, "/2/0")
    result = await agent.run(resume="r", answers={"c1": "done elsewhere"})
    assert [part.content for part in answers(result.all_messages())] == ["done elsewhere"]


async def test_a_deferred_call_can_be_denied() -> None:
    worker = Worker(defer)
    await worker.begin()
    assert await worker.end(c1=ToolDenied("nobody did it"), c2=None) == ["nobody did it", None]


async def test_a_deferred_call_that_is_approved_is_made_again() -> None:
    def first_deferred(ctx: RunContext[None], n: int) -> object:
        if not ctx.tool_call_approved:
            raise CallDeferred
        return n

    worker = Worker(first_deferred)
    await worker.begin()
    assert await worker.end(c1=ToolApproved(), c2=ToolApproved(args={"n": 20})) == [1, 20]


async def test_a_deferred_call_is_not_made_again_because_another_fails() -> None:
    store, submitted, broken = Mortal(), anyio.Event(), True
    agent = Agent(says([call("submit", "c1"), call("fail", "c2")], "done"), name="worker", store=store)

    @agent.tool_plain
    async def submit() -> str:
        assert not submitted.is_set()
        submitted.set()
        raise CallDeferred

    @agent.tool_plain
    async def fail() -> str:
        await submitted.wait()
        if broken:
            raise KeyError
        return "mended"

    with pytest.raises(KeyError):
        await agent.run("go", run_id="r")
    assert (await store.load("r")).status is Status.FAILED
    await agent.answer("r", "c1", "from elsewhere")
    broken = False
    result = await agent.run(resume="r")
    assert [part.content for part in answers(result.all_messages())] == ["from elsewhere", "mended"]


async def test_a_call_is_approved_and_then_deferred() -> None:
    worker = Worker(defer, requires_approval=True)
    first, second = await worker.begin()
    deferred, approval = await worker.resumed(c1=ToolApproved(args={"n": 10}))
    assert (deferred.reason, approval) == ("deferred", second)
    assert deferred.call.args == {"n": 10}
    assert deferred.key == f"{first.key}#2"
    assert deferred.digest != first.digest  # it is bound to the arguments that were approved
    assert [each.reason for each in await worker.resumed(c2=ToolApproved())] == ["deferred", "deferred"]
    assert worker.made == [2, 10]
    assert await worker.end(c1="ten", c2="two") == ["ten", "two"]
    assert worker.made == [2, 10]


# ----------------------------------------------------------------------------------------------------- after a crash


def dying(deaths: int) -> tuple[list[Mortal], Callable[[RunContext[None], int], object]]:
    """A tool whose call 1 kills its process so many times, after its work is done."""
    store: list[Mortal] = []
    left = [deaths]

    def die(ctx: RunContext[None], n: int) -> object:
        if n == 1 and left[0]:
            left[0] -= 1
            store[0].die()
        return f"did {n}"

    return store, die


def mortal_worker(deaths: int, **options: object) -> Worker:
    store, die = dying(deaths)
    worker = Worker(die, **options)
    store.append(worker.store)
    return worker


async def test_a_call_whose_process_died_is_made_again_under_the_same_key() -> None:
    worker = mortal_worker(1)
    await worker.crash()
    assert await worker.end() == ["did 1", "did 2"]
    assert len({key for n, key in worker.calls if n == 1}) == 1


@pytest.mark.parametrize(("policy", "kinds"), [("retry", set[str]()), ("ask", {"started"}), ("fail", {"started"})])
async def test_only_a_policy_that_needs_it_has_the_beginning_written(policy: AfterCrash, kinds: set[str]) -> None:
    worker = mortal_worker(1, after_crash=policy)
    await worker.crash()
    assert {row.kind for row in await worker.store.calls("r")} - {JournalKind.DONE} == kinds


async def test_a_person_is_asked_about_a_call_of_unknown_outcome() -> None:
    worker = mortal_worker(1, after_crash="ask")
    await worker.crash()
    request = (await worker.resumed())[0]
    assert (request.reason, request.call, request.key) == ("unknown outcome", call("work", "c1", n=1), "/2/0")
    assert (await worker.store.load("r")).status is Status.WAITING
    await worker.resumed()
    assert [n for n, _ in worker.calls].count(1) == 1


@pytest.mark.parametrize(
    ("answer", "content", "times"),
    [("it was done", "it was done", 1), (ToolDenied("leave it"), "leave it", 1), (ToolApproved(), "did 1", 2)],
)
async def test_the_answer_says_what_becomes_of_it(answer: object, content: str, times: int) -> None:
    worker = mortal_worker(1, after_crash="ask")
    await worker.crash()
    asked = [request.call.tool_call_id or "" for request in await worker.resumed()]
    said = await worker.end(**{"c1": answer, **{each: ToolApproved() for each in asked if each != "c1"}})
    assert said == [content, "did 2"]
    assert [n for n, _ in worker.calls].count(1) == times


async def test_a_call_can_fail_its_run_after_a_crash() -> None:
    worker = mortal_worker(1, after_crash="fail")
    await worker.crash()
    with pytest.raises(GraphRuntimeError, match=r"call '[01]'"):
        await worker.agent.run(resume="r")
    assert (await worker.store.load("r")).status is Status.FAILED


async def test_what_was_approved_is_known_after_a_crash() -> None:
    worker = mortal_worker(1, after_crash="ask", requires_approval=True)
    await worker.begin()
    await worker.crash(c1=ToolApproved(args={"n": 1}), c2=ToolDenied("no"))
    (request,) = await worker.resumed()
    assert (request.reason, request.call.args, request.key) == ("unknown outcome", {"n": 1}, "/2/0#2")
    assert await worker.end(c1=ToolApproved()) == ["did 1", "no"]
    assert worker.made == [1, 1]


async def test_a_tool_that_asks_for_approval_did_not_crash() -> None:
    def ask(ctx: RunContext[None], n: int) -> object:
        if not ctx.tool_call_approved:
            raise ApprovalRequired
        return n

    worker = Worker(ask, after_crash="ask")
    assert [request.reason for request in await worker.begin()] == ["approval", "approval"]
    assert await worker.end(c1=ToolApproved(), c2=ToolApproved()) == [1, 2]


async def test_a_tool_that_raised_did_not_crash() -> None:
    broken = True

    def fail(ctx: RunContext[None], n: int) -> object:
        if broken and n == 1:
            raise KeyError(n)
        return n

    worker = Worker(fail, after_crash="fail")
    worker.agent = Agent(says(call("work", "c1", n=1), "done"), tools=[worker.tool], store=worker.store)
    with pytest.raises(KeyError):
        await worker.agent.run("go", run_id="r")
    broken = False
    assert await worker.end() == [1]
