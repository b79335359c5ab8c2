"""Each mistake has its own error, which names the thing and the way out; what was committed stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentgraph import (
    Agent,
    End,
    MemoryStore,
    RunNotFound,
    RunNotResumable,
    SQLiteStore,
    StoreError,
    UnexpectedModelBehavior,
    UserError,
)
from agentgraph.graph import BaseNode, Graph, GraphRunContext, Status
from agentgraph.messages import ToolCallPart
from agentgraph.models.test import TestModel
from tests.agent.scripted import call, says

pytestmark = pytest.mark.anyio


async def through(agent: Agent[None, str], prompt: str | None, resume: str | None, door: str) -> None:
    match door:
        case "run":
            await agent.run(prompt, resume=resume)
        case "run_sync":
            agent.run_sync(prompt, resume=resume)
        case "run_stream":
            async with agent.run_stream(prompt, resume=resume):
                raise AssertionError
        case _:
            async with agent.iter(prompt, resume=resume):
                raise AssertionError


doors = pytest.mark.parametrize("door", ["run", "run_sync", "run_stream", "iter"])


@doors
async def test_neither_prompt_nor_resume(door: str) -> None:
    with pytest.raises(UserError, match="needs a prompt, or `resume=`"):
        await through(Agent(TestModel()), None, None, door)


@doors
async def test_a_prompt_with_a_resume(door: str) -> None:
    with pytest.raises(UserError, match="run 'r' is resumed and has its own user_prompt: leave it out"):
        await through(Agent(TestModel()), "Hello", "r", door)


async def test_an_id_or_a_history_with_a_resume() -> None:
    history = (await Agent(TestModel()).run("Hello")).all_messages()
    with pytest.raises(UserError, match="its own run_id and message_history: leave it out"):
        await Agent(TestModel()).run(resume="r", run_id="q", message_history=history)


@doors
async def test_an_unknown_run(door: str) -> None:
    with pytest.raises(RunNotFound, match="no run 'r' in this process's memory"):
        await through(Agent(TestModel()), None, "r", door)


async def test_an_unknown_run_in_a_file(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match=r"no run 'r' in .*runs\.db; look for its id with `store\.list\(\)`"):
        await Agent(TestModel(), store=tmp_path / "runs.db").run(resume="r")


@doors
async def test_no_model(door: str) -> None:
    with pytest.raises(UserError, match="no model: give the agent or the run `model=`"):
        await through(Agent(), "Hello", None, door)


async def test_an_unknown_model() -> None:
    with pytest.raises(UserError, match="no model 'opnai:gpt-4o': did you mean 'openai:gpt-4o"):
        Agent("opnai:gpt-4o")
    with pytest.raises(UserError, match="no model 'opnai:gpt-4o'"):
        await Agent(TestModel()).run("Hello", model="opnai:gpt-4o")


async def test_a_missing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        Agent("openai:gpt-4o")
    agent = Agent("openai:gpt-4o", defer_model_check=True)
    assert agent.model == "openai:gpt-4o"
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        await agent.run("Hello")


async def test_nothing_is_begun_with_an_unknown_model() -> None:
    store = MemoryStore()
    with pytest.raises(UserError):
        await Agent(store=store).run("Hello", run_id="r", model="opnai:gpt-4o")
    assert await store.list() == []


@dataclass
class Alone(BaseNode[None, None, int]):
    async def run(self, ctx: GraphRunContext[None, None]) -> End[int]:
        return End(1)


async def test_a_run_of_another_graph() -> None:
    store = MemoryStore()
    await Graph(nodes=[Alone], name="alone").run(Alone(), store=store, run_id="r")
    with pytest.raises(RunNotResumable, match="a run of graph 'alone', not of an agent: resume it with its graph"):
        await Agent(TestModel(), store=store).run(resume="r")


async def test_a_run_of_an_agent_with_other_tools_is_told_to_the_model() -> None:
    store = MemoryStore()
    agent = Agent(says(call("look"), "Hi"), store=store)
    agent.tool_plain(name="look")(lambda: "seen")
    async with agent.iter("Hello", run_id="r") as run:
        await run.next()
        await run.next()
    assert (await Agent(says(call("look"), "Hi"), store=store).run(resume="r")).data == "Hi"


async def test_a_run_of_an_agent_with_another_result_type() -> None:
    store = MemoryStore()
    await Agent(says("many"), store=store).run("Hello", run_id="r")
    with pytest.raises(StoreError, match="run 'r', step 2: the result cannot be decoded"):
        await Agent(TestModel(), result_type=int, store=store).run(resume="r")


async def kept(store: MemoryStore, agent: Agent[None, str], error: type[Exception], match: str) -> None:
    """The run fails in its third step and keeps the two before."""
    with pytest.raises(error, match=match):
        await agent.run("Hello", run_id="r")
    record = await store.load("r")
    assert (record.status, record.seq, record.pending) == (Status.FAILED, 2, "HandleResponseNode")
    assert [step.node for step in await store.steps("r")] == ["", "UserPromptNode", "ModelRequestNode"]
    assert record.error is not None
    assert record.error.startswith(error.__name__)


async def test_a_tool_that_raises() -> None:
    store = MemoryStore()
    agent = Agent(says(call("look")), store=store)

    @agent.tool_plain
    def look() -> str:
        message = "no light"
        raise LookupError(message)

    await kept(store, agent, LookupError, "no light")


async def test_a_model_that_returns_nothing() -> None:
    store = MemoryStore()
    await kept(store, Agent(says([]), store=store), UnexpectedModelBehavior, "reply is empty: neither text nor a tool")


@pytest.mark.parametrize("args", ['{"at":', "[1]", '{"at": "there"}', '{"there": 1}'])
async def test_malformed_arguments(args: str) -> None:
    store = MemoryStore()
    agent = Agent(says(ToolCallPart("look", args)), retries=0, store=store)

    @agent.tool_plain
    def look(at: int) -> int:
        return at

    await kept(store, agent, UnexpectedModelBehavior, "tool 'look' failed 1 time.* maximum of 0 retries")


Begin = Callable[[Path], Awaitable[object]]


async def at_the_agent(path: Path) -> object:
    return await Agent(TestModel(), store=path).run("Hello")


async def at_the_run(path: Path) -> object:
    return await Agent(TestModel()).run("Hello", store=str(path))


async def at_the_block(path: Path) -> object:
    agent = Agent(TestModel())
    with agent.override(store=path):
        return await agent.run("Hello")


@pytest.mark.parametrize("begin", [at_the_agent, at_the_run, at_the_block])
async def test_a_store_in_a_missing_folder(tmp_path: Path, begin: Begin) -> None:
    with pytest.raises(StoreError, match=r"there is no folder .*nowhere; create it or give another path"):
        await begin(tmp_path / "nowhere" / "runs.db")


async def test_a_store_that_is_none() -> None:
    with pytest.raises(UserError, match="a store at mysql://… is not known"):
        await Agent(TestModel(), store="mysql://here").run("Hello")


async def test_a_store_that_was_closed(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "runs.db")
    await store.aclose()
    with pytest.raises(StoreError, match="closed"):
        await Agent(TestModel(), store=store).run("Hello")
