"""Many processes on one place, and processes that are killed."""

from __future__ import annotations

import random
from contextlib import ExitStack

import pytest

from agentgraph.graph.lifecycle import Status
from agentgraph.graph.store import RunFilter
from agentgraph.stores.samples import call, new_run, step
from tests.stores.places import Place
from tests.stores.processes import Worker

pytestmark = pytest.mark.anyio


async def test_many_processes_open_a_fresh_place_and_commit_at_once(place: Place) -> None:
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("own", place.url, f"r{n}")) for n in range(6)]
        for worker in workers:
            worker.finish()
    store = place.open()
    runs = await store.list(RunFilter(status=Status.SUCCEEDED))
    assert sorted((run.run_id, run.seq, run.epoch) for run in runs) == [(f"r{n}", 21, 1) for n in range(6)]
    await store.aclose()


async def test_four_processes_share_a_run_and_every_step_happens_once(place: Place) -> None:
    store = place.open()
    await store.create(new_run())
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("share", place.url, "r")) for _ in range(4)]
        await store.aclose()
        said = [int(line) for worker in workers for line in worker.finish().split()]
    assert sorted(said) == list(range(30))
    store = place.open()
    run = await store.load("r")
    assert (run.status, run.seq) == (Status.SUCCEEDED, 30)
    assert [one.seq for one in await store.steps("r")] == list(range(-1, 30))
    await store.aclose()


@pytest.mark.parametrize("seed", range(5))
async def test_a_killed_process_leaves_exactly_what_it_was_told(place: Place, seed: int) -> None:
    with Worker("commit", place.url, "r") as worker:
        said = [int(worker.line()) for _ in range(random.Random(seed).randint(1, 60))]
        said += [int(line) for line in worker.kill().splitlines() if line]
    store = place.open()
    run = await store.claim("r")
    assert run.seq - 1 in (said[-1], said[-1] + 1)
    assert await store.steps("r") == [new_run().opening, *(step(seq) for seq in range(run.seq))]
    assert await store.calls("r") in ([], [call(run.seq)])
    await store.aclose()
