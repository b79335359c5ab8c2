"""What observers are told, and when."""

from __future__ import annotations

from typing import Any

import pytest

from agentgraph.exceptions import RunCancelled
from agentgraph.graph import GraphRunContext, RunEnded, RunEvent, Status
from agentgraph.stores import MemoryStore
from tests.graph.samples import START, Add, Line, Show, Tally, failing, tally, told

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kept", [True, False])
async def test_a_run_tells_what_happens_in_order(kept: bool) -> None:  # noqa: FBT001 - a parameter of the test
    events: list[RunEvent] = []
    also: list[RunEvent] = []

    async def say(ctx: GraphRunContext[Tally, Any]) -> None:
        ctx.emit("hello")

    await tally.run(
        Add(START),
        state=Tally(count=2),
        deps=say,
        store=MemoryStore() if kept else None,
        observers=[events.append, also.append],
    )
    assert told(events) == ["run from 0", "0 Add", "0 -> Show", "1 Show", "said hello", "1 -> End", "run succeeded"]
    assert also == events


@pytest.mark.parametrize("kept", [True, False])
async def test_a_failure_is_told(kept: bool) -> None:  # noqa: FBT001 - a parameter of the test
    events: list[RunEvent] = []
    store = MemoryStore() if kept else None
    with pytest.raises(KeyError):
        await tally.run(
            Add(START),
            state=Tally(),
            deps=failing(1, KeyError("x")),
            store=store,
            run_id="r",
            observers=[events.append],
        )
    assert told(events)[-2:] == ["1 Show", "run failed"]
    assert events[-1] == RunEnded("r", Status.FAILED, "KeyError: 'x'")


async def test_leaving_and_resuming_are_told(memory: MemoryStore) -> None:
    events: list[RunEvent] = []
    async with tally.iter(Add(START), state=Tally(), store=memory, run_id="r", observers=[events.append]) as run:
        await run.next()
    async with tally.iter(resume="r", store=memory, observers=[events.append]):
        pass
    assert told(events) == ["run from 0", "0 Add", "0 -> Show", "run pending", "run from 1", "run pending"]


async def test_a_cancel_from_elsewhere_is_told(memory: MemoryStore) -> None:
    events: list[RunEvent] = []
    async with tally.iter(Add(START), state=Tally(), store=memory, run_id="r", observers=[events.append]) as run:
        await memory.cancel("r")
        with pytest.raises(RunCancelled):
            await run.next()
    assert told(events) == ["run from 0", "0 Add", "0 -> Show", "run cancelled"]


class Annoyed:
    """An observer that raises at an event."""

    def __init__(self, at: str) -> None:
        self.at = at

    def __call__(self, event: RunEvent) -> None:
        if told([event]) == [self.at]:
            raise ZeroDivisionError(self.at)


@pytest.mark.parametrize("at", ["run from 0", "0 Add", "0 -> Show"])
async def test_what_an_observer_raises_fails_the_run(at: str, memory: MemoryStore) -> None:
    with pytest.raises(ZeroDivisionError):
        await tally.run(Add(START), state=Tally(), store=memory, run_id="r", observers=[Annoyed(at)])
    record = await memory.load("r")
    assert (record.status, record.error) == (Status.FAILED, f"ZeroDivisionError: {at}")
    assert (await tally.run(resume="r", store=memory)).output == "again 3"


async def test_an_observer_that_raises_at_the_end_changes_nothing(memory: MemoryStore) -> None:
    with pytest.raises(ZeroDivisionError):
        await tally.run(
            Show(Line("x")), state=Tally(count=3), store=memory, run_id="r", observers=[Annoyed("run succeeded")]
        )
    assert (await tally.run(resume="r", store=memory)).output == "x"
