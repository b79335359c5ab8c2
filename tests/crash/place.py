"""Where a run takes place, as its tools and nodes see it: the marks they leave, the gate they may have to stand at."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.lowlevel

from agentgraph.graph import Store

from .jobs import RUN_ID, Job, Said, say
from .marks import leave_mark

__all__ = ["Place"]

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Handed to the run as its deps."""

    job: Job
    store: Store

    def done(self, call: str) -> None:
        """Leave the mark of a finished call."""
        leave_mark(self.job.marks, call)

    def made(self, key: str | None, value: T) -> T:
        """The end of a tool's call under this idempotency key."""
        assert key is not None
        self.done(key)
        return value

    def first_time(self) -> bool:
        """Whether no process of the run has asked before."""
        try:
            self.job.failed.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    async def wait_for_journal(self, calls: int) -> None:
        """Return when so many calls of the pending step are journaled."""
        while len(await self.store.calls(RUN_ID)) < calls:
            await anyio.lowlevel.checkpoint()

    async def pass_gate(self, name: str) -> None:
        """Stand here until the test opens the gate, if the job says so; a cancellation ends it."""
        if name not in self.job.gates:
            return
        _let_signals_wake()
        with self.job.gate(name).open("rb", buffering=0) as gate:
            say(Said(pid=os.getpid(), at=name))
            try:
                await anyio.wait_readable(gate)
            except anyio.get_cancelled_exc_class():
                say(Said(pid=os.getpid(), left=name))
                raise
            gate.read(1)

    def pass_gate_in_thread(self, name: str) -> None:
        """The same for sync code: nothing but the gate ends it."""
        if name in self.job.gates:
            with self.job.gate(name).open("rb", buffering=0) as gate:
                say(Said(pid=os.getpid(), at=name))
                gate.read(1)


def _let_signals_wake() -> None:
    """See to it that a signal wakes the event loop: asyncio does not see one that comes just before it waits."""
    with suppress(RuntimeError):  # it runs trio, or not in the main thread, which looks by itself
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, bool)
