"""Following a run: what is told, joined, is what is stored, whoever asks from wherever and whenever."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, aclosing, suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from agentgraph import Agent, MemoryStore, UserError
from agentgraph.agent import AgentRun, AgentRunEvent, AgentStream, CallAnswered, MessageAdded, RunOptions
from agentgraph.exceptions import DecodeError, RunNotFound, RunWaiting
from agentgraph.graph import Followed, RunEnded, Status, StepRecord, StepStarted, Store, TextAdded, Until
from agentgraph.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    UserPromptPart,
)
from agentgraph.models.function import AgentInfo, FunctionModel
from agentgraph.models.test import TestModel
from tests.agent.joining import Joined, stored_messages
from tests.agent.scripted import EventModel, call, says
from tests.agent.scripts import Script, agent_for, limits, scripts
from tests.conformance.conftest import PLACES
from tests.graph.mortal import Killed, Mortal
from tests.shared_data import REPOSITORY
from tests.stores.places import Place

pytestmark = pytest.mark.anyio

Events = list[Followed[AgentRunEvent]]


async def told(agent: Agent[None, str], after: str | None = None, until: Until = "now") -> Events:
    return [followed async for followed in agent.events("r", after=after, until=until)]


def texts(events: Events) -> list[str]:
    return [followed.event.text for followed in events if isinstance(followed.event, TextAdded)]


def ends(events: Events) -> list[Status]:
    return [followed.event.status for followed in events if isinstance(followed.event, RunEnded)]


# ------------------------------------------------------------------------------------- whatever happens to the run

Stop = tuple[str, int]
"""How an attempt ends, and after how many events of its streams."""

stops = st.lists(st.tuples(st.sampled_from(["kill", "fail", "leave"]), st.integers(1, 8)), max_size=3)


class Stopped(Exception):
    pass


async def go_on(agent: Agent[None, str], store: Mortal, script: Script, stop: Stop) -> None:
    """Take a run further, as a stream, until it ends or is stopped."""
    how, left = stop
    options: RunOptions[None] = {"store": store, "usage_limits": limits(script), "run_id": "r"}
    prompt: str | None = "Go"
    with suppress(RunNotFound):
        await store.load("r")
        prompt, options = None, {"store": store, "usage_limits": limits(script), "resume": "r"}
    async with agent.iter(prompt, **options) as run:
        async for node in run:
            if agent.is_model_request_node(node):
                left = await read(node.stream(run.ctx), store, (how, left))
            if left <= 0 and how == "leave":
                break


async def read(opened: AbstractAsyncContextManager[AgentStream[None, str]], store: Mortal, stop: Stop) -> int:
    """Read a reply until the stop comes; returns how many events are left until then."""
    how, left = stop
    async with opened as stream:
        async for _ in stream:
            left -= 1
            if left == 0 and how == "kill":
                store.die()
            if left == 0 and how == "fail":
                raise Stopped
    return left


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=scripts, stops=stops, data=st.data())
def test_what_is_told_joined_is_what_is_stored(script: Script, stops: list[Stop], data: st.DataObject) -> None:
    async def check() -> None:
        store, agent = Mortal(), agent_for(script)
        bits, offset = Joined(), None
        for stop in [*stops, ("end", 0)]:
            with suppress(Killed, Exception):
                await go_on(agent, store, script, stop)
            if store.dead:
                await store.bury()
            offset = await bits.add(agent.events("r", after=offset, until="now", store=store)) or offset
        kept = await stored_messages(store, "r")
        assert bits.messages == kept

        events = [each async for each in agent.events("r", store=store, until="now")]
        whole = Joined()
        for each in events:
            whole.hear(each.event)
        assert whole.messages == kept
        assert whole.ended[-1:] == bits.ended[-1:]
        cut = data.draw(st.integers(0, len(events)), label="cut") - 1
        after = events[cut].offset if cut >= 0 else None
        assert [each async for each in agent.events("r", after=after, store=store, until="now")] == events[cut + 1 :]

    anyio.run(check)


# ---------------------------------------------------------------------------------------------------------- live


class Gated:
    """An agent whose model says a word each time it is let."""

    def __init__(self, store: Store, words: int = 3) -> None:
        self._gates = [anyio.Event() for _ in range(words)]
        self._said = 0
        self.agent: Agent[None, str] = Agent(FunctionModel(stream_function=self._say), store=store)

    async def _say(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        for number, gate in enumerate(self._gates):
            yield f"word {number} "
            await gate.wait()

    def go_on(self) -> None:
        self._gates[self._said].set()
        self._said += 1

    async def run(self) -> None:
        async with self.agent.run_stream("Go", run_id="r") as response:
            await response.get_data()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            made: Store = MemoryStore()
        else:
            made = stack.enter_context(PLACES[request.param](tmp_path)).open()
        stack.push_async_callback(made.aclose)
        yield made


async def begun(store: Store) -> None:
    """Return as soon as the run is there."""
    while not await store.list():
        await anyio.lowlevel.checkpoint()


async def test_text_is_told_while_it_comes(store: Store) -> None:
    gated = Gated(store)
    heard: Events = []
    async with anyio.create_task_group() as group:
        group.start_soon(gated.run)
        await begun(store)
        async for each in gated.agent.events("r"):
            heard.append(each)
            if isinstance(each.event, TextAdded):
                gated.go_on()  # so the next word comes only when this one was heard
    assert texts(heard) == ["word 0 ", "word 1 ", "word 2 "]
    assert ends(heard) == [Status.SUCCEEDED]
    later = await told(gated.agent)
    assert texts(later) == ["word 0 word 1 word 2 "]
    assert [type(each.event) for each in later if not isinstance(each.event, TextAdded)] == [
        type(each.event) for each in heard if not isinstance(each.event, TextAdded)
    ]


async def first_text(agent: Agent[None, str]) -> str:
    """The offset of the first text."""
    async with aclosing(agent.events("r")) as events:
        async for each in events:
            if isinstance(each.event, TextAdded):
                return each.offset
    raise AssertionError


async def test_a_follower_that_comes_back_hears_the_rest(store: Store) -> None:
    gated = Gated(store, words=2)
    offset = ""
    async with anyio.create_task_group() as group:
        group.start_soon(gated.run)
        await begun(store)
        offset = await first_text(gated.agent)
        gated.go_on()
        gated.go_on()
    assert texts(await told(gated.agent, after=offset)) == ["word 1 "]


async def test_answers_of_calls_are_told_when_they_come(store: Store) -> None:
    gate = anyio.Event()
    agent: Agent[None, str] = Agent(says([call("quick"), call("slow")], "done"), store=store)

    @agent.tool_plain
    async def quick() -> str:
        return "at once"

    @agent.tool_plain
    async def slow() -> str:
        await gate.wait()
        return "at last"

    async def run() -> None:
        await agent.run("Go", run_id="r")

    joined = Joined()
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await begun(store)
        async for each in agent.events("r"):
            joined.hear(each.event)
            if joined.answers:
                gate.set()
    assert joined.messages == await stored_messages(store, "r")
    again = await told(agent)
    for number, each in enumerate(again):
        assert await told(agent, after=each.offset) == again[number + 1 :]


# ----------------------------------------------------------------------------------------------------- other processes


@pytest.mark.parametrize("where", PLACES.values(), ids=PLACES)
async def test_another_process_is_followed_live(
    where: Callable[[Path], AbstractContextManager[Place]], tmp_path: Path
) -> None:
    with where(tmp_path) as place:
        heard = await hear_another(place)
    assert texts(heard) == ["word 0 ", "word 1 ", "word 2 "]
    assert ends(heard) == [Status.SUCCEEDED]


async def hear_another(place: Place) -> Events:
    """What is heard of a process that says the next word only when it is told that the last was heard."""
    heard: Events = []
    store = place.open()
    agent: Agent[None, str] = Agent(store=store)
    command = [sys.executable, "-m", "tests.agent.telling", place.url]
    async with await anyio.open_process(command, cwd=REPOSITORY, stderr=None) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert await process.stdout.receive() == b"begun\n"
        async for each in agent.events("r"):
            heard.append(each)
            if isinstance(each.event, TextAdded):
                await process.stdin.send(b"go on\n")
    await store.aclose()
    return heard


# ------------------------------------------------------------------------------------------------------------- ends


async def test_following_ends_when_the_run_rests_or_only_when_it_has_succeeded() -> None:
    fails = [True]

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if fails.pop():
            raise ValueError("not now")
        return ModelResponse([TextPart("done")])

    agent: Agent[None, str] = Agent(FunctionModel(answer), store=MemoryStore())
    with pytest.raises(ValueError, match="not now"):
        await agent.run("Go", run_id="r")
    failed = await told(agent, until="ended")
    assert ends(failed) == [Status.FAILED]
    assert await told(agent, after=failed[-1].offset, until="ended") == []

    heard: Events = []

    async def hear() -> None:
        heard.extend(await told(agent, after=failed[-1].offset, until="succeeded"))

    async with anyio.create_task_group() as group:
        group.start_soon(hear)
        await anyio.wait_all_tasks_blocked()
        fails.append(False)
        await agent.run(resume="r")
    assert heard[0].event == StepStarted("r", 1, 2, "ModelRequestNode")
    assert ends(heard) == [Status.SUCCEEDED]


async def test_a_run_that_waits_or_was_cancelled_has_ended_and_one_that_was_released_has_not() -> None:
    agent: Agent[None, str] = Agent(says(call("ask"), "done"), store=MemoryStore())

    @agent.tool_plain(requires_approval=True)
    def ask() -> str:
        return "yes"

    async with agent.iter("Go", run_id="r") as run:
        await run.next()
    released = await told(agent)
    assert ends(released) == []
    assert all(not isinstance(each.event, StepStarted) or each.event.seq < 1 for each in released)
    with pytest.raises(RunWaiting):
        await agent.run(resume="r")
    waiting = await told(agent, after=released[-1].offset, until="ended")
    await agent.cancel("r")
    assert ends(waiting) == [Status.WAITING]
    assert ends(await told(agent, after=waiting[-1].offset, until="ended")) == [Status.CANCELLED]


async def test_an_answer_is_told_once_however_often_a_run_that_waits_is_read() -> None:
    agent: Agent[None, str] = Agent(says([call("quick"), call("ask")], "done"), store=MemoryStore())

    @agent.tool_plain
    def quick() -> str:
        return "at once"

    @agent.tool_plain(requires_approval=True)
    def ask() -> str:
        return "yes"

    with pytest.raises(RunWaiting):
        await agent.run("Go", run_id="r")
    events = await told(agent)
    assert sum(isinstance(each.event, CallAnswered) for each in events) == 1
    for number, each in enumerate(events):
        assert await told(agent, after=each.offset) == events[number + 1 :]


async def test_a_message_that_cannot_be_read_says_where() -> None:
    class Torn(MemoryStore):
        async def steps(self, run_id: str, after: int = -2) -> list[StepRecord]:
            rows = await super().steps(run_id, after)
            return [replace(row, body=row.body.replace(b'"response"', b'"nonsense"')) for row in rows]

    agent: Agent[None, str] = Agent(TestModel(), store=Torn())
    await agent.run("Go", run_id="r")
    with pytest.raises(DecodeError, match=r"'r', step 1.*message_history.*nonsense"):
        await told(agent)


async def test_a_run_that_is_deleted_while_it_is_followed_is_not_found(store: Store) -> None:
    agent: Agent[None, str] = Agent(TestModel(), store=store)
    async with agent.iter("Go", run_id="r") as run:
        await run.next()

    async def delete() -> None:
        await store.delete("r")

    async with anyio.create_task_group() as group:
        group.start_soon(delete)
        with pytest.raises(RunNotFound):
            await told(agent, until="ended")


async def test_who_asks_for_what_is_not_there_is_told() -> None:
    agent: Agent[None, str] = Agent(TestModel(), store=MemoryStore())
    with pytest.raises(RunNotFound):
        await told(agent)
    await agent.run("Go", run_id="r")
    far = (await told(agent))[-1].offset
    async with agent.iter("Go", run_id="other"):
        pass
    with pytest.raises(UserError, match="it is not that far"):
        await anext(agent.events("other", after=far))
    for offset in ("", "17", "1.0.1.1.0.0.0.happy.", "2" + far[1:], far + "!"):
        with pytest.raises(UserError, match="is no offset"):
            await told(agent, after=offset)


async def test_memory_keeps_a_run_as_long_as_it_is_followed() -> None:
    store = MemoryStore()
    gated = Gated(store, words=1)
    ids: list[str] = []
    heard: Events = []

    async def run() -> None:
        async with gated.agent.run_stream("Go") as response:
            ids.append(response.run_id)
            await response.get_data()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        while not ids:
            await anyio.lowlevel.checkpoint()
        async for each in gated.agent.events(ids[0]):
            heard.append(each)
            if isinstance(each.event, TextAdded):
                gated.go_on()
    assert ends(heard) == [Status.SUCCEEDED]
    assert await store.list() == []


# -------------------------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize("again", [PartStartEvent(0, TextPart("Hello")), PartDeltaEvent(0, TextPartDelta("lo"))])
async def test_text_of_an_earlier_part_is_left_to_the_commit(again: ModelResponseStreamEvent) -> None:
    starts: list[ModelResponseStreamEvent | Exception] = [
        PartStartEvent(0, TextPart("Hel")),
        PartStartEvent(1, TextPart("two")),
        again,
        PartStartEvent(2, TextPart("three")),
    ]
    reply = ModelResponse([TextPart("Hel"), TextPart("two and"), TextPart("three")])
    agent: Agent[None, str] = Agent(EventModel(starts, reply), store=MemoryStore())
    joined = Joined()
    async with agent.run_stream("Go", run_id="r") as response:
        offset = await joined.add(agent.events("r", until="now"))
        await response.get_data()
    await joined.add(agent.events("r", after=offset))
    assert joined.messages[-1] == reply


async def test_a_message_says_where_it_stands_and_a_cut_how_much_is_left() -> None:
    agent: Agent[None, str] = Agent(TestModel(), store=MemoryStore())

    @agent.system_prompt(dynamic=True)
    def rules() -> str:
        return "be brief"

    first = await agent.run("Go", run_id="first", conversation="talk")
    async with agent.iter("Go on", run_id="r", conversation="talk") as run:
        await run.next()
        run.ctx.state.message_history.pop()
        await _to_the_end(run)
    events = [each.event for each in await told(agent)]
    places = [event.index for event in events if isinstance(event, MessageAdded)]
    assert places == [0, 1, 2]
    assert len(first.all_messages()) == 2
    assert sum(type(event).__name__ == "MessagesCut" for event in events) == 1


async def _to_the_end(run: AgentRun[None, str]) -> None:
    async for _ in run:
        pass


async def test_what_was_given_as_history_is_told_and_what_a_fork_goes_on_from_is_not() -> None:
    agent: Agent[None, str] = Agent(TestModel(), store=MemoryStore())
    history: list[ModelMessage] = [ModelRequest([UserPromptPart("Hi")]), ModelResponse([TextPart("Hello")])]
    await agent.run("Go", run_id="origin", message_history=history)
    joined = Joined()
    await joined.add(agent.events("origin"))
    assert joined.messages[:2] == history
    await agent.fork("origin", step=1, new_id="r")
    await agent.run(resume="r")
    assert [each.event.index for each in await told(agent) if isinstance(each.event, MessageAdded)] == [2, 3]
