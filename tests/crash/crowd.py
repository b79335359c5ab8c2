"""Processes that all resume the same runs at once."""

from __future__ import annotations

import os
import signal
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import anyio

from agentgraph.exceptions import RunBusy
from agentgraph.graph import BaseNode, End, Graph, GraphRunContext, Store
from agentgraph.graph.store import RunFilter

from .jobs import PATIENCE, Job, Said, say
from .marks import leave_mark

__all__ = ["LAST", "PROCESSES", "RUNS", "crowd"]

PROCESSES = 8
RUNS = [f"r{number}" for number in range(100)]
LAST = 2

TRIES = 4
"""How often a process asks for a run that others have; polling would keep these from the processor."""

OpenKept = Callable[[Job], Store]

Work = Callable[[], Awaitable[None]]


@dataclass
class Tally:
    total: int = 0


@dataclass
class Count(BaseNode[Tally, Job, int]):
    """Makes a call that leaves a mark; three steps in all."""

    number: int

    async def run(self, ctx: GraphRunContext[Tally, Job]) -> Count | End[int]:
        ctx.state.total += await ctx.once("mark", self.mark, ctx)
        return End(ctx.state.total) if self.number == LAST else Count(self.number + 1)

    async def mark(self, ctx: GraphRunContext[Tally, Job]) -> int:
        leave_mark(ctx.deps.marks, f"{ctx.run_id}/{ctx.seq}/mark")
        return self.number


counting: Graph[Tally, Job, int] = Graph(nodes=[Count], name="counting", state_type=Tally, run_end_type=int)


def crowd(job: Job, open_kept: OpenKept) -> None:
    """Create the runs, then have all processes resume all of them."""
    in_children([partial(create_all, job, open_kept)])
    line = os.pipe()
    works = [partial(resume_all, job, open_kept, line) for _ in range(PROCESSES)]
    in_children(works, line)


def in_children(works: Sequence[Work], line: Sequence[int] = ()) -> None:
    """Do each in a process of its own, all at once."""
    children = list[int]()
    for work in works:
        child = os.fork()
        if child == 0:
            live(work)
        children.append(child)
    for end in line:
        os.close(end)
    for child in children:
        os.waitpid(child, 0)


def live(work: Work) -> NoReturn:
    """The whole life of a process; what breaks it is said."""
    signal.alarm(int(PATIENCE))
    try:
        anyio.run(work)
    except BaseException as error:  # noqa: BLE001 - nobody else can tell
        say(Said(pid=os.getpid(), raised=repr(error)))
    os._exit(0)


async def create_all(job: Job, open_kept: OpenKept) -> None:
    store = open_kept(job)

    async def create(run_id: str) -> None:
        async with counting.iter(Count(0), state=Tally(), deps=job, store=store, run_id=run_id):
            pass

    async with anyio.create_task_group() as group:
        for run_id in RUNS:
            group.start_soon(create, run_id)
    await store.aclose()


async def resume_all(job: Job, open_kept: OpenKept, line: tuple[int, int]) -> None:
    """Resume each run a step at a time, until it has ended or was found busy a few times.

    Who has taken a step gives the run up and comes back to it, so who finds it busy may leave it to another process.
    """
    store = open_kept(job)
    await store.list(RunFilter(limit=1))
    toe_the(line)
    ended = dict[str, Any]()  # Any: as `Said` has it
    busy, left = Counter[str](), deque(RUNS)
    while left:
        run_id = left.popleft()
        try:
            total = await resume(run_id, job, store)
        except RunBusy:
            busy[run_id] += 1
            if busy[run_id] < TRIES:
                left.append(run_id)
            continue
        if total is None:
            left.append(run_id)
        else:
            ended[run_id] = total
    say(Said(pid=os.getpid(), ended=ended))
    await store.aclose()


async def resume(run_id: str, job: Job, store: Store) -> int | None:
    async with counting.iter(resume=run_id, deps=job, store=store) as run:
        await run.next()
        return None if run.result is None else run.result.output


def toe_the(line: tuple[int, int]) -> None:
    """Wait until every process has come here: a pipe ends when nobody can write to it any more."""
    reading, writing = line
    os.close(writing)
    os.read(reading, 1)
