"""What runs use, and the limits that they keep to."""

from __future__ import annotations

import pytest
from pydantic_core import from_json

from agentgraph import Agent, MemoryStore, ModelRetry, RunContext, Usage, UsageLimitExceeded, UsageLimits
from agentgraph.agent import RunOptions
from agentgraph.graph import Status
from agentgraph.messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from agentgraph.models.test import TestModel
from tests.agent.doors import DOORS
from tests.agent.scripted import EventModel, call, says

pytestmark = pytest.mark.anyio

HELLO: list[ModelResponseStreamEvent | Exception] = [
    PartStartEvent(0, TextPart("He")),
    PartDeltaEvent(0, TextPartDelta("llo")),
]


def telling(*used: Usage) -> EventModel:
    return EventModel(HELLO, ModelResponse([TextPart("Hello")]), used)


async def test_a_run_tells_what_it_used() -> None:
    usage = (await Agent(says("Hi there")).run("Hello")).usage()
    assert usage == Usage(requests=1, request_tokens=51, response_tokens=2, total_tokens=53)


async def test_every_request_counts() -> None:
    agent = Agent(TestModel())
    agent.tool_plain(name="look")(lambda: "seen")
    assert (await agent.run("Hello")).usage().requests == 2


async def test_given_usage_is_added_to_in_place() -> None:
    usage = Usage(requests=5, request_tokens=7, details={"cached": 1})
    result = await Agent(says("Hi there")).run("Hello", usage=usage)
    assert result.usage() is usage
    assert usage == Usage(6, 58, 2, 53, {"cached": 1})


async def test_given_usage_is_what_is_stored_after_each_step() -> None:
    usage, store = Usage(requests=5), MemoryStore()
    agent = Agent(TestModel(), store=store)
    agent.tool_plain(name="look")(lambda: "seen")
    async with agent.iter("Hello", run_id="r", usage=usage) as run:
        counts = [(usage.requests, from_json((await store.load("r")).usage)["requests"]) async for _ in run]
    assert counts == [(5, 5), (5, 5), (6, 6), (6, 6), (7, 7), (7, 7)]


async def test_agents_share_a_usage() -> None:
    usage = Usage()
    for _ in range(3):
        await Agent(says("Hi there")).run("Hello", usage=usage)
    assert (usage.requests, usage.total_tokens) == (3, 159)


def helping(inner: Agent[None, str], model: object) -> Agent[None, str]:
    outer = Agent(model)  # type: ignore[arg-type]  # a model

    @outer.tool
    async def ask(ctx: RunContext[None], what: str) -> str:
        if what == "again":
            await inner.run(what, usage=ctx.usage)
            message = "something else"
            raise ModelRetry(message)
        return (await inner.run(what, usage=ctx.usage)).data

    return outer


async def test_an_agent_in_a_tool_shares_the_usage() -> None:
    outer = helping(Agent(says("inner")), says([call("ask", what="a"), call("ask", what="b")], "done"))
    usage = (await outer.run("Hello")).usage()
    alone = (await Agent(says("inner")).run("a")).usage()
    without = await Agent(says([call("ask", what="a"), call("ask", what="b")], "done"), tools=[_ask]).run("Hello")
    assert usage == without.usage() + alone + alone


def _ask(what: str) -> str:
    return "inner"


_ask.__name__ = "ask"


async def test_a_tool_that_asks_again_has_used_what_it_used() -> None:
    outer = helping(Agent(says("inner")), says(call("ask", what="again"), "done"))
    assert (await outer.run("Hello")).usage().requests == 3


async def test_an_agent_in_a_tool_is_counted_once_after_a_resume() -> None:
    store, fail = MemoryStore(), [True]
    inner = Agent(says("inner"))
    model = says([call("ask", what="a"), call("ask", what="b"), call("stumble")], "done")

    def outer() -> Agent[None, str]:
        made = helping(inner, model)

        @made.tool_plain
        def stumble() -> str:
            if fail:
                raise KeyError(fail.pop())
            return "up again"

        return made

    with pytest.raises(KeyError):
        await outer().run("Hello", store=store, run_id="r")
    resumed = await outer().run(resume="r", store=store)
    plain = await outer().run("Hello")
    assert resumed.usage() == plain.usage()
    assert plain.usage().requests == 4


async def test_a_call_that_fails_and_has_used_nothing_writes_nothing() -> None:
    store = MemoryStore()
    agent = Agent(says(call("stumble")), store=store)

    @agent.tool_plain
    def stumble() -> str:
        raise KeyError

    with pytest.raises(KeyError):
        await agent.run("Hello", run_id="r")
    assert await store.calls("r") == []


async def test_details_that_a_tool_adds_are_counted() -> None:
    agent = Agent(says(call("spend"), "done"))

    @agent.tool
    def spend(ctx: RunContext[None]) -> str:
        ctx.usage.incr(Usage(details={"searches": 2, "pages": 0}))
        return "spent"

    usage = Usage(details={"searches": 1, "reads": 4})
    await agent.run("Hello", usage=usage)
    assert usage.details == {"searches": 3, "reads": 4}


# ------------------------------------------------------------------------------------------------------------- limits


async def test_fifty_requests_are_allowed_by_default() -> None:
    agent = Agent(says(*[call("look")] * 60))
    agent.tool_plain(name="look")(lambda: "seen")
    with pytest.raises(UsageLimitExceeded, match="request_limit=50: 50 were made"):
        await agent.run("Hello")


@pytest.mark.parametrize("door", ["run", "get_data", "left_at_once", "stream_nodes"])
async def test_a_request_over_the_limit_is_not_made(door: str) -> None:
    agent, usage = Agent(says(*[call("look")] * 9)), Usage()
    agent.tool_plain(name="look")(lambda: "seen")
    options = RunOptions(usage_limits=UsageLimits(request_limit=2), usage=usage, run_id="r")
    with pytest.raises(UsageLimitExceeded, match="request_limit=2") as caught:
        await DOORS[door](agent, "Hello", options)
    assert usage.requests == 2
    assert caught.value.run_id == "r"
    assert len(caught.value.messages) == 5


async def test_usage_to_start_from_counts_towards_the_limits() -> None:
    with pytest.raises(UsageLimitExceeded, match="request_limit=3: 3 were made"):
        await Agent(says("Hi")).run("Hello", usage=Usage(requests=3), usage_limits=UsageLimits(request_limit=3))


@pytest.mark.parametrize("name", ["request_tokens", "response_tokens", "total_tokens"])
async def test_tokens_over_a_limit_fail_the_run(name: str) -> None:
    limits = UsageLimits()
    setattr(limits, f"{name}_limit", 1)
    with pytest.raises(UsageLimitExceeded, match=rf"{name}_limit=1 is exceeded: {name}=\d+"):
        await Agent(says("Hi there")).run("Hello", usage_limits=limits)


async def test_none_is_no_limit() -> None:
    agent = Agent(says(*[call("look")] * 60, "done"))
    agent.tool_plain(name="look")(lambda: "seen")
    assert (await agent.run("Hello", usage_limits=UsageLimits(request_limit=None))).usage().requests == 61


async def test_a_run_over_its_limit_goes_on_with_a_higher_one() -> None:
    store = MemoryStore()
    agent = Agent(says(call("look"), call("look"), "done"), store=store)
    ran: list[str] = []
    agent.tool_plain(name="look")(lambda: ran.append("look"))
    with pytest.raises(UsageLimitExceeded):
        await agent.run("Hello", run_id="r", usage_limits=UsageLimits(request_limit=2))
    assert (await store.load("r")).status is Status.FAILED
    with pytest.raises(UsageLimitExceeded, match="request_limit=2"):  # the limits hold until they are given anew
        await agent.run(resume="r")
    result = await agent.run(resume="r", usage_limits=UsageLimits(request_limit=3))
    assert (result.data, result.usage().requests, len(ran)) == ("done", 3, 2)


async def test_a_reply_over_a_token_limit_is_kept() -> None:
    store = MemoryStore()
    agent = Agent(says("Hi there"), store=store)
    with pytest.raises(UsageLimitExceeded) as caught:
        await agent.run("Hello", run_id="r", usage_limits=UsageLimits(response_tokens_limit=1))
    assert len(caught.value.messages) == 2
    result = await agent.run(resume="r", usage_limits=UsageLimits())
    assert (result.data, result.usage().requests) == ("Hi there", 1)


@pytest.mark.parametrize("door", ["stream_text", "stream", "stream_nodes", "left_early"])
async def test_a_stream_checks_tokens_as_they_are_told(door: str) -> None:
    model = telling(Usage(), Usage(response_tokens=1), Usage(response_tokens=9))
    with pytest.raises(UsageLimitExceeded, match="response_tokens=9") as caught:
        await DOORS[door](Agent(model), "Hello", RunOptions(usage_limits=UsageLimits(response_tokens_limit=5)))
    assert caught.value.run_id is not None
    assert len(caught.value.messages) == 1
    assert model.closed == 1


async def test_a_stream_over_its_limit_before_anything_was_read_is_closed() -> None:
    model = telling(Usage(), Usage(response_tokens=9))
    with pytest.raises(UsageLimitExceeded):
        async with Agent(model).run_stream("Hello", usage_limits=UsageLimits(response_tokens_limit=5)):
            raise AssertionError
    assert model.closed == 1


async def test_a_stream_left_early_is_checked_too() -> None:
    model = telling(Usage(), Usage(response_tokens=1), Usage(response_tokens=9))
    with pytest.raises(UsageLimitExceeded, match="response_tokens=9"):
        async with Agent(model).run_stream("Hello", usage_limits=UsageLimits(response_tokens_limit=5)):
            pass
    assert model.closed == 1


async def test_tokens_told_at_the_end_of_a_stream_count() -> None:
    model = telling(Usage(), Usage(), Usage(response_tokens=9))
    limits = UsageLimits(response_tokens_limit=5)
    with pytest.raises(UsageLimitExceeded, match="response_tokens=9"):
        async with Agent(model).run_stream("Hello", usage_limits=limits) as response:
            await response.get_data()
    with pytest.raises(UsageLimitExceeded, match="response_tokens=9"):
        await Agent(model).run("Hello", usage_limits=limits)


async def test_an_open_reply_counts_once_while_it_comes_and_once_afterwards() -> None:
    model = telling(Usage(request_tokens=3), Usage(request_tokens=3, response_tokens=1))
    async with Agent(model).iter("Hello", usage=Usage(requests=2, request_tokens=1)) as run:
        await run.next()
        node = run.next_node
        assert Agent.is_model_request_node(node)
        async with node.stream(run.ctx) as stream:
            assert stream.usage() == Usage(3, 4)
            async for _ in stream:
                pass
            assert stream.usage() == Usage(3, 4, 1)
        assert stream.usage() == run.usage() == Usage(3, 4, 1)


async def test_a_streamed_run_tells_what_it_used_so_far() -> None:
    model = telling(Usage(request_tokens=3), Usage(request_tokens=3, response_tokens=1), Usage(3, 3, 2, 5))
    async with Agent(model).run_stream("Hello") as response:
        assert response.usage() == Usage(1, 3, 1)
        await response.get_data()
        assert response.usage().response_tokens == 2
