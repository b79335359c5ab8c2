"""What asyncio and trio both need: gathering, shielding, lone errors, waking from threads, the portal of sync calls."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Generic, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

__all__ = ["ThreadWaiter", "gather", "lone_error", "run_sync", "shielded"]

T = TypeVar("T")


@contextmanager
def lone_error() -> Generator[None]:
    """Let a single failure leave the task group inside as itself; several leave as their group.

    A group that was itself the failure of a task stays as it is.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        alone, *others = group.exceptions
        if others:
            raise
        raise alone from alone.__cause__


async def gather(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run `calls` side by side; their values in order. The first failure cancels the others and is raised."""
    if len(calls) == 1:
        return [await calls[0]()]
    values: dict[int, T] = {}

    async def work(position: int, call: Callable[[], Awaitable[T]]) -> None:
        values[position] = await call()

    with lone_error():
        async with anyio.create_task_group() as group:
            for position, call in enumerate(calls):
                group.start_soon(work, position, call)
    return [values[position] for position in range(len(calls))]


_shield: ContextVar[bool] = ContextVar("_shield", default=False)


async def shielded(work: Awaitable[T]) -> T:
    """Await `work` to its end even if the caller is cancelled meanwhile; the caller then learns of it afterwards.

    No cancel scope reaches inside. asyncio's own `Task.cancel` does: there it is a `ThreadWaiter` that holds it back,
    which is where stores wait.
    """
    token = _shield.set(True)
    try:
        with anyio.CancelScope(shield=True):
            return await work
    finally:
        _shield.reset(token)
    raise AssertionError  # a scope that nobody cancels ends with its block


class ThreadWaiter(Generic[T]):
    """One value on its way from a thread to the task that made this."""

    def __init__(self) -> None:
        self._woken = anyio.Event()
        self._call_soon = _call_soon()
        self._value: T
        self._error: BaseException | None = None

    def succeed(self, value: T) -> None:
        """Hand over the value, from any thread, once; does nothing if the task's event loop is gone."""
        self._value = value
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Raise `error` in the waiting task, from any thread, once."""
        self._error = error
        self._wake()

    async def wait(self) -> T:
        """The value, as soon as it is there."""
        if _shield.get():
            await _outlasting_asyncio(self._woken)
        else:
            await self._woken.wait()
        if self._error is not None:
            raise self._error
        return self._value

    def _wake(self) -> None:
        with suppress(RuntimeError):  # asyncio's and trio's way to say that the loop has ended
            self._call_soon(self._woken.set)


async def _outlasting_asyncio(event: anyio.Event) -> None:
    """Wait inside a shield: the only cancellation that arrives is asyncio's own, which the task gets afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not event.is_set():
        try:
            await event.wait()
        except asyncio.CancelledError as error:
            cancelled = error
    task = asyncio.current_task() if cancelled is not None else None
    if cancelled is not None and task is not None:
        task.uncancel()  # asked once, it stays asked once: `asyncio.timeout` counts
        task.cancel(*cancelled.args)


def _call_soon() -> Callable[[Callable[[], None]], object]:
    """How another thread gets a function called in the running event loop."""
    trio = sys.modules.get("trio")
    if trio is not None:
        with suppress(RuntimeError):
            call_soon: Callable[[Callable[[], None]], object] = trio.lowlevel.current_trio_token().run_sync_soon
            return call_soon
    return asyncio.get_running_loop().call_soon_threadsafe


# A sync call runs on the event loop of a portal's thread, which lives as long as the process so that connections are
# reused. A call made on that very thread would wait for itself: it takes the portal one level up, and so may the calls
# made inside that one. A context variable carries the level into tasks and worker threads.
_level: ContextVar[int] = ContextVar("_level", default=0)
_portals: list[tuple[int, int, BlockingPortal]] = []  # process id, thread id, portal; the index is the level
_portals_lock = threading.Lock()


def run_sync(function: Callable[[], Awaitable[T]]) -> T:
    """Run an async function to its end from sync code: a script, any thread, or inside a running event loop.

    An interrupt (Ctrl-C) cancels the function and is raised when it has cleaned up.
    """
    level, portal = _portal()
    finished = threading.Event()

    async def main() -> T:
        _level.set(level)
        try:
            return await function()
        finally:
            finished.set()

    future = portal.start_task_soon(main)
    try:
        return future.result()
    except BaseException:
        if not finished.is_set():
            future.cancel()
            finished.wait()
        raise


def _portal() -> tuple[int, BlockingPortal]:
    level = _level.get()
    with _portals_lock:
        if _portals and _portals[0][0] != os.getpid():
            _portals.clear()  # a forked child has none of its parent's threads
        if level < len(_portals) and _portals[level][1] == threading.get_ident():
            level += 1
        while len(_portals) <= level:
            stack = ExitStack()
            portal = stack.enter_context(start_blocking_portal("asyncio", name=f"agentgraph-{len(_portals)}"))
            atexit.register(_close, stack, os.getpid())
            _portals.append((os.getpid(), portal.call(threading.get_ident), portal))
        return level, _portals[level][2]


def _close(stack: ExitStack, pid: int) -> None:
    if pid == os.getpid():  # in a forked child there is no thread to end
        stack.close()
