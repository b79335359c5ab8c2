"""How queues and workers stand, seen from another process."""

from __future__ import annotations

import anyio
import pytest

from agentgraph.distributed import DBOSDispatcher, Limits, Load, Rate, open_dispatcher
from agentgraph.graph import RunEvent, Status, StepEnded

from .fleet import is_now, until
from .jobs import Counted, Hold, Step, counter, holder

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def test_queues_and_workers_are_seen_from_anywhere(url: str) -> None:
    ready = anyio.Event()
    limits = Limits(concurrency=1, rate=Rate(9, 3.0))
    async with DBOSDispatcher(url) as dispatcher, anyio.create_task_group() as group:
        await dispatcher.limit("holder", limits)
        first = await dispatcher.submit(holder, Hold(60), state=Counted())
        await dispatcher.submit(holder, Hold(60), state=Counted())
        await dispatcher.submit(holder, Hold(60), state=Counted(), delay=60)
        group.start_soon(lambda: dispatcher.serve([holder], ready=ready.set, grace=0.01))
        await ready.wait()
        await until(dispatcher.store, first, is_now(Status.RUNNING))
        state = await dispatcher.state()
        dispatcher.stop()
        (queue,), (worker,) = state.queues, state.workers
        assert (queue.name, queue.limits, queue.tenants) == ("holder", limits, {"-": queue.load})
        assert queue.load == Load(waiting=1, running=1, delayed=1)
        assert queue.oldest is not None
        assert (worker.status, [*worker.queues], worker.silent < 15) == ("serving", ["holder"], True)


async def test_limits_are_read_as_they_were_set(url: str) -> None:
    limits = {
        "none": Limits(per_worker=None),
        "bounds": Limits(concurrency=7, per_worker=3, per_tenant=2, poll=0.5),
        **{
            f"per {seconds}": Limits(rate=Rate(3, seconds), rate_per_tenant=Rate(1, seconds))
            for seconds in (1e-10, 0.1, 0.33, 1, 1.9, 2, 2.1, 60, 86_400)
        },
    }
    async with DBOSDispatcher(url) as dispatcher:
        for name, each in limits.items():
            await dispatcher.limit(name, each)
        assert {queue.name: queue.limits for queue in (await dispatcher.state()).queues} == limits


@pytest.mark.parametrize("where", ["memory", "postgres"])
async def test_observers_are_told_of_the_runs_that_are_executed(where: str, request: pytest.FixtureRequest) -> None:
    told: list[RunEvent] = []
    url = ":memory:" if where == "memory" else request.getfixturevalue("url")
    async with open_dispatcher(url, observers=[told.append]) as dispatcher:
        run_id = await dispatcher.submit(counter, Step(2), state=Counted())
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: dispatcher.serve([counter]))
                await dispatcher.result(counter, run_id)
                dispatcher.stop()
    assert [event.seq for event in told if isinstance(event, StepEnded)] == [0, 1]


async def test_who_serves_in_this_process_is_its_worker() -> None:
    ready = anyio.Event()
    async with open_dispatcher() as dispatcher, anyio.create_task_group() as group:
        group.start_soon(lambda: dispatcher.serve([counter], ready=ready.set))
        await ready.wait()
        (worker,) = (await dispatcher.state()).workers
        dispatcher.stop()
        assert (worker.status, worker.concurrency, [*worker.queues]) == ("serving", 100, ["counter"])
