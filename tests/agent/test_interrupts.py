"""Runs that Ctrl-C or asyncio itself cancels, which no cancel scope holds back."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from pathlib import Path

import anyio
import pytest
from anyio import from_thread

from agentgraph import Agent, SQLiteStore
from agentgraph.concurrency import called_in_loop
from agentgraph.graph import RunRecord, Status
from agentgraph.messages import ModelMessage, ModelResponse, TextPart
from agentgraph.models.function import AgentInfo, FunctionModel
from tests.agent.scripted import call, says

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture
def _interruptible() -> Generator[None]:
    """Let an interrupt arrive as it does in a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


class Interrupt:
    """Interrupts the program as Ctrl-C does, from a thread, and waits until its event loop has seen that."""

    def __init__(self) -> None:
        self._seen = threading.Event()
        self._see = called_in_loop(self._seen.set)

    def __call__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        self._see()
        self._seen.wait()


class Scales:
    """An agent with a tool that a thread runs; `meanwhile` happens in its first call."""

    def __init__(self, file: Path, meanwhile: Callable[[], object]) -> None:
        self.store, self.meanwhile, self.made = SQLiteStore(file), meanwhile, 0
        self.agent = Agent(says([call("weigh", "a")], "done"), store=self.store)
        self.agent.tool_plain(self.weigh)

    def weigh(self) -> str:
        if not self.made:
            self.meanwhile()
        self.made += 1
        return "3 kg"

    async def check_kept(self) -> None:
        record = await self.store.load("r")
        assert (record.status, record.owner, self.made) == (Status.CANCELLED, None, 1)
        assert (await self.agent.run(resume="r")).data == "done"
        assert self.made == 1


@BACKENDS
@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_waits_for_the_thread_of_a_lone_tool_and_keeps_what_it_did(file: Path, backend: str) -> None:
    async def main() -> None:
        scales.meanwhile = Interrupt()
        await scales.agent.run("Go on", run_id="r")

    scales = Scales(file, bool)
    with pytest.raises(KeyboardInterrupt):
        anyio.run(main, backend=backend)
    anyio.run(scales.check_kept, backend=backend)
    anyio.run(scales.store.aclose)


@BACKENDS
@pytest.mark.usefixtures("_interruptible")
def test_an_interrupted_stream_is_closed_and_what_had_come_is_kept(file: Path, backend: str) -> None:
    closed: list[int] = []

    async def tell(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        try:
            yield "Once "
            called_in_loop(threading.Thread(target=Interrupt()).start)()
            await anyio.sleep_forever()
        finally:
            closed.append(len(messages))

    async def main() -> None:
        async with agent.run_stream("Go on", run_id="r") as response:
            await response.get_data()

    async def look() -> tuple[RunRecord, ModelMessage]:
        async with agent.iter(resume="r") as run:
            return await store.load("r"), run.ctx.state.message_history[-1]

    store = SQLiteStore(file)
    agent = Agent(FunctionModel(stream_function=tell), store=store)
    with pytest.raises(KeyboardInterrupt):
        anyio.run(main, backend=backend)
    assert (anyio.run(store.load, "r").status, closed) == (Status.CANCELLED, [1])
    record, kept = anyio.run(look)
    assert isinstance(kept, ModelResponse)
    assert (record.pending, kept.state, kept.parts) == ("ModelRequestNode", "interrupted", [TextPart("Once ")])
    anyio.run(store.aclose)


async def cancelled(run: Awaitable[object], begun: asyncio.Event) -> tuple[asyncio.Future[object], type[BaseException]]:
    task = asyncio.ensure_future(run)
    await begun.wait()
    task.cancel()
    return task, asyncio.CancelledError


async def timed_out(run: Awaitable[object], begun: asyncio.Event) -> tuple[asyncio.Future[object], type[BaseException]]:
    timeout = asyncio.timeout(None)

    async def timed() -> object:
        async with timeout:
            return await run

    task = asyncio.ensure_future(timed())
    await begun.wait()
    timeout.reschedule(0)
    while not timeout.expired():  # noqa: ASYNC110 - it sets no event
        await asyncio.sleep(0)
    return task, TimeoutError


@pytest.mark.parametrize("stop", [cancelled, timed_out])
def test_a_cancelled_task_waits_for_the_thread_of_a_lone_tool(
    file: Path,
    stop: Callable[[Awaitable[object], asyncio.Event], Awaitable[tuple[asyncio.Future[object], type[BaseException]]]],
) -> None:
    async def main() -> None:
        begun, stopping = asyncio.Event(), threading.Event()

        def meanwhile() -> None:
            from_thread.run_sync(begun.set)
            stopping.wait()

        scales.meanwhile = meanwhile
        task, error = await stop(scales.agent.run("Go on", run_id="r"), begun)
        await asyncio.sleep(0)
        assert not task.done()
        stopping.set()
        with pytest.raises(error):
            await task
        await scales.check_kept()
        await scales.store.aclose()

    scales = Scales(file, bool)
    asyncio.run(main())
