"""Sync calls: on a portal's thread, from anywhere, interrupted, forked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from types import FrameType

import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint

from agentgraph.concurrency import gather
from agentgraph.portal import run_sync

pytestmark = pytest.mark.anyio

variable: ContextVar[str] = ContextVar("variable", default="unset")


async def value(result: int) -> int:
    await checkpoint()
    return result


async def fail(error: Exception) -> int:
    await checkpoint()
    raise error


def in_thread(function: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    return thread


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
from agentgraph.portal import run_sync

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
from agentgraph.portal import run_sync

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
from agentgraph.portal import run_sync

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
