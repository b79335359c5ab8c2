"""What asyncio and trio both need."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from types import FrameType

import anyio
import anyio.to_thread
import pytest
import trio
from anyio.lowlevel import checkpoint

from agentgraph.concurrency import ThreadWaiter, gather, lone_error, run_sync, shielded, woken_together
from agentgraph.exceptions import FallbackExceptionGroup

pytestmark = pytest.mark.anyio

variable: ContextVar[str] = ContextVar("variable", default="unset")


async def value(result: int) -> int:
    await checkpoint()
    return result


async def fail(error: Exception) -> int:
    await checkpoint()
    raise error


class TestLoneError:
    async def test_a_single_failure_leaves_as_itself(self) -> None:
        cause = KeyError()
        error = LookupError()
        error.__cause__ = cause
        with pytest.raises(LookupError) as caught, lone_error():
            async with anyio.create_task_group() as group:
                group.start_soon(fail, error)
        assert caught.value is error
        assert caught.value.__cause__ is cause

    async def test_several_leave_as_their_group(self) -> None:
        with pytest.raises(ExceptionGroup) as caught, lone_error():
            raise ExceptionGroup("two", [ValueError(), KeyError()])
        assert len(caught.value.exceptions) == 2

    async def test_a_group_that_is_the_failure_stays_one(self) -> None:
        error = FallbackExceptionGroup("all", [ValueError()])
        with pytest.raises(FallbackExceptionGroup), lone_error():
            async with anyio.create_task_group() as group:
                group.start_soon(fail, error)

    async def test_no_group_passes(self) -> None:
        with pytest.raises(KeyError), lone_error():
            raise KeyError


class TestGather:
    async def test_values_keep_the_order_of_the_calls(self) -> None:
        done = anyio.Event()

        async def first() -> int:
            await done.wait()
            return 1

        async def second() -> int:
            done.set()
            return 2

        assert await gather([first, second]) == [1, 2]
        assert await gather([partial(value, 3)]) == [3]
        assert await gather([]) == []

    @pytest.mark.parametrize("siblings", [0, 1])
    async def test_the_first_failure_is_raised_and_cancels_the_others(self, siblings: int) -> None:
        ended: list[str] = []

        async def wait() -> int:
            try:
                await anyio.sleep_forever()
            finally:
                ended.append("cancelled")
            return 0

        failing: Callable[[], Awaitable[int]] = partial(fail, FallbackExceptionGroup("x", [KeyError()]))
        with pytest.raises(FallbackExceptionGroup):
            await gather([failing, *[wait] * siblings])
        assert ended == ["cancelled"] * siblings


class TestShielded:
    async def test_what_is_shielded_goes_to_its_end(self) -> None:
        done: list[int] = []

        async def work() -> int:
            done.append(await value(1))
            return 1

        with anyio.CancelScope() as scope:
            scope.cancel()
            assert await shielded(work()) == 1
            await checkpoint()
            done.append(2)
        assert done == [1]


def in_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


class TestThreadWaiter:
    async def test_a_value_comes_from_a_thread(self) -> None:
        waiter = ThreadWaiter[int]()
        thread = in_thread(partial(waiter.succeed, 1))
        assert await waiter.wait() == 1
        thread.join()

    async def test_an_error_comes_from_a_thread(self) -> None:
        waiter = ThreadWaiter[int]()
        thread = in_thread(partial(waiter.fail, KeyError("x")))
        with pytest.raises(KeyError, match="x"):
            await waiter.wait()
        thread.join()

    async def test_waiting_can_be_cancelled(self) -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await ThreadWaiter[int]().wait()
        assert scope.cancelled_caught

    @pytest.mark.parametrize("run", [asyncio.run, anyio.run, trio.run])
    def test_a_loop_that_has_ended_is_no_error(self, run: Callable[..., ThreadWaiter[int]]) -> None:
        async def make() -> ThreadWaiter[int]:
            return ThreadWaiter[int]()

        waiter = run(make) if run is not asyncio.run else run(make())
        waiter.succeed(1)

    async def test_many_are_woken_together_even_if_a_loop_has_ended(self) -> None:
        async def make() -> ThreadWaiter[int]:
            return ThreadWaiter[int]()

        gone = await anyio.to_thread.run_sync(anyio.run, make)
        waiters = [ThreadWaiter[int]() for _ in range(3)]
        woken: list[int] = []

        async def wait(waiter: ThreadWaiter[int]) -> None:
            woken.append(await waiter.wait())

        def serve() -> None:
            with woken_together():
                gone.succeed(-1)
                for number, waiter in enumerate(waiters):
                    waiter.succeed(number)
                assert woken == []

        async with anyio.create_task_group() as group:
            for waiter in waiters:
                group.start_soon(wait, waiter)
            await anyio.to_thread.run_sync(serve)
        assert sorted(woken) == [0, 1, 2]


class TestThreadWaiterOnAsyncio:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.mark.parametrize("times", [1, 2])
    async def test_a_shield_holds_a_cancelled_task_back(self, times: int) -> None:
        waiter = ThreadWaiter[int]()
        got: list[int] = []

        async def work() -> None:
            got.append(await shielded(waiter.wait()))
            await asyncio.sleep(0)
            got.append(2)

        task = asyncio.create_task(work())
        for _ in range(times):
            await asyncio.sleep(0)
            task.cancel("enough")
        await asyncio.sleep(0)
        assert not task.done()
        waiter.succeed(1)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert got == [1]
        assert task.cancelling() == times

    async def test_without_a_shield_it_is_cancelled_at_once(self) -> None:
        task = asyncio.create_task(ThreadWaiter[int]().wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def where() -> tuple[str, str]:
    await checkpoint()
    return variable.get(), threading.current_thread().name


class TestRunSync:
    @pytest.fixture(autouse=True)
    def say(self) -> None:
        variable.set("kept")

    def test_from_a_script(self) -> None:
        assert run_sync(where) == ("kept", "agentgraph-0")
        assert run_sync(where) == ("kept", "agentgraph-0")

    def test_an_error_comes_out_as_it_is(self) -> None:
        with pytest.raises(KeyError, match="x"):
            run_sync(partial(fail, KeyError("x")))

    def test_what_ends_a_program_does_not_end_the_calls_to_come(self) -> None:
        async def leave() -> None:
            await checkpoint()
            sys.exit(3)

        with pytest.raises(SystemExit):
            run_sync(leave)
        assert run_sync(where) == ("kept", "agentgraph-0")

    def test_from_threads(self) -> None:
        seen: list[tuple[str, str]] = []
        threads = [in_thread(lambda: seen.append(run_sync(where))) for _ in range(4)]
        for thread in threads:
            thread.join()
        assert seen == [("unset", "agentgraph-0")] * 4

    async def test_inside_a_running_loop(self) -> None:
        variable.set("async")
        assert run_sync(where) == ("async", "agentgraph-0")

    def test_inside_itself_it_never_waits_for_itself(self) -> None:
        async def nested() -> tuple[str, str]:
            return run_sync(where)

        async def deeper() -> tuple[str, str]:
            return run_sync(nested)

        assert run_sync(nested) == ("kept", "agentgraph-1")
        assert run_sync(deeper) == ("kept", "agentgraph-2")

    def test_from_a_worker_thread_of_a_call(self) -> None:
        async def nested() -> tuple[str, str]:
            return run_sync(where)

        async def through_thread() -> tuple[str, str]:
            return await anyio.to_thread.run_sync(run_sync, nested)

        assert run_sync(through_thread) == ("kept", "agentgraph-1")

    def test_interrupted_before_it_is_handed_over_it_never_begins(self) -> None:
        def interrupt(frame: FrameType, event: str, _: object) -> None:
            if frame.f_code.co_name == "start_task_soon" and event == "call":
                sys.setprofile(None)
                raise KeyboardInterrupt

        begun: list[tuple[str, str]] = []

        async def begin() -> None:
            begun.append(await where())

        run_sync(where)  # the portal is there
        sys.setprofile(interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_sync(begin)
        assert run_sync(where) == ("kept", "agentgraph-0")
        assert begun == []

    def test_two_calls_that_nest_at_once(self) -> None:
        async def nested() -> tuple[str, str]:
            return run_sync(where)

        async def both() -> list[tuple[str, str]]:
            return await gather([nested, nested])

        assert run_sync(both) == [("kept", "agentgraph-1")] * 2


def script(body: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


INTERRUPTED = """
import anyio
from agentgraph.concurrency import run_sync

async def main():
    try:
        print("started", flush=True)
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0)
        print("cleaned up", flush=True)

try:
    run_sync(main)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""

FORKED = """
import os, sys
from agentgraph.concurrency import run_sync

async def value():
    return 1

run_sync(value)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert run_sync(value) == 1
sys.exit(7)
"""


STARVED = """
import os, resource
from agentgraph.concurrency import run_sync

async def value():
    return 1

resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0) + 1, 1024))
try:
    run_sync(value)
except OSError:
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
    assert run_sync(value) == 1
    print("told")
"""


class TestProcesses:
    def test_an_interrupt_cancels_and_is_raised_after_the_cleanup(self) -> None:
        with script(INTERRUPTED) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "started\n"
            os.kill(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=30)
        assert (out, err, process.returncode) == ("cleaned up\ninterrupted\n", "", 0)

    def test_a_loop_that_cannot_be_made_is_told(self) -> None:
        with script(STARVED) as process:
            out, err = process.communicate(timeout=30)
        assert (out, err) == ("told\n", "")

    def test_a_forked_process_has_a_portal_of_its_own_and_ends(self) -> None:
        with script(FORKED) as process:
            _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (7, "")


def test_the_types_say_what_comes_back() -> None:
    given: Callable[[], Awaitable[int]] = partial(value, 1)
    assert run_sync(given) == 1
