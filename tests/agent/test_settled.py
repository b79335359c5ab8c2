"""What a run was started with holds when it is resumed; what cannot be kept is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentgraph import (
    Agent,
    MemoryStore,
    RunBusy,
    RunExists,
    RunNotResumable,
    Usage,
    UsageLimits,
    UserError,
)
from agentgraph.graph import Status
from agentgraph.messages import ModelResponse
from agentgraph.model import ModelRequestParameters
from agentgraph.models.test import TestModel
from agentgraph.settings import ModelSettings
from tests.agent.doors import DOORS, outcome
from tests.agent.scripted import Asked, call, says

pytestmark = pytest.mark.anyio


async def left(agent: Agent[Any, Any], **options: Any) -> None:
    """Begin run `r` and leave it before its first request."""
    async with agent.iter("Hello", run_id="r", **options) as run:
        await run.next()


@pytest.mark.parametrize("door", sorted(DOORS))
async def test_every_door_goes_on_with_a_run(door: str) -> None:
    agent: Agent[None, Any] = Agent(says("Hi"), store=MemoryStore())
    await left(agent)
    resumed = await outcome(DOORS[door], agent, None, resume="r")
    assert (resumed.result, resumed.error, resumed.usage.requests) == ("Hi", None, 1)


@pytest.mark.parametrize("door", sorted(DOORS))
async def test_every_door_returns_what_a_finished_run_ended_with(door: str) -> None:
    model = Asked()
    agent: Agent[None, Any] = Agent(model, store=MemoryStore())
    first = await agent.run("Hello", run_id="r")
    again = await outcome(DOORS[door], agent, None, resume="r")
    assert (again.result, again.usage) == (first.data, first.usage())
    assert len(model.requests) == 1


async def test_a_run_without_an_id_gets_one() -> None:
    agent = Agent(TestModel())
    one, other = await agent.run("Hello"), await agent.run("Hello")
    assert one.run_id != other.run_id


async def test_a_run_kept_by_the_store_of_the_run_is_resumed_there() -> None:
    agent, store = Agent(says("Hi")), MemoryStore()
    await left(agent, store=store)
    assert (await agent.run(resume="r", store=store)).data == "Hi"


async def test_settings_are_merged_and_hold() -> None:
    model, store = Asked(), MemoryStore()
    agent = Agent(model, model_settings={"temperature": 0.5, "seed": 1}, store=store)
    await left(agent, model_settings=ModelSettings(seed=2, max_tokens=9))
    await agent.run(resume="r")
    assert model.infos[-1].model_settings == {"temperature": 0.5, "seed": 2, "max_tokens": 9}


async def test_settings_given_anew_win_and_hold_from_then_on() -> None:
    model, store = Asked(), MemoryStore()
    agent = Agent(model, store=store)
    await left(agent, model_settings=ModelSettings(seed=2, max_tokens=9))
    async with agent.iter(resume="r", model_settings=ModelSettings(seed=3)):
        pass
    await agent.run(resume="r")
    assert model.infos[-1].model_settings == {"seed": 3, "max_tokens": 9}


async def test_what_may_be_secret_is_not_stored() -> None:
    model, store = Asked(), MemoryStore()
    agent = Agent(model, store=store)
    secret = ModelSettings(extra_headers={"x": "hush"}, extra_body={"y": "hush"}, seed=1)
    await left(agent, model_settings=secret)
    assert b"hush" not in (await store.load("r")).options
    await agent.run(resume="r")
    assert model.infos[-1].model_settings == {"seed": 1}


async def test_limits_hold() -> None:
    store = MemoryStore()
    agent = Agent(says("Hi"), store=store)
    await left(agent, usage_limits=UsageLimits(request_limit=7))
    async with agent.iter(resume="r") as run:
        assert run.ctx.deps.limits == UsageLimits(request_limit=7)
    async with agent.iter(resume="r", usage_limits=UsageLimits(request_limit=8)):
        pass
    async with agent.iter(resume="r") as run:
        assert run.ctx.deps.limits == UsageLimits(request_limit=8)


async def test_the_end_strategy_holds() -> None:
    store = MemoryStore()
    await left(Agent(says("Hi"), end_strategy="exhaustive", store=store))
    async with Agent(says("Hi"), store=store).iter(resume="r") as run:
        assert run.ctx.deps.end_strategy == "exhaustive"


async def test_a_model_given_by_name_holds() -> None:
    agent = Agent(says("own"), store=MemoryStore())
    await left(agent, model="test")
    async with agent.iter(resume="r") as run:
        assert run.ctx.deps.model.model_name == "test"
    assert (await agent.run(resume="r")).data == "success (no tool calls)"


async def test_another_model_given_by_name_holds_from_then_on() -> None:
    agent = Agent(says("own"), store=MemoryStore())
    await left(agent)
    async with agent.iter(resume="r", model="test"):
        pass
    assert (await agent.run(resume="r")).data == "success (no tool calls)"


async def test_the_agents_own_model_comes_from_the_agent() -> None:
    store = MemoryStore()
    await left(Agent(says("old"), store=store))
    assert (await Agent(says("new"), store=store).run(resume="r")).data == "new"


@pytest.mark.parametrize("name", ["openai:gpt-4o", None])
async def test_a_run_that_has_ended_needs_no_model(name: str | None) -> None:
    agent: Agent[None, str] = Agent(name, store=MemoryStore(), defer_model_check=True)
    with agent.override(model=says("Hi")):
        await agent.run("Hello", run_id="r")
    async with agent.iter(resume="r") as run:
        assert run.result is not None
        assert run.result.data == "Hi"
        model = run.ctx.deps.model
        assert (model.model_name, model.system) == (name or "none", "none")
        with pytest.raises(UserError, match="the run has ended: there is no model to ask"):
            await model.request([], None, ModelRequestParameters([], allow_text_result=True, result_tools=[]))


async def test_what_is_not_stored_is_asked_for_all_at_once() -> None:
    agent: Agent[str, Any] = Agent(says("Hi"), deps_type=str, store=MemoryStore())
    await left(agent, deps="d", model=says(call("final_result", response=1)), result_type=int)
    with pytest.raises(RunNotResumable) as caught:
        await agent.run(resume="r")
    deps, model, result_type = caught.value.problems
    assert "give `deps=`" in deps
    assert "a FunctionModel object: give `model=`" in model
    assert "result type <class 'int'>: give `result_type=`" in result_type
    given = says(call("final_result", response=1))
    assert (await agent.run(resume="r", deps="e", model=given, result_type=int)).data == 1


async def test_a_refused_resume_leaves_the_run_as_it_was() -> None:
    store = MemoryStore()
    agent: Agent[str, str] = Agent(says("Hi"), deps_type=str, store=store)
    await left(agent, deps="d")
    before = await store.load("r")
    with pytest.raises(RunNotResumable):
        await agent.run(resume="r")
    assert await store.load("r") == before


async def test_given_usage_is_filled_with_what_the_run_has_used() -> None:
    store = MemoryStore()
    agent = Agent(says(call("look"), "Hi"), store=store)
    agent.tool_plain(name="look")(lambda: "seen")
    async with agent.iter("Hello", run_id="r", usage=Usage(requests=3, details={"a": 1})) as run:
        for _ in range(3):
            await run.next()
    usage = Usage()
    result = await agent.run(resume="r", usage=usage)
    assert result.usage() is usage
    assert (usage.requests, usage.details) == (5, {"a": 1})


async def test_new_messages_are_those_of_the_whole_run() -> None:
    agent = Agent(says("", "Hi", "there"), store=MemoryStore())
    history = (await agent.run("Before", model=says("Hm"))).all_messages()
    async with agent.iter("Hello", run_id="r", message_history=history) as run:
        await run.next()
    result = await agent.run(resume="r")
    assert [message.kind for message in result.new_messages()] == ["request", "response"]
    assert len(result.all_messages()) == 4


async def test_dynamic_prompts_are_not_asked_again_by_a_resume() -> None:
    agent, asked = Agent(says("Hi"), store=MemoryStore()), list[int]()

    @agent.system_prompt(dynamic=True)
    def count() -> str:
        asked.append(1)
        return f"Prompt {len(asked)}."

    await left(agent)
    result = await agent.run(resume="r")
    assert result.all_messages()[0].parts[0].content == "Prompt 1."  # type: ignore[union-attr]  # a system prompt


async def test_an_id_names_one_run() -> None:
    agent = Agent(says("Hi"), store=MemoryStore())
    await agent.run("Hello", run_id="r")
    with pytest.raises(RunExists, match="'r' already; go on with `resume='r'`"):
        await agent.run("Hello", run_id="r")


async def test_a_run_that_is_executed_is_busy() -> None:
    agent = Agent(says("Hi"), store=MemoryStore())
    async with agent.iter("Hello", run_id="r"):
        with pytest.raises(RunBusy):
            await agent.run(resume="r")


async def test_a_failed_run_can_be_resumed() -> None:
    store, broken = MemoryStore(), [True]
    agent = Agent(says(call("look"), "Hi"), store=store)

    @agent.tool_plain
    def look() -> str:
        if broken:
            raise KeyError(broken.pop())
        return "seen"

    with pytest.raises(KeyError):
        await agent.run("Hello", run_id="r")
    assert (await store.load("r")).status is Status.FAILED
    assert (await agent.run(resume="r")).data == "Hi"
    assert (await store.load("r")).status is Status.SUCCEEDED


async def test_the_run_row_tells_what_was_used() -> None:
    store = MemoryStore()
    usage = (await Agent(says("Hi there"), store=store).run("Hello", run_id="r")).usage()
    record = await store.load("r")
    assert json.loads(record.usage) == {
        "requests": 1,
        "request_tokens": usage.request_tokens,
        "response_tokens": usage.response_tokens,
        "total_tokens": usage.total_tokens,
    }


async def test_a_model_without_a_name_for_its_replies_is_stored_as_it_answered() -> None:
    agent = Agent(says("Hi"), store=MemoryStore())
    first = await agent.run("Hello", run_id="r")
    again = await agent.run(resume="r")
    assert again.all_messages() == first.all_messages()
    assert isinstance(again.all_messages()[1], ModelResponse)
