"""What is told of submitted runs: to observers, in logs, as metrics."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import anyio
import psycopg
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from agentgraph import Agent
from agentgraph.distributed import LocalDispatcher, Served, open_dispatcher
from agentgraph.graph import (
    BaseNode,
    Dispatched,
    DispatchEvent,
    Emitted,
    End,
    Graph,
    GraphRunContext,
    HandedOn,
    Recovered,
    RunEvent,
    RunStarted,
    Status,
    Submitted,
)
from agentgraph.models.test import TestModel
from agentgraph.observe import DispatchMetrics, InstrumentationSettings, LoggingObserver
from agentgraph.stores import MemoryStore

from .fleet import is_now, until
from .jobs import Asks, Counted, Step, asker, counter
from .test_dispatchers import serving

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("marks")]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Ear:
    """Hears of what becomes of submitted runs; and which runs began here."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, DispatchEvent]] = []
        self.begun: list[str] = []

    def __call__(self, event: RunEvent) -> None:
        match event:
            case Emitted(event=Submitted() | Dispatched() | HandedOn() | Recovered() as what):
                self.heard.append((event.run_id, what))
            case RunStarted():
                self.begun.append(event.run_id)
            case _:
                pass


async def test_observers_of_a_dispatcher_are_told_of_its_runs() -> None:
    ear = Ear()
    async with open_dispatcher(observers=[ear]) as dispatcher, serving(dispatcher, counter):
        for _ in range(2):  # the second time, it is the same run
            await dispatcher.submit(counter, Step(2), state=Counted(), run_id="r", tenant="acme")
        await dispatcher.submit(counter, Step(2), state=Counted(), run_id="other", queue="of others")
        await dispatcher.result(counter, "r")
    heard = [what for run_id, what in ear.heard if run_id == "r"]
    submitted, begun = heard
    assert ("other", Submitted("of others")) in ear.heard
    assert submitted == Submitted("counter", "acme")
    assert isinstance(begun, Dispatched)
    assert (begun.queue, begun.tenant, begun.waited is not None and 0 <= begun.waited < 20) == ("counter", "acme", True)
    assert ear.begun == ["r"]


async def test_a_run_that_was_answered_says_not_how_long_it_has_waited() -> None:
    ear = Ear()
    async with open_dispatcher(observers=[ear]) as dispatcher, serving(dispatcher, asker):
        await dispatcher.submit(asker, Asks(1), state=Counted(), run_id="r")
        await until(dispatcher.store, "r", is_now(Status.WAITING))
        await dispatcher.store.answer("r", "number", 3)
        await dispatcher.result(asker, "r")
    assert ear.heard[2] == ("r", Dispatched("asker", None, None))


@dataclass
class Gate:
    """What a slow step waits for."""

    held: anyio.Event = field(default_factory=anyio.Event)
    go: anyio.Event = field(default_factory=anyio.Event)


@dataclass
class Slow(BaseNode[None, Gate, str]):
    async def run(self, ctx: GraphRunContext[None, Gate]) -> Last:
        ctx.deps.held.set()
        await ctx.deps.go.wait()
        return Last()


@dataclass
class Last(BaseNode[None, Gate, str]):
    async def run(self, ctx: GraphRunContext[None, Gate]) -> End[str]:
        return End("done")


slow = Graph(nodes=[Slow, Last], name="slow")


@pytest.mark.parametrize("grace", [30.0, 0.0])
async def test_a_run_that_is_handed_on_is_told(grace: float) -> None:
    ear, gate = Ear(), Gate()
    served = Served(slow, deps=lambda record: gate)
    async with open_dispatcher(observers=[ear]) as dispatcher:
        async with serving(dispatcher, served, options={"grace": grace}):
            await dispatcher.submit(slow, Slow(), run_id="r")
            await gate.held.wait()
            dispatcher.stop()
            await anyio.wait_all_tasks_blocked()
            if grace:  # the step ends in time
                gate.go.set()
        assert (await dispatcher.store.load("r")).status is Status.PENDING
        gate.go.set()
        async with serving(dispatcher, served):
            await dispatcher.result(slow, "r")
    assert [type(what) for _, what in ear.heard] == [Submitted, Dispatched, HandedOn, Dispatched]


async def test_a_run_of_an_agent_is_told_to_its_own_observers_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "agentgraph")
    agent = Agent(TestModel(), name="desk", instrument=LoggingObserver())
    async with LocalDispatcher(MemoryStore()) as dispatcher, serving(dispatcher, agent):
        await dispatcher.submit(agent, "go", run_id="r")
        await dispatcher.result(agent, "r")
    started, taken, ended = (record.getMessage() for record in caplog.records)
    assert (started, ended) == ("run r: started at step 0", "run r: succeeded")
    assert taken.startswith("run r: step 0: taken from queue desk after 0.")


async def test_a_run_whose_worker_has_died_is_told_by_who_saw_it(url: str, caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear()
    async with open_dispatcher(url, observers=[ear, LoggingObserver()]) as dispatcher:
        await dispatcher.submit(counter, Step(2), state=Counted(), run_id="r", tenant="acme")
        with psycopg.connect(url) as connection:
            take = b"UPDATE agentgraph_dbos.workflow_status SET status = 'PENDING', executor_id = 'lost'"
            connection.execute(take)
        async with serving(dispatcher, counter):
            await dispatcher.result(counter, "r")
    assert ear.heard[1] == ("r", Recovered("counter", "acme", "lost"))
    assert "run r: step 0: given back to queue counter for acme, for worker lost was lost" in caplog.text


def told(observer: LoggingObserver, caplog: pytest.LogCaptureFixture, event: DispatchEvent) -> tuple[str, str]:
    caplog.clear()
    observer(Emitted("r", 3, event))
    (record,) = caplog.records
    return record.levelname, record.getMessage()


@pytest.mark.parametrize(
    ("event", "level", "said"),
    [
        (Submitted("q"), "INFO", "submitted to queue q"),
        (Submitted("q", "acme"), "INFO", "submitted to queue q for acme"),
        (Dispatched("q", None, 1.5), "INFO", "taken from queue q after 1.50 s"),
        (Dispatched("q"), "INFO", "taken from queue q"),
        (HandedOn("q"), "INFO", "handed on to queue q"),
        (Recovered("q", None, "w"), "WARNING", "given back to queue q, for worker w was lost"),
    ],
)
def test_what_becomes_of_runs_is_logged(
    caplog: pytest.LogCaptureFixture, event: DispatchEvent, level: str, said: str
) -> None:
    caplog.set_level(logging.INFO, "agentgraph")
    assert told(LoggingObserver(), caplog, event) == (level, f"run r: step 3: {said}")


def test_metrics_count_by_queue() -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    observer = DispatchMetrics(InstrumentationSettings(meter_provider=meters))
    events = [Submitted("q", "acme"), Submitted("q"), Dispatched("q", None, 1.5), Dispatched("q"), HandedOn("q")]
    for event in (*events, Recovered("q")):
        observer(Emitted("r", 0, event))
    observer(RunStarted("r", 0))
    data = reader.get_metrics_data()
    assert data is not None
    metrics = data.resource_metrics[0].scope_metrics[0].metrics
    points = {metric.name.rpartition(".")[2]: metric.data.data_points for metric in metrics}
    counts = {name: point.value for name, (point, *_) in points.items() if isinstance(point, NumberDataPoint)}
    assert counts == {"submitted": 2, "handed_on": 1, "recovered": 1}
    (wait,) = points["wait"]
    assert isinstance(wait, HistogramDataPoint)
    assert (wait.count, wait.sum, wait.attributes) == (1, 1.5, {"agentgraph.queue": "q"})
