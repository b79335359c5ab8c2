"""The portal behind every sync call: an event loop in a thread of its own, which serves all of a program.

A sync call runs on the event loop of a portal's thread, which lives as long as the process so that connections are
reused. A call made on that very thread would wait for itself: it takes the portal one level up, and so may the calls
made inside that one. A context variable carries the level into tasks and worker threads.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from contextvars import ContextVar
from typing import Generic, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

__all__ = ["run_sync"]

T = TypeVar("T")

_level: ContextVar[int] = ContextVar("_level", default=0)
_portals: list[tuple[int, BlockingPortal]] = []  # thread id and portal; the index is the level
_portals_lock = threading.Lock()

_GLANCE = 0.5
"""Seconds after which a thread that waits for a sync call looks for interrupts."""


def run_sync(function: Callable[[], Awaitable[T]]) -> T:
    """Run an async function to its end from sync code: a script, any thread, or inside a running event loop.

    An interrupt (Ctrl-C) cancels the function and is raised when it has cleaned up.
    """
    level, portal = _portal()
    call = _SyncCall(function, level)
    try:
        future = portal.start_task_soon(call.main)
        while not future.done():  # what interrupts just before a wait begins is noticed only after it
            wait([future], _GLANCE)
        future.result()
    except BaseException:
        # The interrupt may have come before the future of the task was there, so that is no help.
        if not call.finished.is_set() and portal.call(call.cancel):
            call.finished.wait()
        raise
    return call.value()


class _SyncCall(Generic[T]):
    """A function that runs on a portal's thread for a caller that waits for it."""

    def __init__(self, function: Callable[[], Awaitable[T]], level: int) -> None:
        self._function, self._level = function, level
        self._scope: anyio.CancelScope | None = None
        self._values: list[T] = []
        self._escaped: BaseException | None = None
        self.finished = threading.Event()

    async def main(self) -> None:
        _level.set(self._level)
        try:
            with anyio.CancelScope() as self._scope:
                self._values.append(await self._function())
        except (Exception, anyio.get_cancelled_exc_class()):
            raise
        except BaseException as error:  # noqa: BLE001 - such as SystemExit: it would end the portal, for all its users
            self._escaped = error
        finally:
            self.finished.set()

    def cancel(self) -> bool:
        """Cancel the function; whether it has begun. The portal keeps the order, so else it never will."""
        if self._scope is None:
            return False
        self._scope.cancel()
        return True

    def value(self) -> T:
        """What the function returned, or what it raised to end the program."""
        if self._escaped is not None:
            raise self._escaped
        return self._values[0]


def _portal() -> tuple[int, BlockingPortal]:
    level = _level.get()
    with _portals_lock:
        if level < len(_portals) and _portals[level][0] == threading.get_ident():
            level += 1
        while len(_portals) <= level:
            portal, thread = _start_portal(f"agentgraph-{len(_portals)}")
            _portals.append((thread.ident or 0, portal))
        return level, _portals[level][1]


def _start_portal(name: str) -> tuple[BlockingPortal, threading.Thread]:
    started: Future[BlockingPortal] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            started.set_result(portal)
            await portal.sleep_until_stopped()

    def run() -> None:
        try:
            anyio.run(serve)
        except OSError as error:  # no event loop is to be had where no more files can be opened
            started.set_exception(error)

    # Not anyio's start_blocking_portal: what it returns ends the thread when it is collected, and a forked child, which
    # has no such thread, would wait for it at its end.
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    portal = started.result()
    atexit.register(_stop, portal, thread)
    return portal, thread


def _stop(portal: BlockingPortal, thread: threading.Thread) -> None:
    portal.call(portal.stop, True)
    thread.join()


def _forget_portals() -> None:
    """A forked child has none of its parent's threads, and perhaps a lock that one of them held."""
    global _portals_lock  # noqa: PLW0603 - the portals are the process's own
    _portals_lock = threading.Lock()
    _portals.clear()
    atexit.unregister(_stop)


with suppress(AttributeError):  # where there is no fork
    os.register_at_fork(after_in_child=_forget_portals)
