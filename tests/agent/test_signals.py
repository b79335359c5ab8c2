"""Agents' runs that are stopped from elsewhere, or by their deadline, while the model or a tool is at work."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio import from_thread, to_thread

from agentgraph import Agent, RunContext
from agentgraph.exceptions import AgentRunError, DeadlineExceeded, RunCancelled, RunFenced, UserError
from agentgraph.graph import Status, Store
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.openai import OpenAIModel
from agentgraph.stores import MemoryStore, SQLiteStore
from agentgraph.stores.samples import HandClock, new_run
from tests.agent.scripted import call, says
from tests.models.local_server import chat_events, event_reply, local_server

pytestmark = pytest.mark.anyio

LATER = datetime.now(UTC) + timedelta(days=365)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "runs.db")
    yield made
    await made.aclose()


class Story:
    """An agent whose model stops in the middle of its first reply; `stop` is called there."""

    def __init__(self, store: Store, stop: Callable[[], Awaitable[object]]) -> None:
        self.stop, self.closed, self.asked = stop, 0, 0
        self.agent: Agent[None, str] = Agent(FunctionModel(self._reply, stream_function=self._tell), store=store)

    async def _reply(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart("".join([text async for text in self._tell(messages, info)]))])

    async def _tell(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        self.asked += 1
        try:
            yield "Once "
            yield "upon "
            if self.asked == 1:
                with anyio.CancelScope(shield=True):
                    await self.stop()
                await anyio.sleep_forever()
            yield "a time."
        finally:
            self.closed += 1


Door = Callable[[Agent[None, str], datetime | float | None], Awaitable[object]]


async def run(agent: Agent[None, str], deadline: datetime | float | None) -> object:
    return await agent.run("Go on", run_id="r", deadline=deadline)


async def run_stream(agent: Agent[None, str], deadline: datetime | float | None) -> object:
    async with agent.run_stream("Go on", run_id="r", deadline=deadline) as response:
        return await response.get_data()


async def stream_node(agent: Agent[None, str], deadline: datetime | float | None) -> object:
    async with agent.iter("Go on", run_id="r", deadline=deadline) as run:
        node = await run.next()
        assert Agent.is_model_request_node(node)
        async with node.stream(run.ctx) as stream:
            return [event async for event in stream]


async def read_nothing(agent: Agent[None, str]) -> None:
    async with agent.run_stream("Go on", run_id="r"):
        assert await agent.cancel("r") is Status.RUNNING
        await anyio.sleep_forever()


async def read_on(agent: Agent[None, str]) -> None:
    async with agent.iter("Go on", run_id="r") as run:
        node = await run.next()
        assert Agent.is_model_request_node(node)
        async with node.stream(run.ctx) as stream:
            with suppress(RunCancelled):
                _ = [event async for event in stream]


async def watch_tools(agent: Agent[None, str]) -> None:
    async with agent.iter("Go on", run_id="r") as run:
        await run.next()
        node = await run.next()
        assert Agent.is_handle_response_node(node)
        async with node.stream(run.ctx) as events:
            _ = [event async for event in events]


DOORS = pytest.mark.parametrize("door", [run, run_stream, stream_node])


async def check_kept(story: Story, store: Store, door: Door, status: Status) -> None:
    record = await store.load("r")
    partial = door is not run  # a reply that is not streamed comes whole or not at all
    kept = partial or status is Status.CANCELLED  # the request of a cancelled step is kept alone
    assert (story.closed, record.status) == (1, status)
    assert (record.pending, record.seq, record.owner) == ("ModelRequestNode", 1 + kept, None)
    result = await story.agent.run(resume="r", deadline=LATER)
    replies = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    assert [reply.state for reply in replies] == ["interrupted"] * partial + ["complete"]
    assert [reply.parts for reply in replies[:-1]] == [[TextPart("Once upon ")]] * partial
    assert (result.data, result.usage().requests) == ("Once upon a time.", 1 + partial)


@DOORS
async def test_a_run_cancelled_from_elsewhere_stops_at_once_and_keeps_what_had_come(store: Store, door: Door) -> None:
    story = Story(store, lambda: story.agent.cancel("r"))
    with pytest.raises(RunCancelled) as caught:
        await door(story.agent, None)
    assert (caught.value.run_id, len(caught.value.messages)) == ("r", 1 + (door is run_stream))
    await check_kept(story, store, door, Status.CANCELLED)


@DOORS
async def test_over_its_deadline_a_run_fails_and_keeps_what_had_come(door: Door) -> None:
    store = MemoryStore()
    story = Story(store, anyio.lowlevel.checkpoint)
    with pytest.raises(DeadlineExceeded) as caught:
        await door(story.agent, 0.5)
    assert (caught.value.run_id, len(caught.value.messages)) == ("r", 1 + (door is run_stream))
    await check_kept(story, store, door, Status.FAILED)


@DOORS
async def test_a_run_that_was_taken_over_stops_and_writes_nothing(tmp_path: Path, door: Door) -> None:
    clock = HandClock()
    first, second = SQLiteStore(tmp_path / "r.db", clock=clock), SQLiteStore(tmp_path / "r.db", clock=clock)

    async def take_over() -> None:
        clock.seconds += 15
        await second.claim("r")
        clock.ticks += 5
        await first.create(new_run("other"))  # the leases are renewed with it

    story = Story(first, take_over)
    with pytest.raises(RunFenced):
        await door(story.agent, None)
    record = await second.load("r")
    assert (story.closed, record.status, record.epoch, record.seq) == (1, Status.RUNNING, 2, 1)
    await first.aclose()
    await second.aclose()


async def test_a_streams_block_is_left_wherever_it_stands(store: Store) -> None:
    story = Story(store, anyio.lowlevel.checkpoint)
    with pytest.raises(RunCancelled) as caught:
        await read_nothing(story.agent)
    assert (story.closed, len(caught.value.messages)) == (1, 2)
    assert (await store.load("r")).status is Status.CANCELLED


async def test_what_a_stream_is_told_twice_is_told_once(store: Store) -> None:
    story = Story(store, anyio.lowlevel.checkpoint)
    async with story.agent.run_stream("Go on", run_id="r") as response:
        await response.cancel()
        await story.agent.cancel("r")
        await anyio.wait_all_tasks_blocked()
    assert (await store.load("r")).status is Status.CANCELLED


async def test_a_reader_that_hides_the_cancel_meets_it_at_the_end_of_the_stream(store: Store) -> None:
    story = Story(store, lambda: story.agent.cancel("r"))
    with pytest.raises(RunCancelled):
        await read_on(story.agent)
    assert (await store.load("r")).status is Status.CANCELLED


async def test_the_connection_to_the_service_is_closed_at_once() -> None:
    store = MemoryStore()
    with local_server(event_reply(*chat_events("Once ")[:1], done=False, stall=True)) as server:
        agent = Agent(OpenAIModel("gpt-4o", api_key="sk-made-up", base_url=server.url), store=store)
        with pytest.raises(RunCancelled):
            await read_nothing(agent)
        assert await to_thread.run_sync(server.hung_up.wait, 5)
    assert (await store.load("r")).status is Status.CANCELLED


# -------------------------------------------------------------------------------------------------------------- tools


async def test_a_tool_at_work_is_cancelled_and_those_that_had_ended_are_not_called_again(store: Store) -> None:
    agent = Agent(says([call("quick", "a"), call("slow", "b")], "done"), store=store)
    made: list[str] = []

    @agent.tool_plain
    async def quick() -> str:
        made.append("quick")
        return "q"

    @agent.tool
    async def slow(ctx: RunContext[None]) -> str:
        made.append("slow")
        if made.count("slow") == 1:
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
                await agent.cancel(ctx.run_id)
            await anyio.sleep_forever()
        return "s"

    with pytest.raises(RunCancelled):
        await agent.run("Go on", run_id="r")
    assert (await store.load("r")).status is Status.CANCELLED
    assert (await agent.run(resume="r")).data == "done"
    assert sorted(made) == ["quick", "slow", "slow"]


async def test_the_stream_of_tool_events_ends_with_the_run(store: Store) -> None:
    agent = Agent(says([call("slow", "a")], "done"), store=store)

    @agent.tool
    async def slow(ctx: RunContext[None]) -> str:
        with anyio.CancelScope(shield=True):
            await agent.cancel(ctx.run_id)
        await anyio.sleep_forever()
        return ""

    with pytest.raises(RunCancelled):
        await watch_tools(agent)
    assert (await store.load("r")).status is Status.CANCELLED


async def test_the_thread_of_a_tool_is_waited_for_and_what_it_returned_is_kept(store: Store) -> None:
    agent = Agent(says([call("weigh", "a")], "done"), store=store)
    made: list[str] = []

    @agent.tool
    def weigh(ctx: RunContext[None]) -> str:
        from_thread.run(agent.cancel, ctx.run_id)
        made.append("weigh")
        return "3 kg"

    with pytest.raises(RunCancelled):
        await agent.run("Go on", run_id="r")
    result = await agent.run(resume="r")
    assert (made, result.data) == (["weigh"], "done")


class Held:
    """An agent whose sync tool is at work until it is let go."""

    def __init__(self, store: Store) -> None:
        self.begun, self.go, self.made = threading.Event(), threading.Event(), 0
        self.agent = Agent(says([call("weigh", "a")], "done"), store=store)
        self.agent.tool_plain(self.weigh)

    def weigh(self) -> str:
        self.begun.set()
        self.go.wait()
        self.made += 1
        return "3 kg"

    async def stream_calls(self, error: Exception | None) -> None:
        async with self.agent.iter("Go on", run_id="r") as run:
            await run.next()
            node = await run.next()
            assert Agent.is_handle_response_node(node)
            async with node.stream(run.ctx):
                await to_thread.run_sync(self.begun.wait)
                threading.Timer(0.01, self.go.set).start()
                if error is not None:
                    raise error


@pytest.mark.parametrize("error", [None, KeyError()])
async def test_who_leaves_the_stream_of_calls_waits_for_their_threads(store: Store, error: Exception | None) -> None:
    held = Held(store)
    with suppress(KeyError):
        await held.stream_calls(error)
    assert held.made == 1
    record = await store.load("r")
    assert (record.status, record.owner) == (Status.PENDING if error is None else Status.CANCELLED, None)
    assert (await held.agent.run(resume="r")).data == "done"
    assert held.made == 1


def test_run_sync_tells_of_a_cancel_too() -> None:
    agent = Agent(says([call("stop", "a")], "done"), store=MemoryStore())

    @agent.tool
    async def stop(ctx: RunContext[None]) -> str:
        await agent.cancel(ctx.run_id)
        return "stopping"

    with pytest.raises(RunCancelled) as caught:
        agent.run_sync("Go on", run_id="r")
    assert (caught.value.run_id, len(caught.value.messages)) == ("r", 2)


async def test_a_tool_that_cancels_its_own_run_comes_to_its_end(store: Store) -> None:
    agent = Agent(says([call("stop", "a"), call("stop", "b")], "done"), store=store)
    made: list[str] = []

    @agent.tool
    async def stop(ctx: RunContext[None]) -> str:
        await agent.cancel(ctx.run_id)
        made.append("stop")
        return "stopping"

    with pytest.raises(RunCancelled):
        await agent.run("Go on", run_id="r")
    assert (await agent.run(resume="r")).data == "done"
    assert made == ["stop", "stop"]


# ------------------------------------------------------------------------------------------------------ the deadline


async def test_a_deadline_holds_for_whoever_resumes_unless_given_anew() -> None:
    store = MemoryStore()
    story = Story(store, anyio.lowlevel.checkpoint)
    with pytest.raises(DeadlineExceeded) as caught:
        await story.agent.run("Go on", run_id="r", deadline=0.02)
    asked = story.asked
    with pytest.raises(DeadlineExceeded) as again:
        await story.agent.run(resume="r")
    assert (again.value.deadline, story.asked) == (caught.value.deadline, asked)
    story.asked = 1
    assert (await story.agent.run(resume="r", deadline=3600)).data == "Once upon a time."


async def test_over_a_deadline_the_runs_of_tools_stop_too_and_go_on_with_theirs() -> None:
    store = MemoryStore()
    story = Story(store, anyio.lowlevel.checkpoint)
    boss = Agent(says([call("ask", "a")], "done"), store=store)

    @boss.tool
    async def ask(ctx: RunContext[None]) -> str:
        return (await story.agent.run("Go on", parent=ctx)).data

    with pytest.raises(DeadlineExceeded) as caught:
        await boss.run("Ask", run_id="boss", deadline=0.1)
    assert caught.value.run_id == "boss"
    left = {run.run_id: run.status for run in await store.list()}
    assert left.pop("boss") is Status.FAILED
    assert set(left.values()) <= {Status.CANCELLED}
    story.asked = 1
    assert (await boss.run(resume="boss", deadline=LATER)).data == "done"
    assert {run.status for run in await store.list()} == {Status.SUCCEEDED}


async def test_over_a_deadline_the_thread_of_a_tool_is_waited_for(store: Store) -> None:
    held = Held(store)
    threading.Timer(0.06, held.go.set).start()
    with suppress(DeadlineExceeded):
        await held.agent.run("Go on", run_id="r", deadline=0.05)
    assert (await held.agent.run(resume="r", deadline=LATER)).data == "done"
    assert held.made == 1


def test_a_deadline_holds_for_sync_runs() -> None:
    story = Story(MemoryStore(), anyio.lowlevel.checkpoint)
    with pytest.raises(DeadlineExceeded):
        story.agent.run_sync("Go on", deadline=0.02)


async def test_a_naive_deadline_is_refused() -> None:
    with pytest.raises(UserError, match="has no time zone"):
        await Agent("test").run("Go on", deadline=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the point


async def test_an_agent_in_a_tool_stops_with_the_run_that_called_it(store: Store) -> None:
    story = Story(store, lambda: boss.cancel("boss"))
    boss = Agent(says([call("ask", "a")], "done"), store=store)

    @boss.tool
    async def ask(ctx: RunContext[None]) -> str:
        return (await story.agent.run("Go on", parent=ctx)).data

    with pytest.raises(AgentRunError) as caught:
        await boss.run("Ask", run_id="boss")
    assert (type(caught.value), caught.value.run_id) == (RunCancelled, "boss")
    assert {run.status for run in await store.list()} == {Status.CANCELLED}
    assert (await boss.run(resume="boss")).data == "done"
