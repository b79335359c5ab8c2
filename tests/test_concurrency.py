"""What asyncio and trio both need."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import anyio.to_thread
import pytest
import trio
from anyio.lowlevel import checkpoint

from agentgraph.concurrency import ThreadWaiter, gather, lone_error, shielded, woken_together
from agentgraph.exceptions import FallbackExceptionGroup

pytestmark = pytest.mark.anyio


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

    async def test_who_is_there_first_does_not_wait(self) -> None:
        waiter = ThreadWaiter[int]()
        await anyio.to_thread.run_sync(waiter.succeed, 1)
        await checkpoint()
        assert await waiter.wait() == await waiter.outlast() == 1

    async def test_a_scope_that_is_cancelled_is_outlasted(self) -> None:
        waiter, scope, got = ThreadWaiter[int](), anyio.CancelScope(), list[int]()

        async def work() -> None:
            with scope:
                got.append(await waiter.outlast())
                await checkpoint()
                got.append(2)

        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            assert got == []
            waiter.succeed(1)
        assert (got, scope.cancelled_caught) == ([1], True)

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


async def in_a_shield(waiter: ThreadWaiter[int]) -> int:
    return await shielded(waiter.wait())


class TestThreadWaiterOnAsyncio:
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.mark.parametrize("times", [1, 2])
    @pytest.mark.parametrize("wait", [in_a_shield, ThreadWaiter[int].outlast])
    async def test_a_cancelled_task_is_held_back(
        self, times: int, wait: Callable[[ThreadWaiter[int]], Awaitable[int]]
    ) -> None:
        waiter = ThreadWaiter[int]()
        got: list[int] = []

        async def work() -> None:
            got.append(await wait(waiter))
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
