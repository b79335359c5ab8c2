"""What is logged of a run."""

from __future__ import annotations

import logging

import anyio
import pytest

from agentgraph import Agent, CallDeferred, ModelRetry, RunWaiting
from agentgraph.graph import StepStarted
from agentgraph.messages import ModelResponse, PartStartEvent, TextPart
from agentgraph.observe import LoggingObserver
from tests.agent.scripted import EventModel, call, says
from tests.contexts import SilentModel
from tests.graph.samples import START, Add, Tally, tally

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "agentgraph")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


async def test_a_run_is_told_from_begin_to_end(caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(says([call("one", x=3)], "done"), instrument=LoggingObserver())

    @agent.tool_plain
    def one(x: int) -> int:
        return x

    await agent.run("go", run_id="r")
    assert said(caplog) == [
        "run r: started at step 0",
        "run r: step 0: UserPromptNode begins",
        "run r: step 0: UserPromptNode led to ModelRequestNode",
        "run r: step 1: ModelRequestNode begins",
        "run r: step 1: function:reply: is asked, 1 message(s)",
        "run r: step 1: function:reply: replied, 51 request tokens, 4 response tokens",
        "run r: step 1: ModelRequestNode led to HandleResponseNode",
        "run r: step 2: HandleResponseNode begins",
        "run r: step 2: tool one is called",
        "run r: step 2: tool one returned",
        "run r: step 2: HandleResponseNode led to ModelRequestNode",
        "run r: step 3: ModelRequestNode begins",
        "run r: step 3: function:reply: is asked, 3 message(s)",
        "run r: step 3: function:reply: replied, 52 request tokens, 5 response tokens",
        "run r: step 3: ModelRequestNode led to HandleResponseNode",
        "run r: step 4: HandleResponseNode begins",
        "run r: step 4: HandleResponseNode led to End",
        "run r: succeeded",
    ]
    assert [record.levelname for record in caplog.records if record.levelname != "DEBUG"] == ["INFO", "INFO"]
    assert vars(caplog.records[1])["seq"] == 0
    assert {vars(record)["run_id"] for record in caplog.records} == {"r"}


@pytest.mark.parametrize("content", [True, False])
async def test_content_is_told_where_it_is_wanted(content: bool, caplog: pytest.LogCaptureFixture) -> None:  # noqa: FBT001
    agent = Agent(
        says([call("again", x="secret")], [call("crash", x="secret")]),
        instrument=LoggingObserver(logging.getLogger("agentgraph.desk"), include_content=content),
    )

    @agent.tool_plain
    def again(x: str) -> str:
        raise ModelRetry(x)

    @agent.tool_plain
    def crash(x: str) -> str:
        raise ValueError(x)

    with pytest.raises(ValueError, match="secret"):
        await agent.run("go", run_id="r")
    told = [text.removeprefix("run r: ") for text in said(caplog) if "tool " in text or "failed" in text]
    shown = [": {'x': 'secret'}", ": 'secret'", ": {'x': 'secret'}", ": secret", ": secret"] if content else [""] * 5
    assert told == [
        f"step 2: tool again is called{shown[0]}",
        f"step 2: tool again has to be called again{shown[1]}",
        f"step 4: tool crash is called{shown[2]}",
        f"step 4: tool crash did not return, ValueError{shown[3]}",
        f"failed, ValueError{shown[4]}",
    ]
    assert (caplog.records[-1].levelname, caplog.records[-1].name) == ("ERROR", "agentgraph.desk")


async def test_streams_are_told(caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(EventModel([PartStartEvent(0, TextPart("ok"))], ModelResponse([TextPart("ok")])))
    Agent.instrument_all(LoggingObserver())
    try:
        async with agent.run_stream("go"):
            pass
        with pytest.raises(RuntimeError):
            async with agent.run_stream("go", model=SilentModel()):
                pass
    finally:
        Agent.instrument_all(False)
    told = [text.partition("step 1: ")[2] for text in said(caplog) if " events " in text or " silent " in text]
    assert told == [
        "events is asked, 1 message(s)",
        "events begins to reply",
        "events replied",
        "silent is asked, 1 message(s)",
        "silent did not reply, UserError",
    ]


async def test_a_cancel_is_told(caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(says([call("hang")]), instrument=LoggingObserver())

    @agent.tool_plain
    async def hang() -> None:
        scope.cancel()
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await agent.run("go", run_id="r")
    call_ended, run_ended = said(caplog)[-2:]
    assert call_ended.startswith("run r: step 2: tool hang did not return, Cancelled")
    assert run_ended == "run r: cancelled"


async def test_a_call_that_waits_is_told(caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(says([call("order")]), instrument=LoggingObserver())

    @agent.tool_plain
    def order() -> str:
        raise CallDeferred

    with pytest.raises(RunWaiting):
        await agent.run("go", run_id="r")
    assert said(caplog)[-2:] == ["run r: step 2: tool order waits for an answer", "run r: waiting"]


async def test_any_graph_can_be_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async with tally.iter(
        Add(START), state=Tally(), observers=[LoggingObserver(include_content=True)], run_id="r"
    ) as r:
        r.ctx.emit("hello")
    assert said(caplog) == [
        "run r: started at step 0",
        "run r: step 0: emitted str: 'hello'",
        "run r: pending",
    ]


def test_a_further_attempt_is_told(caplog: pytest.LogCaptureFixture) -> None:
    LoggingObserver()(StepStarted("r", 2, 3, "Show"))
    assert said(caplog) == ["run r: step 2: Show begins, attempt 3"]


def test_what_is_not_logged_is_not_put_into_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "agentgraph")
    LoggingObserver()(StepStarted("r", 2, 3, "Show"))
    assert said(caplog) == []
