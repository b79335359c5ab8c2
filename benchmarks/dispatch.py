"""Runs that are submitted and executed by workers, on PostgreSQL: how soon they begin, what that costs, how many.

Beside it the floor: the same runs, executed directly on the same store by as many processes, without a dispatcher. The
server is one of the tests, which flushes nothing to a disk, on the machine that all of it runs on: the figures are what
agentgraph, DBOS and PostgreSQL compute, not what a disk does.

    python -m benchmarks.dispatch
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
import psycopg

from agentgraph.distributed import DBOSDispatcher
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext
from agentgraph.stores import PostgresStore
from tests.distributed.fleet import database

__all__ = ["dispatch_cost", "idle_worker", "start_latency", "throughput"]

Row = dict[str, float | str]

SIDE_BY_SIDE = 64
"""Runs that a process executes at once."""

WORKER = "benchmarks.dispatch:begun"
DIRECT = "--direct"

PROC, TICKS = Path("/proc"), os.sysconf("SC_CLK_TCK")

AHEAD = 5.0
"""Seconds in which all runs are submitted that are to begin together."""


@dataclass(frozen=True)
class Mark:
    """When and where a run ended."""

    at: float
    """By a clock that all processes of the machine have."""
    cpu: float
    """Seconds that the process had computed by then."""
    pid: int


@dataclass
class Work(BaseNode[None, None, Mark]):
    """A step of a run of so many."""

    left: int

    async def run(self, ctx: GraphRunContext) -> Work | End[Mark]:
        """Take a step, or end."""
        del ctx
        if self.left > 1:
            return Work(self.left - 1)
        return End(Mark(time.perf_counter(), time.process_time(), os.getpid()))


begun = Graph(nodes=[Work], name="begun")


def start_latency(runs: int = 60) -> Row:
    """Milliseconds from `submit` to the end of the first step, where an idle worker waits for runs, one at a time."""
    with database() as url, _workers(url, 1):
        waits, submits = anyio.run(_one_by_one, url, runs)
    return {
        "workload": "a dispatched run begins, idle worker",
        "median ms": _quantile(waits, 0.5) * 1e3,
        "95 % ms": _quantile(waits, 0.95) * 1e3,
        "submit ms": _quantile(submits, 0.5) * 1e3,
    }


def idle_worker(seconds: float = 10.0) -> Row:
    """What a worker of one queue costs that has nothing to do: CPU, of itself and of the server, and connections."""
    with database() as url, _workers(url, 1) as processes:
        anyio.run(_wait_for, url, 1)
        before, worker = _server_cpu(url), _cpu(processes[0].pid)
        time.sleep(seconds)
        server, worker = _server_cpu(url) - before, _cpu(processes[0].pid) - worker
        connections = _connections(url)
    return {
        "workload": "an idle worker",
        "worker ms/s": worker / seconds * 1e3,
        "server ms/s": server / seconds * 1e3,
        "connections": connections,
    }


def dispatch_cost(runs: int = 300, steps: int = 3) -> Row:
    """Milliseconds of CPU of a run that is submitted and served, of submitter and worker, and of one run directly.

    The worker's are those between the ends of the first and the last run, so its looks into idle queues count.
    """
    with database() as url, _workers(url, 1):
        submitter, marks = anyio.run(_submit_and_mark, url, runs, steps)
    worker = (max(mark.cpu for mark in marks) - min(mark.cpu for mark in marks)) / (runs - 1)
    with database() as url:
        direct = anyio.run(_direct_cpu, url, runs, steps)
    dispatched = submitter + worker
    return {
        "workload": f"CPU of a dispatched run of {steps} steps",
        "submitter ms": submitter * 1e3,
        "worker ms": worker * 1e3,
        "direct ms": direct * 1e3,
        "dispatch ms": (dispatched - direct) * 1e3,
    }


def throughput(workers: int, runs: int = 300, steps: int = 20) -> Row:
    """Runs and steps a second of so many workers, and of as many processes that execute the same runs directly.

    Beside them what the server computes for a run, and the bytes that runs and what stood in queues leave.
    """
    with database() as url, _workers(url, workers):
        submitting, working, server = anyio.run(_together, url, workers, runs, steps)
        queued, stored = _size(url, "agentgraph_dbos"), _size(url, "agentgraph")
    with database() as url:
        before = _server_cpu(url)
        floor = _directly(url, workers, runs, steps)
        direct = _server_cpu(url) - before
    return {
        "workload": f"{runs} runs of {steps} steps, {workers} worker(s)",
        "submits/s": runs / submitting,
        "runs/s": runs / working,
        "steps/s": runs * steps / working,
        "direct steps/s": runs * steps / floor,
        "of direct": floor / working,
        "server ms/run": server / runs * 1e3,
        "direct server ms/run": direct / runs * 1e3,
        "KB/run": stored / runs / 1e3,
        "queue KB/run": queued / runs / 1e3,
    }


@contextmanager
def _workers(url: str, count: int) -> Generator[list[subprocess.Popen[bytes]]]:
    """Worker processes that serve within the block."""
    command = [sys.executable, "-m", "agentgraph.cli", "worker", WORKER, "--store", url]
    options = ["--concurrency", str(SIDE_BY_SIDE)]
    started = [subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


async def _one_by_one(url: str, runs: int) -> tuple[list[float], list[float]]:
    """For how long each run had to wait, and its submitter."""
    waits: list[float] = []
    submits: list[float] = []
    async with DBOSDispatcher(url) as dispatcher:
        await _result(dispatcher, await dispatcher.submit(begun, Work(1)))  # until the worker is there
        for _ in range(runs):
            await anyio.sleep(random.uniform(0.1, 0.3))  # at any moment between two of its looks
            asked = time.perf_counter()
            run_id = await dispatcher.submit(begun, Work(1))
            submits.append(time.perf_counter() - asked)
            waits.append((await _result(dispatcher, run_id)).at - asked)
    return waits, submits


async def _submit_and_mark(url: str, runs: int, steps: int) -> tuple[float, list[Mark]]:
    """Seconds that submitting a run has computed, and the marks of all."""
    async with DBOSDispatcher(url) as dispatcher:
        await _result(dispatcher, await dispatcher.submit(begun, Work(1)))
        before = time.process_time()
        ids = [await dispatcher.submit(begun, Work(steps)) for _ in range(runs)]
        spent = (time.process_time() - before) / runs
        return spent, [await _result(dispatcher, run_id) for run_id in ids]


async def _together(url: str, workers: int, runs: int, steps: int) -> tuple[float, float, float]:
    """Seconds of submitting and of working; seconds that the server has computed meanwhile."""
    async with DBOSDispatcher(url) as dispatcher:
        await _until_served(dispatcher, workers)
        before, began = _server_cpu(url), time.perf_counter()
        opens = began + AHEAD

        async def submit(number: int) -> None:
            delay = opens - time.perf_counter()  # all become ready at once
            await dispatcher.submit(begun, Work(steps), run_id=f"run-{number}", delay=delay)

        async with anyio.create_task_group() as group:
            for number in range(runs):
                group.start_soon(submit, number)
        submitted = time.perf_counter()
        ended = [(await _result(dispatcher, f"run-{number}")).at for number in range(runs)]
        return submitted - began, max(ended) - opens, _server_cpu(url) - before


async def _until_served(dispatcher: DBOSDispatcher, workers: int) -> None:
    while True:
        if len((await dispatcher.state()).workers) == workers:
            return
        await anyio.sleep(0.1)


def _size(url: str, schema: str) -> int:
    """Bytes of the tables and indexes of a schema."""
    query = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class AS c WHERE relnamespace = %s::regnamespace"
    with psycopg.connect(url) as connection:
        row = connection.execute(f"{query} AND relkind = 'r'".encode(), (schema,)).fetchone()
    assert row is not None
    return int(row[0])


def _server_cpu(url: str) -> float:
    """Seconds that the server has computed so far, as the /proc of this machine has it."""
    with psycopg.connect(url) as connection:
        server = _stat(connection.info.backend_pid)[1]
        processes = [_stat(int(path.name)) for path in PROC.iterdir() if path.name.isdigit()]
        own = sum(_stat(server)[11:15])  # those that have ended included
    return (own + sum(stat[11] + stat[12] for stat in processes if stat[1] == server)) / TICKS


def _cpu(pid: int) -> float:
    return sum(_stat(pid)[11:13]) / TICKS


def _connections(url: str) -> int:
    """How many there are to a database, but for the one that asks."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


async def _wait_for(url: str, workers: int) -> None:
    async with DBOSDispatcher(url) as dispatcher:
        await _until_served(dispatcher, workers)
        await anyio.sleep(2)


def _stat(pid: int) -> list[int]:
    """What /proc says of a process: its parent second, its time from the twelfth on."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return [0] * 15
    return [0, *map(int, fields[1:15])]


async def _result(dispatcher: DBOSDispatcher, run_id: str) -> Mark:
    with anyio.fail_after(120):
        return (await dispatcher.result(begun, run_id)).output


async def _direct_cpu(url: str, runs: int, steps: int) -> float:
    store = PostgresStore(url)
    await begun.run(Work(1), store=store, run_id="warm")
    before = time.process_time()
    await _execute(store, [f"run-{number}" for number in range(runs)], steps)
    spent = time.process_time() - before
    await store.aclose()
    return spent / runs


async def _execute(store: PostgresStore, ids: Sequence[str], steps: int) -> None:
    """Execute runs, so many at once."""
    left = [*ids]

    async def some() -> None:
        while left:
            await begun.run(Work(steps), store=store, run_id=left.pop())

    async with anyio.create_task_group() as group:
        for _ in range(SIDE_BY_SIDE):
            group.start_soon(some)


def _directly(url: str, processes: int, runs: int, steps: int) -> float:
    """Seconds that so many processes need for these runs."""
    command = [sys.executable, "-m", "benchmarks.dispatch", DIRECT, url, str(steps)]
    started = [
        subprocess.Popen(
            [*command, *(f"run-{number}" for number in range(first, runs, processes))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(processes)
    ]
    outs = [process.stdout for process in started]
    for out in outs:
        assert out is not None
        out.readline()  # it is ready
    began = time.perf_counter()
    for process in started:
        assert process.stdin is not None
        process.stdin.close()  # go
    ended = [float(out.readline()) for out in outs if out is not None]
    for process in started:
        process.wait()
    return max(ended) - began


async def _one_of_them(url: str, steps: int, ids: Sequence[str]) -> None:
    """Execute these runs as soon as told to."""
    store = PostgresStore(url)
    await begun.run(Work(1), store=store)
    print("ready", flush=True)
    await anyio.to_thread.run_sync(sys.stdin.read)
    await _execute(store, ids, steps)
    print(time.perf_counter(), flush=True)
    await store.aclose()


def _quantile(values: Sequence[float], which: float) -> float:
    return sorted(values)[int(len(values) * which)]


def _rows() -> Generator[Row]:
    """Each as soon as it is measured."""
    yield start_latency()
    yield idle_worker()
    yield dispatch_cost()
    for workers in (1, 2, 3):
        yield throughput(workers)
    yield throughput(2, 1_000, 1)


def main() -> None:
    """Measure and print."""
    for row in _rows():
        figures = "  ".join(f"{name} {value:.3g}" for name, value in row.items() if isinstance(value, float | int))
        print(f"{row['workload']:<42} {figures}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == [DIRECT]:
        anyio.run(_one_of_them, sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    else:
        main()
