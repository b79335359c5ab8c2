"""Forks of agents' runs: from any step, with other words, beside the run that they come from."""

from __future__ import annotations

import pytest

from agentgraph import (
    Agent,
    HandleResponseNode,
    MemoryStore,
    ModelRequestNode,
    RunExists,
    RunNotFound,
    RunWaiting,
    ToolApproved,
    ToolDenied,
    ToolRequest,
)
from agentgraph.exceptions import UserError
from agentgraph.graph import RunFilter, Status
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from tests.agent.doors import plain
from tests.agent.scripted import Asked, answers, call, says

pytestmark = pytest.mark.anyio


def guide(store: MemoryStore, made: list[str] | None = None) -> Agent[None, str]:
    agent = Agent(says([call("look", "c1", at="door"), call("go", "c2")], "You are out."), name="guide", store=store)

    @agent.tool_plain
    async def look(at: str) -> str:
        if made is not None:
            made.append(at)
        return f"a {at}"

    @agent.tool_plain(requires_approval=made is not None)
    async def go() -> str:
        return "you go"

    return agent


@pytest.mark.parametrize("step", [*range(5), None])
async def test_a_fork_at_any_step_ends_like_the_run(step: int | None) -> None:
    store = MemoryStore()
    agent = guide(store)
    whole = await agent.run("Get out", run_id="r")
    fork = await agent.fork("r", step=step)
    assert (await store.load(fork)).status is (Status.SUCCEEDED if step is None else Status.PENDING)
    result = await agent.run(resume=fork)
    assert (result.data, result.usage()) == (whole.data, whole.usage())
    assert plain(result.all_messages()) == plain(whole.all_messages())
    assert plain(result.new_messages()) == plain(whole.new_messages())
    fork_of_fork = await agent.fork(fork, step=step, new_id="again")
    assert fork_of_fork == "again"
    assert plain((await agent.run(resume="again")).all_messages()) == plain(whole.all_messages())


async def test_a_fork_asks_the_model_only_for_what_comes_after_it() -> None:
    model = Asked()
    agent = Agent(model, store=MemoryStore())
    await agent.run("Hello", run_id="r")
    await agent.run(resume=await agent.fork("r", step=2))
    assert len(model.requests) == 1
    await agent.run(resume=await agent.fork("r", step=1))
    assert len(model.requests) == 2


async def test_history_is_edited_by_running_another_node() -> None:
    def repeat(messages: list[ModelMessage]) -> str:
        last = messages[-1].parts[-1]
        return f"you said {last.content}" if isinstance(last, UserPromptPart) else "what?"

    model = Asked(repeat)
    agent = Agent(model, store=MemoryStore())
    await agent.run("Hello", run_id="r")
    fork = await agent.fork("r", step=1)
    async with agent.iter(resume=fork) as run:
        await run.next(ModelRequestNode(ModelRequest([UserPromptPart("Good bye")])))
    assert (await agent.run(resume=fork)).data == "you said Good bye"
    assert (await agent.run(resume="r")).data == "you said Hello"


async def test_a_reply_is_edited_by_handling_another_one() -> None:
    agent = Agent(says("yes"), store=MemoryStore())
    await agent.run("Well?", run_id="r")
    fork = await agent.fork("r", step=2)
    async with agent.iter(resume=fork) as run:
        run.ctx.state.message_history[-1] = other = ModelResponse([TextPart("no")])
        await run.next(HandleResponseNode(other))
        assert run.result is not None
    again = await agent.run(resume=fork)
    assert (again.data, again.all_messages()[-1]) == ("no", other)
    assert (await agent.run(resume="r")).data == "yes"


async def test_the_fork_of_a_waiting_run_asks_for_itself() -> None:
    store, made = MemoryStore(), list[str]()
    agent = guide(store, made)
    with pytest.raises(RunWaiting):
        await agent.run("Get out", run_id="r")
    await agent.answer("r", "c2", ToolDenied("stay"))
    fork = await agent.fork("r")
    assert (await store.load(fork)).status is Status.PENDING
    with pytest.raises(RunWaiting) as caught:
        await agent.run(resume=fork)
    asked = [request for request in caught.value.requests if isinstance(request, ToolRequest)]
    assert [(request.run_id, request.key) for request in asked] == [(fork, "/2/1")]
    result = await agent.run(resume=fork, answers={"c2": ToolApproved()})
    assert [part.content for part in answers(result.all_messages())] == ["a door", "you go"]
    result = await agent.run(resume="r")
    assert [part.content for part in answers(result.all_messages())] == ["a door", "stay"]
    assert made == ["door"]  # the call that had ended came along


async def test_a_fork_of_a_run_that_failed_leaves_it_as_it_is() -> None:
    store = MemoryStore()
    agent = Agent(says(call("break_it"), "mended"), store=store)
    broken = True

    @agent.tool_plain
    def break_it() -> str:
        if broken:
            raise KeyError
        return "ok"

    with pytest.raises(KeyError):
        await agent.run("go", run_id="r")
    broken = False
    assert (await agent.run(resume=await agent.fork("r"))).data == "mended"
    assert (await store.load("r")).status is Status.FAILED


async def test_a_fork_keeps_what_the_run_was_given() -> None:
    agent = Agent(store=MemoryStore(), deps_type=str, name="given")
    await agent.run("Hello", model=says("hi"), deps="d", run_id="r")
    fork = await agent.fork("r", step=1)
    with pytest.raises(RuntimeError, match=r"give `deps=`; .* give `model=`"):
        await agent.run(resume=fork)
    assert (await agent.run(resume=fork, model=says("hello"), deps="d")).data == "hello"


async def test_a_conversation_goes_on_from_a_fork_that_joins_it() -> None:
    store = MemoryStore()
    agent = Agent(Asked(), store=store)
    await agent.run("one", conversation="c", run_id="first")
    await agent.run("two", conversation="c", run_id="second")
    fork = await agent.fork("second", step=0, conversation="d")
    await agent.run(resume=fork)
    assert [run.run_id for run in await store.list(RunFilter(conversation="d"))] == [fork]
    assert len((await agent.run("three", conversation="d")).all_messages()) == 6
    assert len((await agent.run("three", conversation="c")).all_messages()) == 6


async def test_what_cannot_be_forked() -> None:
    agent = Agent(says("hi"), store=MemoryStore())
    with pytest.raises(RunNotFound):
        await agent.fork("r")
    await agent.run("Hello", run_id="r")
    with pytest.raises(RunExists):
        await agent.fork("r", new_id="r")
    with pytest.raises(UserError, match="run 'r' has no step 4 to fork at; its steps are 0 to 3"):
        await agent.fork("r", step=4)


async def test_a_fork_is_made_where_runs_are_kept_now() -> None:
    agent, elsewhere = Agent(says("hi", "hi")), MemoryStore()
    with agent.override(store=elsewhere):
        await agent.run("Hello", run_id="r")
        fork = await agent.fork("r")
    assert await agent.fork("r", store=elsewhere) != fork
    assert len(await elsewhere.list()) == 3
