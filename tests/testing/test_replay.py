"""An exported run is taken again with the agent of today, against what models and tools said then."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from agentgraph import (
    Agent,
    HandleResponseNode,
    MemoryStore,
    ModelRetry,
    RunContext,
    RunWaiting,
    UnexpectedModelBehavior,
    UsageLimits,
)
from agentgraph.exceptions import RunNotFound, RunNotResumable, UserError
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, RunFilter, Status
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.model import Model
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.stores import export_run
from agentgraph.testing import Replay, ReplayDiffers, replay, replay_sync
from tests.agent.scripted import answers, call, says
from tests.agent.scripts import Effects, Script, agent_for, limits, scripts

pytestmark = pytest.mark.anyio


def desk(model: Model | None = None, prompt: str = "Be kind.", tool: str = "charge", **options: Any) -> Agent[Any, Any]:
    """An agent with one tool; without a model it is one for replaying, whose tool is not to be called."""
    agent: Agent[Any, Any] = Agent(model, name="desk", system_prompt=prompt, **options)

    @agent.tool_plain(name=tool)
    def charge(euros: int) -> str:
        raised = {13: ValueError("the bank is closed"), 7: ModelRetry("not seven")}.get(euros)
        if raised is not None:
            raise raised
        if model is None:
            raise AssertionError("a tool was called")
        return f"charged {euros}"

    return agent


async def recorded(agent: Agent[Any, Any], **options: Any) -> bytes:
    """The file of a run, whatever becomes of it."""
    store = MemoryStore()
    with suppress(ValueError, UnexpectedModelBehavior, ConnectionError):
        await agent.run("Book a room", run_id="r", store=store, **options)
    return await export_run(store, "r")


async def difference(file: bytes, agent: Agent[Any, Any], **options: Any) -> ReplayDiffers:
    with pytest.raises(ReplayDiffers) as caught:
        await replay(file, agent, **options)
    assert caught.value.run_id == "r"
    return caught.value


PAYS = says(call("charge", "a", euros=5), "done")


async def test_the_same_agent_does_the_same_and_calls_nothing() -> None:
    file = await recorded(desk(says(call("charge", "a", euros=7), call("charge", "b", euros=5), "done")))
    again = await replay(file, desk())
    assert (again.recorded.run_id, again.recorded.status, again.first_step) == ("r", Status.SUCCEEDED, 0)
    assert again.result is not None
    assert (again.result.data, again.result.usage().requests) == ("done", 3)
    assert [part.content for part in answers(again.result.all_messages())] == ["not seven", "charged 5"]


async def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(await recorded(desk(PAYS)))
    assert (await replay(tmp_path / "r.json", desk())).result is not None
    again: Replay[Any] = replay_sync(str(tmp_path / "r.json"), desk())
    assert again.result is not None
    with pytest.raises(FileNotFoundError):
        await replay(tmp_path / "nothing.json", desk())


async def test_another_prompt_is_told_with_its_step_and_part() -> None:
    file = await recorded(desk(PAYS))
    found = await difference(file, desk(prompt="Be quick."))
    assert (found.step, found.recorded, found.today) == (
        1,
        {"content": "Be kind.", "dynamic_ref": None, "part_kind": "system-prompt"},
        {"content": "Be quick.", "dynamic_ref": None, "part_kind": "system-prompt"},
    )
    assert str(found).startswith(
        "run 'r', step 1: the messages of the agent of today are other ones, message 0, part 0\n"
    )
    assert (await replay(file, desk(prompt="Be quick."), system_prompts=False)).result is not None


async def test_a_tool_that_is_gone_is_told_with_the_request_that_says_so() -> None:
    found = await difference(await recorded(desk(PAYS)), desk(tool="pay"))
    assert (found.step, found.recorded["content"]) == (3, "charged 5")
    assert "There is no tool named 'charge'" in found.today["content"]


async def test_arguments_that_do_not_fit_any_more_are_told() -> None:
    agent: Agent[None, str] = Agent(name="desk", system_prompt="Be kind.")

    @agent.tool_plain
    def charge(cents: int) -> str:
        raise AssertionError

    found = await difference(await recorded(desk(PAYS)), agent)
    assert (found.step, found.today["part_kind"]) == (3, "retry-prompt")


async def test_arguments_that_fit_only_today_have_no_return() -> None:
    file = await recorded(desk(says(call("charge", "a", euros="many"), "done")))
    assert (await replay(file, desk())).result is not None
    agent: Agent[None, str] = Agent(name="desk", system_prompt="Be kind.")

    @agent.tool_plain
    def charge(euros: str) -> str:
        raise AssertionError

    found = await difference(file, agent)
    assert (found.step, found.today) == (2, {"euros": "many"})
    assert "fit today" in str(found)


def picky(model: Model | None, refused: str) -> Agent[Any, Any]:
    agent = desk(model, result_retries=3)

    @agent.result_validator
    def check(data: str) -> str:
        if data == refused:
            raise ModelRetry("Say it otherwise.")
        return data.upper()

    return agent


async def test_an_agent_that_has_its_result_earlier_is_told() -> None:
    found = await difference(await recorded(picky(says("no", "yes"), "no")), picky(None, "other"))
    assert (found.step, found.today) == (3, ["NO"])
    assert "the recorded run asked on" in str(found)


async def test_an_agent_that_asks_on_is_told() -> None:
    found = await difference(await recorded(picky(says("no", "yes"), "other")), picky(None, "no"))
    assert found.step == 3
    assert "the recorded run had its result" in str(found)


async def test_another_result_is_told() -> None:
    found = await difference(await recorded(desk(says("yes"))), picky(None, "no"))
    assert (found.step, found.recorded, found.today) == (2, ["yes"], ["YES"])


async def test_calls_beside_a_result_are_replayed_too() -> None:
    both = [call("charge", "a", euros=5), call("final_result", "b", response=1)]
    file = await recorded(desk(says(both), result_type=int, end_strategy="exhaustive"))
    again = await replay(file, desk(result_type=int))  # the recorded run's strategy holds
    assert again.result is not None
    assert [part.content for part in answers(again.result.all_messages())][-1] == "charged 5"


async def test_a_run_that_failed_in_a_tool_is_replayed_up_to_there() -> None:
    twice = [call("charge", "a", euros=5), call("charge", "b", euros=13)]
    again = await replay(await recorded(desk(says(twice))), desk())
    assert (again.recorded.status, again.recorded.error) == (Status.FAILED, "ValueError: the bank is closed")
    assert again.result is None


async def test_an_error_of_the_agent_itself_comes_again_and_can_be_mended() -> None:
    file = await recorded(picky(says(*["no"] * 9), "no"))
    with pytest.raises(UnexpectedModelBehavior) as caught:
        await replay(file, picky(None, "no"))
    assert caught.value.run_id == "r (replay)"
    mended = desk(result_retries=9)

    @mended.result_validator
    def check(ctx: RunContext[Any], data: str) -> str:
        if ctx.retry < 3:
            raise ModelRetry("Say it otherwise.")
        return data

    again = await replay(file, mended)
    assert (again.recorded.status, again.result is not None) == (Status.FAILED, True)


async def test_a_request_that_was_never_answered_is_compared_too() -> None:
    def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            raise ConnectionError("no network")
        return ModelResponse([call("charge", "a", euros=5)])

    file = await recorded(desk(FunctionModel(reply)))
    again = await replay(file, desk())
    assert (again.recorded.seq, again.result) == (3, None)
    assert (await difference(file, desk(tool="pay"))).step == 3


def guarded(model: Model | None) -> Agent[Any, Any]:
    agent: Agent[Any, Any] = Agent(model, name="guarded")

    @agent.tool_plain(requires_approval=True)
    def refund(euros: int) -> str:
        return "refunded"

    return agent


async def test_a_run_that_waits_is_replayed_up_to_there_and_with_its_answer_to_its_end() -> None:
    store, agent = MemoryStore(), guarded(says(call("refund", "a", euros=5), "done"))
    with pytest.raises(RunWaiting):
        await agent.run("Refund it", run_id="r", store=store)
    waiting = await replay(await export_run(store, "r"), guarded(None))
    assert (waiting.recorded.status, waiting.result) == (Status.WAITING, None)
    await agent.run(resume="r", answers={"a": "by hand"}, store=store)
    ended = await replay(await export_run(store, "r"), guarded(None))
    assert ended.result is not None
    assert [part.content for part in answers(ended.result.all_messages())] == ["by hand"]


async def test_a_run_is_taken_again_from_where_somebody_stopped_its_reply() -> None:
    store, agent = MemoryStore(), desk(says("one two three", "the end"))
    async with (
        agent.run_stream("Count", run_id="r", store=store) as response,
        aclosing(response.stream_text(delta=True, debounce_by=None)) as words,
    ):
        await anext(words)
        await response.cancel()
    result = await agent.run(resume="r", store=store)
    again = await replay(await export_run(store, "r"), desk())
    assert again.first_step == 2
    assert again.result is not None
    assert again.result.data == result.data == "the end"


async def test_a_run_is_taken_again_from_where_somebody_replaced_its_node() -> None:
    store, agent = MemoryStore(), desk(PAYS)
    async with agent.iter("Book", run_id="r", store=store) as run:
        await run.next()
        await run.next()
        await run.next(HandleResponseNode[Any, Any](ModelResponse([call("charge", "z", euros=6)])))
        async for _ in run:
            pass
    again = await replay(await export_run(store, "r"), desk())
    assert again.first_step == 3
    assert again.result is not None
    assert [part.content for part in answers(again.result.all_messages())] == ["charged 6"]


async def test_a_turn_of_a_conversation_begins_with_the_turns_before() -> None:
    store, agent = MemoryStore(), desk(says(call("charge", "a", euros=5), "one", "two"))
    for run_id in ("first", "r"):
        await agent.run("Go on", run_id=run_id, conversation="c", store=store)
    file = await export_run(store, "r")
    again = await replay(file, desk())
    assert again.result is not None
    assert (again.result.data, len(again.result.all_messages())) == ("two", 6)
    assert (await replay(file, desk(), run_id="first")).result is not None
    with pytest.raises(RunNotFound):
        await replay(file, desk(), run_id="other")


async def test_a_fork_is_taken_again_from_its_first_beginning() -> None:
    store, agent = MemoryStore(), desk(PAYS)
    await agent.run("Book", run_id="origin", store=store)
    await agent.fork("origin", step=2, new_id="r", store=store)
    await agent.run(resume="r", store=store)
    again = await replay(await export_run(store, "r"), desk())
    assert (again.first_step, again.result is not None) == (0, True)


async def test_agents_in_tools_are_not_run_and_their_usage_is_counted() -> None:
    def office(model: Model | None, clerk: Agent[None, str]) -> Agent[None, str]:
        boss: Agent[None, str] = Agent(model, name="boss")

        @boss.tool
        async def order(ctx: RunContext[None]) -> str:
            return (await clerk.run("pay", parent=ctx)).data

        return boss

    store = MemoryStore()
    orders = [call("order", "a"), call("order", "b")]
    boss = office(says(orders, "done"), Agent(says("paid"), name="clerk"))
    result = await boss.run("go", run_id="r", store=store)
    file = await export_run(store, "r")
    again = await replay(file, office(None, Agent(name="clerk")))
    assert again.result is not None
    assert again.result.usage() == result.usage()
    assert again.result.usage().requests == 4
    child = (await store.list(RunFilter(parent="r")))[0].run_id
    below: Replay[str] = await replay(file, Agent(name="clerk"), run_id=child)
    assert below.result is not None
    assert below.result.data == "paid"


async def test_tools_of_agents_that_the_agent_runs_beside_are_called() -> None:
    inner = Agent(says(call("look", "a"), "fine"), name="inner")
    looked, asked = list[str](), list[tuple[str, str]]()

    @inner.tool_plain
    def look() -> str:
        looked.append("here")
        return "seen"

    def outer(model: Model | None) -> Agent[Any, Any]:
        agent = desk(model)

        @agent.result_validator
        async def check(ctx: RunContext[Any], data: str) -> str:
            asked.append((ctx.model.system, ctx.model.model_name))
            return f"{data}, {(await inner.run('look', usage=ctx.usage)).data}"

        return agent

    file = await recorded(outer(PAYS))
    assert (await replay(file, outer(None))).result is not None
    assert len(looked) == 2
    assert asked[1] == ("replay", "replay")


class Cheap(FunctionModel):
    def price_problem(self) -> str | None:
        return None


async def test_what_replies_cost_is_in_the_file() -> None:
    bound = UsageLimits(cost_limit=Decimal(5))
    file = await recorded(desk(Cheap(lambda _, __: ModelResponse([TextPart("yes")]))), usage_limits=bound)
    assert (await replay(file, desk())).result is not None


async def test_what_is_not_in_the_file_is_asked_for() -> None:
    agent: Agent[Any, Any] = Agent(says(call("final_result", response=4)), name="desk")
    file = await recorded(agent, deps="the till", result_type=int)
    today: Agent[Any, Any] = Agent(name="desk")
    with pytest.raises(RunNotResumable, match=r"give `deps=`.*give `result_type=`"):
        await replay(file, today)
    again = await replay(file, today, deps="another", result_type=int)
    assert again.result is not None
    assert again.result.data == 4


async def test_a_result_that_was_not_stored_is_not_compared() -> None:
    agent: Agent[Any, Any] = Agent(says("x"), name="desk")

    @agent.result_validator
    def check(data: str) -> object:
        return object()

    assert (await replay(await recorded(agent), agent)).result is not None


@dataclass
class Leave(BaseNode[None, None, int]):
    async def run(self, ctx: GraphRunContext[None, None]) -> End[int]:
        return End(1)


async def test_what_is_no_run_of_an_agent_is_refused() -> None:
    with pytest.raises(UserError, match="no exported run"):
        await replay(b"{}", desk())
    store = MemoryStore()
    await Graph(nodes=[Leave], name="leaving").run(Leave(), store=store, run_id="r")
    with pytest.raises(RunNotResumable, match="a run of graph 'leaving', not of an agent"):
        await replay(await export_run(store, "r"), desk())


async def test_long_values_are_cut_in_the_message_and_whole_in_the_attributes() -> None:
    found = await difference(await recorded(desk(PAYS, "x" * 2000)), desk(prompt="y"))
    assert len(found.recorded["content"]) == 2000
    assert len(str(found)) < 1500


async def test_a_message_that_is_missing_is_told() -> None:
    def agent(model: Model | None, *, thoughtful: bool) -> Agent[Any, Any]:
        made = desk(model)
        if thoughtful:

            @made.system_prompt
            def think() -> str:
                return "Think first."

        return made

    found = await difference(await recorded(agent(PAYS, thoughtful=False)), agent(None, thoughtful=True))
    assert (found.step, found.recorded["content"], found.today["content"]) == (1, "Book a room", "Think first.")


async def ending(run: Awaitable[Any]) -> Any:
    try:
        return await run
    except Exception as error:  # noqa: BLE001 - it has to come again
        return error


@given(script=scripts)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_run_is_replayed(script: Script) -> None:
    store, effects = MemoryStore(), Effects()
    today = agent_for(script, effects)
    today.model = None
    ended = await ending(agent_for(script).run("Begin", run_id="r", store=store, usage_limits=limits(script)))
    again = await ending(replay(await export_run(store, "r"), today))
    if isinstance(ended, ValueError):  # a tool is broken
        assert again.result is None
    elif isinstance(ended, Exception):
        assert (type(again), str(again)) == (type(ended), str(ended))
    else:
        assert (again.result.data, again.result.usage()) == (ended.data, ended.usage())
    assert not effects.done
