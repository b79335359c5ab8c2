"""What comes to its end although its caller is cancelled: threads, and what is shielded from an interrupt."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Generator
from functools import partial

import anyio
import anyio.to_thread
import pytest
import trio
from anyio.lowlevel import checkpoint

from agentgraph.concurrency import ThreadWaiter, called_in_loop, heed_cancel, in_thread, shielded, uninterrupted

pytestmark = pytest.mark.anyio


class Work:
    """A function for a thread: it begins, and ends when it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go, self.error = threading.Event(), threading.Event(), error

    def __call__(self) -> str:
        self.begun.set()
        self.go.wait()
        if self.error is not None:
            raise self.error
        return "done"

    async def under_way(self) -> None:
        await anyio.to_thread.run_sync(self.begun.wait)


async def test_a_function_is_called_in_a_thread() -> None:
    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await in_thread(partial(divmod, 1, 0))


async def test_who_is_cancelled_by_a_scope_waits_for_the_thread_and_has_its_value() -> None:
    work, got = Work(), list[str]()

    async def call() -> None:
        with scope:
            got.append(await in_thread(work))
            await checkpoint()
            got.append("went on")

    scope = anyio.CancelScope()
    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await work.under_way()
        scope.cancel()
        await checkpoint()
        work.go.set()
    assert (got, scope.cancelled_caught) == (["done"], True)


class TestTasksOfAsyncio:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"  # trio knows no cancellation but that of scopes

    @pytest.mark.parametrize("error", [None, KeyError("x")])
    async def test_a_cancelled_task_waits_for_the_thread_and_has_its_outcome(self, error: KeyError | None) -> None:
        work, got = Work(error), list[object]()

        async def call() -> None:
            try:
                got.append(await in_thread(work))
            except KeyError as raised:
                got.append(raised)
            await heed_cancel()
            got.append("went on")

        task = asyncio.create_task(call())
        await work.under_way()
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        work.go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (got, task.cancelling()) == (["done" if error is None else error], 1)

    async def test_what_no_thread_was_free_for_is_not_begun(self) -> None:
        works = [Work() for _ in range(2)]
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        tasks = [asyncio.create_task(in_thread(work)) for work in works]
        while not works[0].begun.is_set():  # noqa: ASYNC110 - no thread is left to wait for a thread
            await asyncio.sleep(0)
        tasks[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        works[0].go.set()
        assert await tasks[0] == "done"
        assert not works[1].begun.is_set()

    async def test_a_timeout_is_told_as_one(self) -> None:
        work = Work()

        async def call() -> None:
            async with asyncio.timeout(0):
                threading.Timer(0, work.go.set).start()
                await in_thread(work)
                await heed_cancel()

        with pytest.raises(TimeoutError):
            await call()
        await heed_cancel()  # once is enough


@pytest.fixture
def interruptible() -> Generator[None]:
    """Let an interrupt arrive as it does in a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_then(noticed: Callable[[], None], done: threading.Event, go: Callable[[], None]) -> None:
    """What a thread does: the event loop has seen the interrupt when `go` is called."""
    os.kill(os.getpid(), signal.SIGINT)
    noticed()
    done.wait()
    go()


async def in_a_shield(waiter: ThreadWaiter[int]) -> int:
    return await shielded(waiter.wait())


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("wait", [in_a_shield, ThreadWaiter[int].outlast])
def test_an_interrupt_of_trio_does_not_cut_off_what_is_shielded(
    wait: Callable[[ThreadWaiter[int]], Awaitable[int]],
) -> None:
    got: list[int] = []

    async def main() -> None:
        waiter, done = ThreadWaiter[int](), threading.Event()
        noticed = called_in_loop(done.set)
        thread = threading.Thread(target=interrupt_then, args=(noticed, done, partial(waiter.succeed, 1)))
        called_in_loop(thread.start)()  # once the task waits
        got.append(await wait(waiter))
        thread.join()
        await heed_cancel()
        got.append(2)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert got == [1]


def test_trios_interrupt_does_not_reach_what_is_uninterrupted() -> None:
    got: list[int] = []

    def work() -> int:
        signal.raise_signal(signal.SIGINT)
        return 1

    async def main() -> None:
        got.append(uninterrupted(work))

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert got == [1]
