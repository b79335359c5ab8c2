"""The plot: a worker begins the run and is killed in the middle of a batch of tools, another one takes the run up.

This process directs. It reads what the workers say, watches the store and the shop's database for the moment to
strike, and plays the person who takes escalations up: not before the kill, so that a tool is running when it comes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from anyio import to_thread
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from agentgraph.cli.screen import Screen
from agentgraph.cli.walk import RunFinished, walk_events
from agentgraph.exceptions import RunNotFound
from agentgraph.graph import Store

from .database import CallMade, Escalation, Shop
from .worker import Job, jobs

__all__ = ["Ended", "Moment", "Stage", "begin_and_kill", "go_on"]

PERSON = "Noor from quality"
WATCH_SECONDS = 0.02
PATIENCE_SECONDS = 3.0
"""How long an escalation waits for a refund beside it before a person takes it up although nothing was killed."""
LONGEST_LINE = 1 << 24
REFUND, ESCALATE = "refund_order", "escalate"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where the run takes place."""

    run_id: str
    store: Store
    store_path: str
    shop: Shop
    model: str
    base_url: str | None
    """None: the real service."""

    def job(self, prompt: str | None = None) -> str:
        """What a worker is told."""
        job = Job(
            store=self.store_path,
            shop=str(self.shop.path),
            run_id=self.run_id,
            model=self.model,
            base_url=self.base_url,
            prompt=prompt,
        )
        return jobs.dump_json(job).decode()

    def step_of(self, key: str) -> int:
        """The step that a call belongs to, by its idempotency key: run, step, position."""
        return int(key.removeprefix(f"{self.run_id}/").partition("/")[0])


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What had happened when it was looked at."""

    step: int = 0
    """The pending one."""
    refunded: bool = False
    """Whether money was given back; a call of the tool alone can have been refused."""
    kept: tuple[CallMade, ...] = ()
    """Calls of the pending step that are in the journal."""
    running: tuple[CallMade, ...] = ()
    """Calls of the pending step that have begun and are not."""
    committed: tuple[CallMade, ...] = ()
    """Calls of the steps before."""

    @property
    def is_within_batch(self) -> bool:
        """Whether the refund is journaled, and all that still runs waits for a person."""
        return self.refunded and _refunds(self.kept) and {call.tool for call in self.running} == {ESCALATE}

    @property
    def is_due(self) -> bool:
        """Whether to strike: within the batch, or after it if the model made none."""
        return self.is_within_batch or (self.refunded and _refunds(self.committed))


@dataclass
class Ended:
    """A worker that has ended."""

    pid: int = 0
    exit_code: int = 0
    result: str | None = None
    """The run's result as JSON, if it came to one."""
    killed_at: Moment | None = None
    """What had happened when it was killed, if it was."""


async def begin_and_kill(stage: Stage, prompt: str, screen: Screen) -> Ended:
    """Begin the run in a worker and kill that once the refund is journaled."""
    ended = await _perform(stage.job(prompt), screen, partial(_strike, stage))
    if ended.killed_at is not None:
        ended.killed_at = await look(stage)  # it may have done more before the signal arrived
    return ended


async def go_on(stage: Stage, screen: Screen) -> Ended:
    """Take the run up in another worker, and bring it to its end."""
    return await _perform(stage.job(), screen, partial(_attend, stage))


async def look(stage: Stage) -> Moment:
    """What has happened so far. The calls are read first: what has begun may have ended by the time it is sorted."""
    calls = await to_thread.run_sync(lambda: stage.shop.calls)
    try:
        run = await stage.store.load(stage.run_id)
    except RunNotFound:
        return Moment()
    journal = {f"{stage.run_id}/{row.seq}/{row.key}" for row in await stage.store.calls(stage.run_id)}
    pending = [call for call in calls if stage.step_of(call.key) >= run.seq]
    return Moment(
        step=run.seq,
        refunded=bool(stage.shop.refunds),
        kept=tuple(call for call in pending if call.key in journal),
        running=tuple(call for call in pending if call.key not in journal),
        committed=tuple(call for call in calls if stage.step_of(call.key) < run.seq),
    )


async def _perform(job: str, screen: Screen, beside: Callable[[Process, Ended], Coroutine[Any, Any, None]]) -> Ended:
    """Run a worker to its end and show what it says; `beside` runs as long."""
    ended = Ended()
    async with _worker(job) as process, anyio.create_task_group() as group:
        ended.pid = process.pid
        group.start_soon(beside, process, ended)
        await _show(process, screen, ended)
        group.cancel_scope.cancel()
    return ended


async def _strike(stage: Stage, process: Process, ended: Ended) -> None:
    while not (moment := await look(stage)).is_due:
        await _take_up(stage, _lonely(moment, stage))
        await anyio.sleep(WATCH_SECONDS)
    ended.killed_at = moment
    _kill(process)


async def _attend(stage: Stage, _process: Process, _ended: Ended) -> None:
    while True:
        await _take_up(stage, stage.shop.escalations)
        await anyio.sleep(WATCH_SECONDS)


async def _take_up(stage: Stage, escalations: list[Escalation]) -> None:
    for each in escalations:
        if each.person is None:
            await to_thread.run_sync(stage.shop.take_up, each.key, PERSON)


def _lonely(moment: Moment, stage: Stage) -> list[Escalation]:
    # A model that escalates first and refunds later would wait for the kill, and the kill for it.
    if _refunds((*moment.kept, *moment.running)):
        return []
    long_ago = time.time() - PATIENCE_SECONDS
    return [each for each in stage.shop.escalations if each.opened_at < long_ago]


async def _show(process: Process, screen: Screen, ended: Ended) -> None:
    assert process.stdout is not None
    lines = BufferedByteReceiveStream(process.stdout)
    try:
        while True:
            event = walk_events.validate_json(await lines.receive_until(b"\n", LONGEST_LINE))
            screen.tell(event)
            if isinstance(event, RunFinished):
                ended.result = event.result
    except (anyio.EndOfStream, anyio.IncompleteRead):
        screen.close()
    ended.exit_code = await process.wait()


@asynccontextmanager
async def _worker(job: str) -> AsyncGenerator[Process]:
    command = [sys.executable, "-P", "-m", f"{__package__}.worker", job]
    # A session of its own: Ctrl-C is for this process, which then ends the worker.
    opened = anyio.open_process(command, stdin=None, stderr=None, env=_environment(), start_new_session=True)
    async with await opened as process:
        try:
            yield process
        except BaseException:
            _kill(process)
            raise


def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):  # it was quicker, and has ended
        process.kill()


def _environment() -> Mapping[str, str]:
    # The model server is on this machine, whatever proxy leads out of it.
    spared = {name: f"127.0.0.1,{os.environ.get(name, '')}".rstrip(",") for name in ("NO_PROXY", "no_proxy")}
    return {**os.environ, **spared}


def _refunds(calls: tuple[CallMade, ...]) -> bool:
    return any(call.tool == REFUND for call in calls)
