"""What asyncio and trio both need: gathering, shielding, lone errors, calls to threads and waking from them."""

from __future__ import annotations

import math
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Generic, ParamSpec, Protocol, TypeVar

import anyio
from anyio import to_thread
from anyio.lowlevel import checkpoint

if TYPE_CHECKING:
    import asyncio
    from asyncio import AbstractEventLoop

__all__ = [
    "ThreadWaiter",
    "called_in_loop",
    "cancel_held_back",
    "gather",
    "heed_cancel",
    "in_thread",
    "lone_error",
    "shielded",
    "soon",
    "uninterrupted",
    "woken_together",
]

T = TypeVar("T")
P = ParamSpec("P")


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
    """Run `calls` side by side; their values in order. The first failure cancels the others and is raised.

    Where others fail on top of it, their group is the `__cause__` of the first; an interrupt comes before any failure.
    """
    if len(calls) == 1:
        return [await calls[0]()]
    values: dict[int, T] = {}
    failures: list[Exception] = []

    async def work(position: int, call: Callable[[], Awaitable[T]]) -> None:
        try:
            values[position] = await call()
        except Exception as error:
            failures.append(error)
            raise

    try:
        await _run_all([partial(work, position, call) for position, call in enumerate(calls)])
    except BaseExceptionGroup as group:
        urgent = [error for error in group.exceptions if not isinstance(error, Exception)]
        if len(failures) == 1 and not urgent:  # the call itself raised a group
            raise
        raise [*urgent, *failures][0] from group
    return [values[position] for position in range(len(calls))]


async def _run_all(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    with lone_error():
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(_await, call)


async def _await(call: Callable[[], Awaitable[None]]) -> None:
    await call()


_shield: ContextVar[bool] = ContextVar("_shield", default=False)


async def shielded(work: Awaitable[T]) -> T:
    """Await `work` to its end even if the caller is cancelled meanwhile; the caller then learns of it afterwards.

    No cancel scope reaches inside. asyncio's own `Task.cancel` and trio's `KeyboardInterrupt` do: there it is a
    `ThreadWaiter` that holds them back, which is where stores wait.
    """
    token, values = _shield.set(True), list[T]()
    try:
        with anyio.CancelScope(shield=True):
            values.append(await work)
    finally:
        _shield.reset(token)
    return values[0]


async def in_thread(function: Callable[[], T]) -> T:
    """Call `function` in a worker thread and wait for its end; whoever cancels the caller is heard of afterwards.

    Nothing can stop a thread. Where none is free yet, the wait for one is cancelled.
    """
    call = partial(to_thread.run_sync, function)
    if _trio() is not None:
        return await call()
    import asyncio  # with its streams and TLS it takes as long to load as many of our modules

    ended = Future[T]()

    async def work() -> None:
        try:
            ended.set_result(await call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the caller is
            ended.set_exception(error)

    try:
        async with anyio.create_task_group() as group:  # its end waits, although asyncio cancels the task
            group.start_soon(work)
    except asyncio.CancelledError as cancelled:
        if not ended.done() or isinstance(ended.exception(), asyncio.CancelledError):
            raise
        if anyio.current_effective_deadline() > -math.inf:  # no scope did it, which would do so again
            _cancel_again(cancelled)
    return ended.result(0)


def uninterrupted(function: Callable[[], T]) -> T:
    """Call `function`, which trio's `KeyboardInterrupt` does not reach inside; asyncio's is a cancellation."""
    trio = _trio()
    if trio is None:
        return function()

    def call() -> T:
        return function()

    value: T = trio.lowlevel.enable_ki_protection(call)()
    return value


class ThreadWaiter(Generic[T]):
    """One value on its way from a thread to the task that made this."""

    __slots__ = ("_call_soon", "_error", "_value", "_woken")

    def __init__(self) -> None:
        self._call_soon, self._woken = _flag()
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
            await _outlasting(self._woken)
        else:
            await self._woken.wait()
        return self._outcome()

    async def outlast(self) -> T:
        """The same, as `shielded` would wait for it: who is cancelled meanwhile learns of it afterwards."""
        try:
            await self._woken.wait()
        except _stops() as stop:  # only now a shield is worth its making
            # A scope tells again by itself.
            lasts = isinstance(stop, KeyboardInterrupt) or anyio.current_effective_deadline() > -math.inf
            with anyio.CancelScope(shield=True):
                await _outlasting(self._woken, stop if lasts else None)
        return self._outcome()

    def _outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value

    def _wake(self) -> None:
        asleep: _Asleep | None = getattr(_together, "asleep", None)
        if asleep is None:
            _wake(self._call_soon, [self._woken])
        else:
            asleep.setdefault(self._call_soon, []).append(self._woken)


def called_in_loop(function: Callable[P, None]) -> Callable[P, None]:
    """`function` for other threads: called soon in the event loop that runs here, and not if that has ended by then."""
    return _InLoop(_call_soon(), function)


class _InLoop(Generic[P]):
    """No closure: every run that is under way holds one."""

    __slots__ = ("_call_soon", "_function")

    def __init__(self, call_soon: _CallSoon, function: Callable[P, None]) -> None:
        self._call_soon, self._function = call_soon, function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        with suppress(RuntimeError):  # asyncio's and trio's way to say that the loop has ended
            self._call_soon(partial(self._function, *args, **kwargs))


_CallSoon = Callable[[Callable[[], None]], object]


class _Flag(Protocol):
    """An event of the one library or the other, for one task to wait for."""

    def set(self) -> None: ...
    def is_set(self) -> bool: ...
    async def wait(self) -> object: ...


_Asleep = dict[_CallSoon, list[_Flag]]


class _Future:
    """asyncio's: with no queue of tasks around the one future that is waited for."""

    __slots__ = ("_loop", "_set", "_waited")

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop, self._set = loop, False
        self._waited: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._set = True
        if self._waited is not None and not self._waited.done():
            self._waited.set_result(None)

    def is_set(self) -> bool:
        return self._set

    async def wait(self) -> None:
        if not self._set:
            self._waited = self._loop.create_future()
            await self._waited


_together = threading.local()


@contextmanager
def woken_together() -> Generator[None]:
    """Wake the tasks whose `ThreadWaiter` is served inside, by this thread, at the end: each event loop once.

    One by one, the first would run, and take the time of this thread, before the last is served.
    """
    asleep = _together.asleep = _Asleep()
    try:
        yield
    finally:
        del _together.asleep
        for call_soon, events in asleep.items():
            _wake(call_soon, events)


def _wake(call_soon: _CallSoon, flags: Sequence[_Flag]) -> None:
    def wake() -> None:
        for flag in flags:
            flag.set()

    with suppress(RuntimeError):  # asyncio's and trio's way to say that the loop has ended
        call_soon(wake)


async def _outlasting(flag: _Flag, stopped: BaseException | None = None) -> None:
    """Wait inside a shield: asyncio's own cancellation and trio's interrupt come in; the task gets them afterwards.

    `stopped` is one that has come already.
    """
    import asyncio

    trio = _trio()
    arriving = asyncio.CancelledError if trio is None else KeyboardInterrupt
    while not flag.is_set():
        try:
            await flag.wait()
        except arriving as error:
            stopped = error
    if trio is not None and stopped is not None:
        trio.lowlevel.enable_ki_protection(_interrupt_again)()  # it is not raised here, but where the task waits next
    elif stopped is not None:
        _cancel_again(stopped)


def _stops() -> tuple[type[BaseException], ...]:
    """What cuts a wait off."""
    cancelled = anyio.get_cancelled_exc_class()
    return (cancelled,) if _trio() is None else (cancelled, KeyboardInterrupt)


_held_back: ContextVar[bool] = ContextVar("_held_back", default=False)

cancel_held_back: Callable[[], bool] = _held_back.get
"""Whether `heed_cancel` has something to raise. Asked at each step of a run, so it is no function around one."""


async def heed_cancel() -> None:
    """Raise now what `shielded` or `in_thread` has held back: `asyncio.timeout` takes it for its own only inside."""
    if cancel_held_back():
        _held_back.set(False)
        await checkpoint()


def _interrupt_again() -> None:
    _held_back.set(True)
    signal.raise_signal(signal.SIGINT)


def _cancel_again(cancelled: BaseException) -> None:
    """Let the running asyncio task meet a cancellation that was held back where it waits next."""
    import asyncio

    _held_back.set(True)
    task = asyncio.current_task()
    assert task is not None  # nothing else can be cancelled
    task.uncancel()  # asked once, it stays asked once: `asyncio.timeout` counts
    task.cancel(*cancelled.args)


def _trio() -> ModuleType | None:
    """trio, if that is what runs here."""
    trio = sys.modules.get("trio")
    if trio is not None:
        with suppress(RuntimeError):  # it is not what runs here
            trio.lowlevel.current_trio_token()
            return trio
    return None


def soon(function: Callable[[], None]) -> None:
    """Have `function` called in the running event loop when the tasks that can go on now have had their turn."""
    import asyncio

    trio = _trio()
    if trio is None:
        asyncio.get_running_loop().call_soon(function)
    else:
        trio.lowlevel.current_trio_token().run_sync_soon(function)


def _call_soon() -> _CallSoon:
    """How another thread gets a function called in the running event loop."""
    return _flag()[0]


def _flag() -> tuple[_CallSoon, _Flag]:
    """The same, and what it can set to wake the running task."""
    trio = _trio()
    if trio is None:
        import asyncio

        loop = asyncio.get_running_loop()
        return loop.call_soon_threadsafe, _Future(loop)
    return trio.lowlevel.current_trio_token().run_sync_soon, trio.Event()
