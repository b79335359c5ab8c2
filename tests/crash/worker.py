"""The process that is killed: `python -m tests.crash.worker` reads jobs, a line each, and forks a process for each.

A fork has everything imported, so that a crash costs milliseconds instead of the start of an interpreter. It is made
before this process has any thread or store, and shares nothing with the forks before it but the code.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import anyio
import trio
from pydantic_core import from_json

from agentgraph import AgentRunResult, RunWaiting, Usage
from agentgraph.agent.options import RunOptions
from agentgraph.agent.result import RunMessages
from agentgraph.graph import GraphRunOptions, GraphRunResult, Store
from agentgraph.stores import PostgresStore, SQLiteStore

from .crowd import crowd
from .desk import Verdict, desk, model
from .dying import CRASH_AT, DyingStore
from .jobs import PATIENCE, RUN_ID, Door, Job, Said, say
from .office import ALL_RUNS, Answering, Forking, Going, boss, next_deed, options as office_options
from .place import Place
from .rounds import Fetch, Sum, rounds
from .times import timeless
from .trees import walk_tree

Ending = dict[str, Any]  # Any: JSON
"""History, usage and result of a run, without times."""


def main() -> None:
    with TemporaryDirectory() as folder:
        warm_up(Path(folder))
    gc.collect()
    gc.freeze()  # what a fork never touches is never copied for it
    while line := sys.stdin.buffer.readline():
        job = Job.read(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            run_child(job)
            if job.exits:
                return  # the interpreter ends as it does after any script
            os._exit(0)
        os.close(writing)
        watch(job, child, reading)


def warm_up(folder: Path) -> None:
    """Do once what every fork would do anew, at a multiple of its other cost: imports, schemas."""
    for door in (Door.RUN, Door.RUN_STREAM, Door.GRAPH, Door.OFFICE):
        job = Job(folder=folder / door, door=door)
        job.folder.mkdir()
        while live_once(job) is None:
            job = replace(job, resume=True)
    trio.run(trio.lowlevel.checkpoint)
    for thread in threading.enumerate():  # a fork has none of its parent's threads
        if thread is not threading.main_thread():
            thread.join()


def live_once(job: Job) -> Ending | None:
    """One process's share, in this one."""
    store = SQLiteStore(job.store)
    try:
        return DOORS[job.door](Place(job, store))
    except (OSError, RunWaiting):
        return None
    finally:
        anyio.run(store.aclose)


def watch(job: Job, child: int, reading: int) -> None:
    """Wait for the end of a process; at the time its job names, kill it."""
    ended, _, _ = select.select([reading], [], [], PATIENCE if job.kill_after is None else job.kill_after)
    if not ended:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status = os.waitpid(child, 0)
    say(Said(pid=child, exit=os.waitstatus_to_exitcode(status)))


def run_child(job: Job) -> None:
    if job.crash is not None:
        os.environ[CRASH_AT] = str(job.crash)
    if job.sigterm_exits:
        signal.signal(signal.SIGTERM, _exit)
    if job.crowd:
        crowd(job, open_kept)
        return
    if job.program is not None:
        walk_tree(job.program, job, open_kept(job))
        return
    kept = open_kept(job)
    if job.room is not None:
        fill_the_disk(job, job.room)
    store = DyingStore(kept, job.told)
    try:
        ending = DOORS[job.door](Place(job, store))
    except BaseException as error:  # noqa: BLE001 - the worker reports whatever the run raises, interrupts included
        say(Said(pid=os.getpid(), raised=type(error).__name__, why=str(error), writes=store.writes))
    else:
        say(Said(pid=os.getpid(), ended=ending, writes=store.writes))


def open_kept(job: Job) -> Store:
    if job.schema:
        return PostgresStore(job.server, schema=job.schema, lease=job.lease)
    return SQLiteStore(job.store, lease=job.lease)


def fill_the_disk(job: Job, room: int) -> None:
    """Let no file grow much: what writes more gets an error, as from a disk that is full."""
    limit = max(path.stat().st_size for path in job.folder.iterdir() if path.is_file()) + room
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def agent_options(place: Place) -> RunOptions[Place]:
    options: RunOptions[Place] = {"store": place.store, "deps": place, "model": model(place)}
    options["resume" if place.job.resume else "run_id"] = RUN_ID
    return options


def prompt(place: Place) -> str | None:
    return None if place.job.resume else "Where is my parcel?"


def run(place: Place) -> Ending:
    async def work() -> AgentRunResult[Verdict]:
        return await desk.run(prompt(place), **agent_options(place))

    ended = anyio.run(work, backend=place.job.backend)
    return agent_ending(ended, ended.usage(), ended.data)


def run_sync(place: Place) -> Ending:
    ended = desk.run_sync(prompt(place), **agent_options(place))
    return agent_ending(ended, ended.usage(), ended.data)


def run_stream(place: Place) -> Ending:
    async def work() -> Ending:
        async with desk.run_stream(prompt(place), **agent_options(place)) as response:
            async for _ in response.stream(debounce_by=None):
                pass
            return agent_ending(response, response.usage(), await response.get_data())

    return anyio.run(work, backend=place.job.backend)


def agent_ending(messages: RunMessages, usage: Usage, data: Verdict) -> Ending:
    history, new = (from_json(timeless(each)) for each in (messages.all_messages_json(), messages.new_messages_json()))
    return {"history": history, "new": new, "usage": asdict(usage), "result": asdict(data)}


def office(place: Place) -> Ending | None:
    """Do what is to be done next; the end comes when there is nothing any more."""

    async def work() -> Ending | None:
        while (deed := await next_deed(place)) is not None:
            match deed:
                case Forking(step, made):
                    await boss.fork(RUN_ID, step=step, new_id=made, store=place.store)
                    continue
                case Answering():
                    await deed.do(place)
                case Going():
                    await GOING[place.job.door](place, deed)
            if await next_deed(place) is not None:
                return None
        return {run_id: await story_of(place, run_id) for run_id in ALL_RUNS}

    return anyio.run(work, backend=place.job.backend)


async def go(place: Place, going: Going) -> object:
    return await boss.run(None if going.resume else "Order it", **office_options(place, going))


async def stream(place: Place, going: Going) -> object:
    async with boss.run_stream(None if going.resume else "Order it", **office_options(place, going)) as response:
        async for _ in response.stream(debounce_by=None):
            pass
        return await response.get_data()


GOING: Mapping[Door, Callable[[Place, Going], Awaitable[object]]] = {Door.OFFICE: go, Door.OFFICE_STREAM: stream}


async def story_of(place: Place, run_id: str) -> Ending:
    """How a run has ended: nothing is executed any more."""
    ended = await boss.run(**office_options(place, Going(run_id, resume=True)))
    history = from_json(timeless(ended.all_messages_json()))
    return {"history": history, "usage": asdict(ended.usage()), "result": ended.data}


def graph_options(place: Place) -> GraphRunOptions[Sum, Place]:
    options = GraphRunOptions[Sum, Place](store=place.store, deps=place)
    if place.job.resume:
        options["resume"] = RUN_ID
    else:
        options["run_id"], options["state"] = RUN_ID, Sum()
    return options


def start(place: Place) -> Fetch | None:
    return None if place.job.resume else Fetch(0)


def run_graph(place: Place) -> Ending:
    async def work() -> GraphRunResult[Sum, int]:
        return await rounds.run(start(place), **graph_options(place))

    return graph_ending(anyio.run(work, backend=place.job.backend))


def run_graph_sync(place: Place) -> Ending:
    return graph_ending(rounds.run_sync(start(place), **graph_options(place)))


def graph_ending(ended: GraphRunResult[Sum, int]) -> Ending:
    return {"result": ended.output, "state": asdict(ended.state)}


DOORS: Mapping[Door, Callable[[Place], Ending | None]] = {
    Door.RUN: run,
    Door.RUN_SYNC: run_sync,
    Door.RUN_STREAM: run_stream,
    Door.GRAPH: run_graph,
    Door.GRAPH_SYNC: run_graph_sync,
    Door.OFFICE: office,
    Door.OFFICE_STREAM: office,
}


if __name__ == "__main__":
    main()
