"""Runs that have to be done at a certain time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from agentgraph.clock import SystemClock
from agentgraph.exceptions import DeadlineExceeded, RunFenced, UserError
from agentgraph.graph import GraphRunContext, Interruption, Signal, Status, Store, absolute_deadline
from agentgraph.stores.samples import HandClock
from tests.graph.samples import ENTIRE, START, Add, Tally, at, tally

pytestmark = pytest.mark.anyio

LATER = datetime.now(UTC) + timedelta(days=365)


async def stuck(ctx: GraphRunContext[Tally, Any]) -> None:
    if ctx.seq == 1:
        await anyio.sleep_forever()


async def test_over_its_deadline_the_running_node_is_cancelled_and_the_run_fails(store: Store) -> None:
    with pytest.raises(DeadlineExceeded, match="run 'r' was not done at its deadline") as caught:
        await tally.run(Add(START), state=Tally(), deps=stuck, store=store, run_id="r", deadline=0.05)
    record = await store.load("r")
    assert (record.status, caught.value.run_id) == (Status.FAILED, "r")
    assert record.error == f"DeadlineExceeded: {caught.value}"


async def test_a_deadline_holds_on_resume_unless_given_anew(store: Store) -> None:
    with pytest.raises(DeadlineExceeded):
        await tally.run(Add(START), state=Tally(), deps=stuck, store=store, run_id="r", deadline=0.01)
    reached = (await store.load("r")).seq
    with pytest.raises(DeadlineExceeded):
        await tally.run(resume="r", store=store)
    assert (await store.load("r")).seq == reached
    assert (await tally.run(resume="r", store=store, deadline=LATER)).state.texts == ENTIRE


async def test_a_deadline_that_is_over_keeps_a_step_from_beginning(store: Store) -> None:
    ran: list[int] = []
    past = datetime.now(UTC) - timedelta(seconds=1)
    with pytest.raises(DeadlineExceeded):
        await tally.run(Add(START), state=Tally(count=2), deps=at(1, lambda: ran.append(1)), store=store, deadline=past)
    assert ran == []


async def test_a_deadline_holds_step_by_step_and_where_nothing_is_kept() -> None:
    async with tally.iter(Add(START), state=Tally(), deps=stuck, deadline=0.5) as run:
        await run.next()
        with pytest.raises(DeadlineExceeded):
            await run.next()


async def test_a_run_that_is_done_in_time_has_missed_nothing(store: Store) -> None:
    result = await tally.run(Add(START), state=Tally(), store=store, run_id="r", deadline=LATER)
    assert result.state.texts == ENTIRE
    assert (await tally.run(resume="r", store=store)).output == "again 3"


async def test_a_cancel_before_the_deadline_is_a_cancel(store: Store) -> None:
    with anyio.CancelScope() as scope:

        async def cancel(ctx: GraphRunContext[Tally, Any]) -> None:
            scope.cancel()
            await anyio.sleep_forever()

        await tally.run(Add(START), state=Tally(), deps=cancel, store=store, run_id="r", deadline=LATER)
    assert (await store.load("r")).status is Status.CANCELLED


@pytest.mark.parametrize("given", [datetime(2030, 1, 1), 0, -1, math.inf, math.nan, 1e300])  # noqa: DTZ001 - naive
async def test_a_deadline_that_makes_no_sense_is_refused(given: datetime | float) -> None:
    with pytest.raises(UserError, match=r"aware datetime|leave it out"):
        await tally.run(Add(START), state=Tally(), deadline=given)


async def test_what_was_told_before_a_scope_was_there_cancels_it() -> None:
    interruption = Interruption("r")
    interruption.ring(Signal.CANCEL)
    with anyio.CancelScope() as scope:
        interruption.hold(scope)
        await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_that_nothing_can_be_written_outranks_a_cancel() -> None:
    interruption = Interruption("r")
    for signal in (Signal.CANCEL, Signal.LOST, Signal.CANCEL):
        interruption.ring(signal, "a store")
    assert isinstance(interruption.error(1), RunFenced)


async def test_a_deadline_is_a_point_of_time() -> None:
    clock = HandClock()
    assert absolute_deadline(1.5, clock) == clock.now() + timedelta(seconds=1.5)
    assert absolute_deadline(LATER.astimezone(), clock) == LATER
    assert absolute_deadline(None, SystemClock()) is None
