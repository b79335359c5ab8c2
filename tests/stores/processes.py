"""Other processes that use a store: the test's side, and what they run (`python -m tests.stores.processes`)."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from types import TracebackType
from typing import Self

import anyio
import anyio.lowlevel

from agentgraph.exceptions import RunBusy
from agentgraph.graph.lifecycle import Event, Status
from agentgraph.graph.store import RunRecord, Store
from agentgraph.stores import open_store
from agentgraph.stores.samples import call, new_run, next_commit, settlement
from tests.shared_data import REPOSITORY


class Worker:
    """A process that says what it has done, a line each."""

    def __init__(self, *args: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.processes", *args],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def line(self) -> str:
        """The next line it writes; empty at its end."""
        return self._output.readline().strip()

    def kill(self) -> str:
        """End it with SIGKILL; returns what else it had written."""
        self._process.kill()
        return self._end()

    def finish(self) -> str:
        """Wait for its end; returns what it wrote."""
        written = self._end()
        assert self._process.returncode == 0
        return written

    def _end(self) -> str:
        written = "" if self._output.closed else self._output.read()
        self._output.close()
        self._process.wait()
        return written


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def hold(store: Store, run_id: str) -> None:
    """Own a run until killed."""
    await store.create(new_run(run_id))
    say("held")
    await anyio.sleep_forever()


async def commit_forever(store: Store, run_id: str) -> None:
    """Say the number of every step as soon as it is committed."""
    run = await store.create(new_run(run_id))
    while True:
        await store.journal(run_id, run.epoch, call(run.seq))
        await store.commit(next_commit(run, journaled=True))
        say(run.seq)
        run = await store.load(run_id)


async def finish_own(store: Store, run_id: str) -> None:
    """Take a run of one's own through 20 steps."""
    run = await store.create(new_run(run_id))
    for _ in range(20):
        await store.commit(next_commit(run))
        run = await store.load(run_id)
    await store.commit(next_commit(run, Status.SUCCEEDED))


async def share(store: Store, run_id: str) -> None:
    """Take a run that others work on too three steps further whenever it is free, up to 30; say each."""
    while (run := await claim_free(store, run_id)).status is not Status.SUCCEEDED:
        for _ in range(3):
            status = Status.SUCCEEDED if run.seq == 29 else Status.RUNNING
            await store.commit(next_commit(run, status))
            say(run.seq)
            run = await store.load(run_id)
        if run.status is Status.RUNNING:
            await store.settle(settlement(run, Event.RELEASE))


async def claim_free(store: Store, run_id: str) -> RunRecord:
    while True:
        try:
            return await store.claim(run_id)
        except RunBusy:
            await anyio.lowlevel.checkpoint()


async def forget(store: Store, run_id: str) -> None:
    """Leave without a word, the store open and a run held."""
    await store.create(new_run(run_id))


async def main(job: str, url: str, run_id: str) -> None:
    jobs = {"hold": hold, "commit": commit_forever, "own": finish_own, "share": share, "forget": forget}
    where, _, schema = url.partition("#")
    store = open_store(where, synchronous="NORMAL", schema=schema or "agentgraph")
    await jobs[job](store, run_id)
    if job != "forget":
        await store.aclose()


if __name__ == "__main__":
    anyio.run(partial(main, *sys.argv[1:]))
