"""Runs of any kind end the same wherever their process dies: with approvals, conversations, forks, with children."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgraph import Agent, ApprovalRequired, RunContext, RunNotFound, RunWaiting, ToolApproved
from agentgraph.graph import Store
from agentgraph.testing import Attempt, OpenStore, crash_points, in_memory, sqlite_in
from tests.agent.scripted import call, says

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    return in_memory() if request.param == "memory" else sqlite_in(tmp_path)


def refunding() -> Agent[None, str]:
    agent = Agent(says([call("refund", "c"), call("note", "n")], "done"), name="refunding")

    @agent.tool
    async def refund(ctx: RunContext[None]) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired
        return "refunded"

    @agent.tool_plain
    async def note() -> str:
        return "noted"

    return agent


async def finish(agent: Agent[None, str], store: Store, run_id: str) -> None:
    """Bring a run before the scenario's own to its end, as far as no earlier process has done so."""
    try:
        await store.load(run_id)
    except RunNotFound:
        await agent.run("Hello", run_id=run_id, conversation="c", store=store)
    else:
        await agent.run(resume=run_id, store=store)


async def test_a_run_that_waits_for_approval(store: OpenStore) -> None:
    agent = refunding()

    async def scenario(attempt: Attempt) -> None:
        try:
            await agent.run(attempt.prompt("Refund it"), **attempt.options)
        except RunWaiting:
            await agent.answer(attempt.run_id, "c", ToolApproved(), store=attempt.store)
            await agent.run(resume=attempt.run_id, store=attempt.store)

    report = await crash_points(scenario, store=store)
    report.check()
    assert any("the answer to question" in crash.point.write for crash in report.crashes)


async def test_a_turn_of_a_conversation(store: OpenStore) -> None:
    agent = Agent("test", name="talking")

    async def scenario(attempt: Attempt) -> None:
        await finish(agent, attempt.store, "before")
        await agent.run(attempt.prompt("And?"), conversation=None if attempt.resumes else "c", **attempt.options)

    report = await crash_points(scenario, store=store)
    report.check()
    assert len(report.unkilled.history) == 4


async def test_a_fork(store: OpenStore) -> None:
    agent = Agent(says(call("look_up"), "done"), name="forked")

    @agent.tool_plain
    async def look_up() -> str:
        return "ours"

    async def scenario(attempt: Attempt) -> None:
        await finish(agent, attempt.store, "origin")
        if not attempt.resumes:
            await agent.fork("origin", step=2, new_id=attempt.run_id, store=attempt.store)
        await agent.run(resume=attempt.run_id, store=attempt.store)

    (await crash_points(scenario, store=store)).check()


async def test_an_agent_in_a_tool_that_waits_for_approval(store: OpenStore) -> None:
    inner, outer = refunding(), Agent(says(call("consult"), "all done"), name="outer")

    @outer.tool
    async def consult(ctx: RunContext[None]) -> str:
        return (await inner.run("Refund it", parent=ctx)).data

    async def scenario(attempt: Attempt) -> None:
        try:
            await outer.run(attempt.prompt("Help"), **attempt.options)
        except RunWaiting:
            await outer.run(resume=attempt.run_id, answers={"c": ToolApproved()}, store=attempt.store)

    report = await crash_points(scenario, store=store)
    report.check()
    assert report.unkilled.usage.requests == 4
