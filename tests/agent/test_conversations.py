"""Conversations: each run is the next turn, goes on from the messages of the one before, and stores its own alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from agentgraph import Agent, MemoryStore, RunBusy, RunContext, RunNotResumable, RunWaiting, SQLiteStore, ToolApproved
from agentgraph.exceptions import UserError
from agentgraph.graph import RunFilter, RunRecord, Status, Store
from agentgraph.messages import ModelMessage, ModelRequest, ModelResponse, SystemPromptPart, TextPart, UserPromptPart
from agentgraph.models.function import AgentInfo, FunctionModel
from tests.agent.doors import plain
from tests.agent.scripted import Asked, call, says

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = (
        MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "runs.db", synchronous="NORMAL")
    )
    yield made
    await made.aclose()


def counting() -> Asked:
    """Says which message of the user it answers."""
    return Asked(lambda messages: f"answer {sum(isinstance(message, ModelRequest) for message in messages)}")


def said(messages: list[ModelMessage]) -> list[str]:
    texts = (SystemPromptPart, UserPromptPart, TextPart)
    return [str(part.content) for message in messages for part in message.parts if isinstance(part, texts)]


async def stored_bytes(store: Store, run_id: str) -> int:
    return sum(len(row.body) + len(row.state) + len(row.usage) for row in await store.steps(run_id))


async def test_a_turn_goes_on_from_the_messages_of_the_one_before(store: Store) -> None:
    agent = Agent(counting(), system_prompt="Be brief.", store=store)
    first = await agent.run("one", conversation="c")
    second = await agent.run("two", conversation="c")
    assert said(second.all_messages()) == ["Be brief.", "one", "answer 1", "two", "answer 2"]
    assert second.all_messages()[:2] == first.all_messages()
    assert said(second.new_messages()) == ["two", "answer 2"]
    assert second.usage().requests == 1  # of this turn
    assert first.run_id != second.run_id


async def test_a_turn_is_a_run_that_can_be_resumed_and_read(store: Store) -> None:
    agent = Agent(counting(), store=store)
    await agent.run("one", conversation="c")
    async with agent.iter("two", conversation="c", run_id="second") as run:
        await run.next()
        await run.next()
    result = await agent.run(resume="second")
    assert said(result.all_messages()) == ["one", "answer 1", "two", "answer 2"]
    assert said(result.new_messages()) == ["two", "answer 2"]
    assert plain((await agent.run(resume="second")).all_messages()) == plain(result.all_messages())


async def test_conversations_do_not_mix(store: Store) -> None:
    agent = Agent(counting(), store=store)
    for conversation in ("a", "b", "a"):
        await agent.run(f"to {conversation}", conversation=conversation)
    result = await agent.run("to b", conversation="b")
    assert said(result.all_messages()) == ["to b", "answer 1", "to b", "answer 2"]
    assert len(await store.list(RunFilter(conversation="a"))) == 2


async def test_of_a_hundred_turns_each_stores_what_it_added(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "runs.db", synchronous="NORMAL")
    agent = Agent(counting(), system_prompt="Be brief.", store=store)

    @agent.system_prompt(dynamic=True)
    def number(ctx: RunContext[None]) -> str:
        return f"{len(ctx.messages):04}"

    sizes: list[int] = []
    for turn in range(100):
        await agent.run(f"turn {turn:03}", conversation="c", run_id=f"turn {turn}")
        sizes.append(await stored_bytes(store, f"turn {turn}"))
    assert len((await agent.run(resume="turn 99")).all_messages()) == 200
    await store.aclose()
    assert max(sizes[1:]) - min(sizes[1:]) < 100  # the 100th as little as the second
    assert sum(sizes[50:]) < 1.1 * sum(sizes[:50])


async def test_dynamic_prompts_are_made_anew_at_each_turn_and_static_ones_are_not_added_again(store: Store) -> None:
    model = Asked()
    agent = Agent(model, system_prompt="Be brief.", deps_type=str, store=store)

    @agent.system_prompt(dynamic=True)
    def weather(ctx: RunContext[str]) -> str:
        return f"It is {ctx.deps}."

    for day, deps in enumerate(["sunny", "rainy", "foggy"]):
        await agent.run("How is it?", deps=deps, conversation="c", run_id=str(day))
        request = model.requests[-1][0]
        prompts = [part.content for part in request.parts if isinstance(part, SystemPromptPart)]
        assert prompts == ["Be brief.", f"It is {deps}."]
    assert len((await agent.run(resume="2")).all_messages()) == 6
    first = (await agent.run(resume="0")).all_messages()  # what a turn saw stays as it was
    assert said(first)[1] == "It is sunny."


async def test_turns_may_end_with_other_results(store: Store) -> None:
    agent = Agent(says(call("final_result", response=7), "text", call("final_result", response=9)), store=store)
    assert (await agent.run("one", result_type=int, conversation="c")).data == 7
    assert (await agent.run("two", conversation="c")).data == "text"
    assert (await agent.run("three", result_type=int, conversation="c", run_id="r")).data == 9
    assert (await agent.run(resume="r", result_type=int)).data == 9


async def test_another_agent_may_take_the_next_turn(store: Store) -> None:
    await Agent(counting(), system_prompt="Be brief.", store=store).run("one", conversation="c")
    result = await Agent(counting(), system_prompt="Be long.", store=store).run("two", conversation="c")
    assert said(result.all_messages()) == ["Be brief.", "one", "answer 1", "two", "answer 2"]


async def test_a_first_turn_may_bring_a_history_and_a_later_one_may_not(store: Store) -> None:
    agent = Agent(counting(), store=store)
    history: list[ModelMessage] = [ModelRequest([UserPromptPart("before")]), ModelResponse([TextPart("then")])]
    await agent.run("one", conversation="c", message_history=history)
    assert said((await agent.run("two", conversation="c")).all_messages())[:3] == ["before", "then", "one"]
    with pytest.raises(UserError, match="conversation 'c' has its own history: leave `message_history=` out"):
        await agent.run("three", conversation="c", message_history=history)


async def test_of_concurrent_turns_one_is_taken(store: Store) -> None:
    both, held = anyio.Event(), anyio.Event()

    async def reply(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        held.set()
        await both.wait()
        return ModelResponse([TextPart("ok")])

    agent = Agent(FunctionModel(reply), store=store)
    refused: list[str | None] = []

    async def second() -> None:
        await held.wait()
        for _ in range(3):
            with pytest.raises(RunBusy) as caught:
                await agent.run("two", conversation="c")
            refused.append(caught.value.run_id)
        both.set()

    async with anyio.create_task_group() as group:
        group.start_soon(second)
        await agent.run("one", conversation="c", run_id="first")
    assert refused == ["first"] * 3
    assert said((await agent.run("three", conversation="c")).all_messages()) == ["one", "ok", "three", "ok"]


async def test_a_turn_that_read_the_one_before_in_the_middle_is_not_taken() -> None:
    class Slow(MemoryStore):
        async def list(self, which: RunFilter | None = None) -> list[RunRecord]:
            found = await super().list(which)
            if found:
                read.set()
                await ended.wait()
            return found

    async def first() -> None:
        await agent.run("one", conversation="c")
        ended.set()

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        await read.wait()
        return ModelResponse([TextPart("ok")])

    read, ended = anyio.Event(), anyio.Event()
    agent = Agent(FunctionModel(answer), store=Slow())
    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(RunBusy, match="newest turn of the conversation by now"):
            await agent.run("two", conversation="c")
    assert said((await agent.run("three", conversation="c")).all_messages()) == ["one", "ok", "three", "ok"]


async def test_of_turns_that_begin_at_once_one_is_taken(store: Store) -> None:
    agent = Agent(counting(), store=store)
    ended: list[str] = []

    async def turn(number: int) -> None:
        with suppress(RunBusy, RunNotResumable):
            ended.append((await agent.run(f"turn {number}", conversation="c")).run_id)

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(turn, number)
    runs = await store.list(RunFilter(conversation="c"))
    assert sorted(run.run_id for run in runs) == sorted(ended)
    messages = (await agent.run("last", conversation="c")).all_messages()
    assert len(messages) == 2 * len(ended) + 2  # nobody's turn was lost


async def test_no_turn_is_taken_after_one_that_failed_or_waits(store: Store) -> None:
    agent = Agent(says(call("pay", "c1"), "paid", "more"), store=store)
    broken = True

    @agent.tool_plain(requires_approval=True)
    def pay() -> str:
        if broken:
            raise KeyError
        return "ok"

    with pytest.raises(RunWaiting):
        await agent.run("one", conversation="c", run_id="first")
    with pytest.raises(RunNotResumable, match="it is the newest of conversation 'c' and waiting") as caught:
        await agent.run("two", conversation="c")
    assert caught.value.run_id == "first"
    with pytest.raises(KeyError):
        await agent.run(resume="first", answers={"c1": ToolApproved()})
    with pytest.raises(RunNotResumable, match="and failed: finish or cancel it first"):
        await agent.run("two", conversation="c")
    broken = False
    await agent.run(resume="first")
    assert (await agent.run("two", conversation="c")).data == "more"


async def test_a_turn_goes_on_from_one_that_was_cancelled(store: Store) -> None:
    agent = Agent(says(call("pay", "c1"), "more"), store=store)

    @agent.tool_plain(requires_approval=True)
    def pay() -> str:
        return "ok"

    with pytest.raises(RunWaiting):
        await agent.run("one", conversation="c", run_id="first")
    assert await agent.cancel("first") is Status.CANCELLED
    result = await agent.run("two", conversation="c")
    assert result.data == "more"
    assert [type(message).__name__ for message in result.all_messages()] == [
        "ModelRequest",
        "ModelResponse",
        "ModelRequest",
        "ModelResponse",
    ]


async def test_a_memory_store_remembers_the_runs_of_a_conversation() -> None:
    store = MemoryStore()
    agent = Agent(counting(), store=store)
    await agent.run("alone")
    await agent.run("one", conversation="c")
    await agent.run("two", conversation="c")
    assert [run.conversation for run in await store.list()] == ["c", "c"]
