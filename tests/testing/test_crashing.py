"""A scenario is killed at each of its commit points: what the report says of it, and what it cannot be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from anyio.lowlevel import checkpoint
from hypothesis import HealthCheck, given, settings

from agentgraph import Agent, ApprovalRequired, MemoryStore, RunContext, RunWaiting, ToolApproved, UserError
from agentgraph.graph import AfterCrash, Status, Store
from agentgraph.models.test import TestModel
from agentgraph.testing import (
    Attempt,
    CrashReport,
    OpenStore,
    Repeated,
    crash_points,
    crash_points_sync,
    in_memory,
    sqlite_in,
)
from agentgraph.testing.mortal import Death
from tests.agent.scripted import call, says
from tests.agent.scripts import Script, agent_for, limits, scripts

from .desk import World, booking, desk, running

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    return in_memory() if request.param == "memory" else sqlite_in(tmp_path)


async def test_an_agent_is_the_same_after_every_crash(store: OpenStore) -> None:
    report = await crash_points(booking(), store=store)
    assert (report.survived, report.repeatable, len(report.crashes)) == (True, True, 14)
    assert all(crash.same and not crash.stopped and crash.raised is None for crash in report.crashes)
    assert report.unkilled.result == '{"charge":"charged","confirm":"sent"}'
    assert (report.unkilled.status, report.unkilled.usage.requests) == (Status.SUCCEEDED, 2)


async def test_every_write_is_a_commit_point_twice() -> None:
    report = await crash_points(running(Agent("test")))
    run = "of the run"
    assert [str(crash.point) for crash in report.crashes if crash.point.when == "before"] == [
        f"before write 1, the creation {run}",
        f"before write 2, the commit of step 0 (UserPromptNode) {run}",
        f"before write 3, the commit of step 1 (ModelRequestNode) {run}",
        f"before write 4, the commit of step 2 (HandleResponseNode) {run}",
    ]
    assert [crash.point.when for crash in report.crashes] == ["before", "after"] * 4


async def test_a_call_that_was_cut_off_is_made_again_under_its_key() -> None:
    agent = Agent(says(call("charge", booking=1), "done"), name="one")
    agent.tool_plain(charge)
    report = await crash_points(running(agent))
    again = [crash for crash in report.crashes if crash.repeated]
    assert [str(crash.point) for crash in again] == [
        "before write 4, the commit of step 2 (HandleResponseNode) of the run"
    ]
    assert again[0].repeated == (Repeated("charge", '{"booking":1}', "crash-test/2/0", 2),)


async def charge(booking: int) -> str:
    return "charged"


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts)
async def test_agents_of_any_script_are_the_same_after_every_crash(script: Script) -> None:
    agent = agent_for(script)

    async def scenario(attempt: Attempt) -> None:
        await agent.run(attempt.prompt("go"), usage_limits=limits(script), **attempt.options)

    (await crash_points(scenario)).check()


async def test_a_streamed_run_is_crashed_too(store: OpenStore) -> None:
    agent = desk(World())

    async def scenario(attempt: Attempt) -> None:
        async with agent.run_stream(attempt.prompt("Book it"), **attempt.options) as response:
            async for _ in response.stream():
                pass

    assert (await crash_points(scenario, store=store)).survived


def test_sync_code_has_its_own_door() -> None:
    assert crash_points_sync(booking()).survived


async def test_agents_that_are_run_by_sync_tools_die_with_the_process() -> None:
    agent, adviser = desk(World()), Agent("test", name="adviser")

    @agent.tool
    def consult(ctx: RunContext[None]) -> str:
        return adviser.run_sync("Is it ours?", parent=ctx).data

    assert (await crash_points(running(agent))).survived


async def test_a_tool_whose_return_changes_with_each_call_is_found() -> None:
    world = World()
    agent = Agent(says(call("count"), "done"), name="counting")

    @agent.tool_plain
    async def count() -> int:
        world.done["count"] += 1
        return world.done["count"]

    report = await crash_points(running(agent, world))
    assert (report.survived, report.repeatable) == (False, True)
    assert report.repeated == {"count"}
    (crash,) = [crash for crash in report.crashes if not crash.same]
    assert (crash.same_history, crash.same_usage, crash.same_result) == (False, True, True)
    with pytest.raises(AssertionError, match=r"DIFFERS before write 4.*: history"):
        report.check()


async def test_a_scenario_that_is_never_the_same_is_told_so() -> None:
    world = World()
    agent = Agent("test", name="random")

    @agent.tool_plain
    async def dice() -> int:
        world.done["dice"] += 1
        return world.done["dice"]

    report = await crash_points(running(agent))
    assert not report.repeatable
    assert "two runs that nobody killed differ as well" in report.summary()


@pytest.mark.parametrize(("after_crash", "status"), [("ask", Status.WAITING), ("fail", Status.FAILED)])
async def test_a_run_that_stops_at_an_unknown_outcome_survives(after_crash: AfterCrash, status: Status) -> None:
    report = await crash_points(running(desk(World(), after_crash)))
    stopped = [crash for crash in report.crashes if crash.stopped]
    assert (report.survived, "charge" in report.repeated) == (True, False)
    assert {crash.ending.status for crash in stopped} == {status}
    assert f"{len(stopped)} times the run stopped at a call of unknown outcome" in report.summary()
    report.check(may_repeat={"confirm"})


async def test_a_tool_that_may_not_be_called_again_is_named() -> None:
    report = await crash_points(booking())
    report.check(may_repeat=["charge", "confirm"])
    with pytest.raises(AssertionError, match=r"not to be called again: charge$"):
        report.check(may_repeat={"confirm"})


@pytest.mark.parametrize("child", [True, False])
async def test_calls_of_agents_in_tools_are_followed(*, child: bool) -> None:
    adviser = Agent(says(call("look_up"), "it is"), name="adviser", store=MemoryStore())
    adviser.tool_plain(look_up)
    agent = Agent(says(call("consult"), "done"), name="asking")

    @agent.tool
    async def consult(ctx: RunContext[None]) -> str:
        if child:
            return (await adviser.run("Is it ours?", parent=ctx)).data
        return (await adviser.run("Is it ours?")).data

    report = await crash_points(running(agent))
    keys = {each.idempotency_key for crash in report.crashes for each in crash.repeated if each.tool == "look_up"}
    assert report.survived
    assert keys == ({"crash-test/:2/0.0/2/0"} if child else {None})
    assert child or "look_up({}), another idempotency key each time" in report.summary()


async def look_up() -> str:
    await checkpoint()
    return "ours"


async def test_a_scenario_may_answer_what_its_run_waits_for(store: OpenStore) -> None:
    agent = Agent(says(call("refund", "c"), "done"), name="asking")

    @agent.tool
    async def refund(ctx: RunContext[None]) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired
        return "refunded"

    async def scenario(attempt: Attempt) -> None:
        try:
            await agent.run(attempt.prompt("Refund it"), **attempt.options)
        except RunWaiting:
            await agent.run(resume=attempt.run_id, store=attempt.store, answers={"c": ToolApproved()})

    report = await crash_points(scenario, store=store)
    assert report.survived, report.summary()
    assert any("the answer to question" in crash.point.write for crash in report.crashes)


async def test_a_cancellation_is_a_commit_point() -> None:
    agent, stores = Agent("test", name="ending"), list[Store]()

    @agent.tool
    async def leave(ctx: RunContext[None]) -> None:
        await agent.cancel(ctx.run_id, store=stores[-1])

    async def scenario(attempt: Attempt) -> None:
        stores.append(attempt.store)
        await agent.run(attempt.prompt("Leave"), **attempt.options)

    report = await crash_points(scenario)
    assert report.unkilled.status is Status.CANCELLED
    assert "the cancellation of the run" in {crash.point.write for crash in report.crashes}


async def test_a_run_that_waits_or_fails_unkilled_is_compared_as_it_is() -> None:
    agent = Agent(says(call("refund"), "done"), name="asking")
    agent.tool_plain(requires_approval=True)(refund)
    waiting = await crash_points(running(agent))
    assert (waiting.survived, waiting.unkilled.status) == (True, Status.WAITING)

    def fails(agent: Agent[None, Any]) -> None:
        agent.tool_plain(fail)

    failing = await crash_points(booking(fails))
    assert (failing.unkilled.status, failing.unkilled.error) == (Status.FAILED, "OSError: the till is stuck")
    assert failing.survived
    assert {crash.raised for crash in failing.crashes} == {"OSError: the till is stuck"}


async def refund() -> str:
    return "refunded"


async def fail() -> str:
    raise OSError("the till is stuck")


async def test_an_error_of_the_resume_alone_is_reported() -> None:
    agent = Agent("test", deps_type=object, name="desk")

    async def scenario(attempt: Attempt) -> None:
        await agent.run(attempt.prompt("Book it"), deps=None if attempt.resumes else object(), **attempt.options)

    report = await crash_points(scenario)
    assert not report.survived
    assert "the run is running, and not the same: history, usage, result; it raised RunNotResumable" in report.summary()


async def test_nobody_survives_by_ignoring_death() -> None:
    agent = desk(World())

    async def scenario(attempt: Attempt) -> None:
        try:
            await agent.run(attempt.prompt("Book it"), **attempt.options)
        except BaseException:  # noqa: BLE001 - what nobody should do
            with pytest.raises(Death):
                await attempt.store.load(attempt.run_id)

    assert (await crash_points(scenario)).survived


async def test_an_error_of_the_scenario_itself_is_raised() -> None:
    async def stumbles(attempt: Attempt) -> None:
        await booking()(attempt)
        raise LookupError("no such guest")

    with pytest.raises(LookupError, match="no such guest"):
        await crash_points(stumbles)


async def test_several_errors_of_the_scenario_are_raised_as_they_are() -> None:
    async def stumbles(attempt: Attempt) -> None:
        raise ExceptionGroup("both", [LookupError(), KeyError()])

    async def interrupted(attempt: Attempt) -> None:
        raise BaseExceptionGroup("with an interrupt", [LookupError(), KeyboardInterrupt()])

    with pytest.raises(ExceptionGroup, match="both"):
        await crash_points(stumbles)
    with pytest.raises(BaseExceptionGroup, match="with an interrupt"):
        await crash_points(interrupted)


async def test_a_scenario_has_to_run_where_it_is_told_to() -> None:
    agent = desk(World())

    async def elsewhere(attempt: Attempt) -> None:
        await agent.run("Book it")

    with pytest.raises(UserError, match=r"hand `\*\*attempt.options` to the agent's `run`"):
        await crash_points(elsewhere)


async def test_a_place_has_to_be_empty() -> None:
    one = MemoryStore()
    with pytest.raises(UserError, match="place 1 of the stores holds a run already"):
        await crash_points(booking(), store=lambda place: one)


async def test_a_report_can_be_made_in_a_thread_of_a_running_loop() -> None:
    def crash() -> CrashReport:
        return crash_points_sync(booking())

    assert (await to_thread.run_sync(crash)).survived


async def test_a_test_model_with_a_seed_is_repeatable() -> None:
    assert (await crash_points(running(Agent(TestModel(seed=3), name="seeded")))).repeatable
