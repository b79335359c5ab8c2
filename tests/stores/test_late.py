"""A process that was stopped while a write was on its way: it hears that its leases ran out before it does anything."""

from __future__ import annotations

import threading

import pytest

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
