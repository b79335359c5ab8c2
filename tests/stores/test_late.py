"""A process that was stopped while a write was on its way: it hears that its leases ran out before it does anything."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from agentgraph.exceptions import StoreError
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext
from agentgraph.graph.store import Signal
from agentgraph.stores import PostgresStore
from agentgraph.stores.samples import HandClock, call, new_run
from tests.postgres_server import fresh_schema, server_url

pytestmark = pytest.mark.anyio


class Stopped(HandClock):
    """Shows the event loop a time long after that of the thread that writes, once its process was stopped."""

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.get_ident()
        self.was_stopped = False

    def monotonic(self) -> float:
        return 60.0 if self.was_stopped and threading.get_ident() == self._here else 0.0


async def test_who_was_stopped_during_a_write_hears_of_it_with_its_answer() -> None:
    clock = Stopped()
    store, rung = PostgresStore(server_url(), schema=fresh_schema(), clock=clock), list[Signal]()
    run = await store.create(new_run())
    store.watch("r", run.epoch, lambda signal, _: rung.append(signal))
    await store.journal("r", run.epoch, call(0))
    assert rung == []
    clock.was_stopped = True
    await store.journal("r", run.epoch, call(0, "another"))
    assert rung == [Signal.LAPSED]
    await store.aclose()


async def test_who_was_stopped_since_it_claimed_a_run_hears_of_it_when_it_asks() -> None:
    clock = Stopped()
    store, rung = PostgresStore(server_url(), schema=fresh_schema(), clock=clock), list[Signal]()
    run = await store.create(new_run())
    lapsed = store.watch("r", run.epoch, lambda signal, _: rung.append(signal))
    assert not lapsed()
    assert rung == []
    clock.was_stopped = True
    assert lapsed()
    assert rung == [Signal.LAPSED]
    await store.aclose()


def never_made() -> str:
    pytest.fail("a call was made that another process may have made")


@dataclass
class Twice(BaseNode[None, Stopped, str]):
    """Its process is stopped between two calls."""

    async def run(self, ctx: GraphRunContext[None, Stopped]) -> End[str]:
        first = await ctx.once("first", str, "made")
        ctx.deps.was_stopped = True
        return End(first + await ctx.once("second", never_made))


async def test_who_was_stopped_between_two_calls_makes_no_further_one() -> None:
    clock = Stopped()
    store = PostgresStore(server_url(), schema=fresh_schema(), clock=clock)
    with pytest.raises(StoreError, match="ran out in step 0"):
        await Graph(nodes=[Twice], name="twice").run(Twice(), deps=clock, store=store, run_id="r")
    clock.was_stopped = False
    await store.aclose()
