"""What every adapter speaks: `python cell.py MODULE CELL SIZE [OPTIONS]` does one piece of work and prints it as JSON.

MODULE, such as `with_burr.graphs`, has a `CELLS`: how its library does the work of each name, or why it cannot. What is
printed is `{"figures": {"wall": [...], "cpu": [...]}, "result": N}`, seconds of each repetition, with `bytes` or
`memory` where they are asked for, or `{"none": "why"}`. Standard library only: each library has its own environment.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypedDict, final

__all__ = [
    "CROWD",
    "Absent",
    "Cell",
    "Crowd",
    "Done",
    "Durable",
    "Figures",
    "Fresh",
    "Job",
    "Resumed",
    "Served",
    "Work",
    "measured",
]

Work: TypeAlias = Callable[[], Awaitable[int]]
"""What is timed; returns a number that shows it was done."""

Options: TypeAlias = Mapping[str, str | int | float]
"""`text` and `synchronous` of a `Job`; `memory` of a `Crowd`: 0 to leave it out; `enough`: see `ENOUGH`."""

CELL = Path(__file__).resolve()
CHAT_SERVER = CELL.with_name("chat_server.py")

ENOUGH = 0.4
"""Seconds after which nothing is repeated, unless the options say otherwise."""

REPETITIONS = 7

SHORTEST = 0.02
"""Seconds that a repetition takes at least: work that takes less is done several times in a row."""

CROWD = 10
"""One of so many runs is enough to see what each of them holds: counting memory costs time."""


def _go_on(done: int) -> None:
    """What a model does that is not to stop anywhere."""
    del done


@dataclass(frozen=True)
class Job:
    """A durable piece of work.

    Attributes:
        size: How many turns a run takes.
        folder: Where the store is.
        text: How many characters each tool call returns.
        synchronous: What SQLite is told about its flushes.
        resume: Is the run there already?
        asked: What the model calls first, with the number of turns that it sees.
    """

    size: int
    folder: Path
    text: int = 1_000
    synchronous: str = "NORMAL"
    resume: bool = False
    asked: Callable[[int], None] = _go_on


Figures: TypeAlias = dict[str, list[float]]
"""`wall` and `cpu` in seconds, of each repetition; `bytes` that are stored; `memory` in bytes."""


@final
class Done(TypedDict):
    """Work that was measured."""

    figures: Figures
    result: int


@final
class Absent(TypedDict):
    """Work that the library has no way to do."""

    none: str


@dataclass(frozen=True)
class Fresh:
    """Work that is made anew, untimed, for each time that it is done: what it leaves would make the next one slower."""

    make: Callable[[int], Work]


@dataclass(frozen=True)
class Crowd:
    """Work whose size is a number of runs that are under way at once, and which is measured for memory too."""

    make: Callable[[int], Work]


@dataclass(frozen=True)
class Served:
    """Work that talks to a chat server: it is given the server's address, and may be done again and again."""

    open: Callable[[int, str], AbstractAsyncContextManager[Work]]


@dataclass(frozen=True)
class Durable:
    """Work on a store, which may be done again and again: each time is another run. What it leaves is measured too."""

    open: Callable[[Job], AbstractAsyncContextManager[Work]]


@dataclass(frozen=True)
class Resumed:
    """The same after its process died at the last call of the model: from opening the store until that call."""

    open: Callable[[Job], AbstractAsyncContextManager[Work]]


Cell: TypeAlias = Callable[[int], Work] | Fresh | Crowd | Served | Durable | Resumed | str
"""How the work is done: a function by itself makes what is done again and again, a text says why there is no way."""


def measured(module: str, name: str, size: int, options: Options) -> Done | Absent:
    """What the line says."""
    cells: Mapping[str, Cell] = importlib.import_module(module).CELLS
    match cells.get(name, "not written"):
        case str(why):
            return {"none": why}
        case Resumed():
            return _resumed([module, name, str(size)], options)
        case Durable(open=opened):
            return asyncio.run(_durable(opened, size, options))
        case Served(open=opened):
            return asyncio.run(_served(opened, size, options))
        case Crowd(make=make):
            return asyncio.run(_crowd(make, size, options))
        case Fresh(make=make):
            return asyncio.run(_fresh(make, size, options))
        case make:
            return asyncio.run(_timed(make, size, options))


async def _timed(make: Callable[[int], Work], size: int, options: Options) -> Done:
    await make(_little(size))()
    work = make(size)
    return await _repeated(lambda: work, options)


async def _fresh(make: Callable[[int], Work], size: int, options: Options) -> Done:
    await make(_little(size))()
    return await _repeated(lambda: make(size), options)


def _little(size: int) -> int:
    """As much of the work as loads and compiles what it needs."""
    return min(size, max(size // 100, 10))


async def _repeated(make: Callable[[], Work], options: Options) -> Done:
    """Repeat until there is enough of it: each time the work, as often in a row as it takes to be measurable."""
    often, (wall, cpu, result) = 1, await _once([make()])
    while wall < SHORTEST:  # what is done for the first time takes longer than ever after
        often = math.ceil(often * min(10, 1.2 * SHORTEST / max(wall, 1e-7)))
        wall, cpu, result = await _once([make() for _ in range(often)])
    enough = float(options.get("enough", ENOUGH))
    times = [(wall / often, cpu / often)]
    while len(times) < REPETITIONS and sum(each for each, _ in times) * often < enough:
        wall, cpu, result = await _once([make() for _ in range(often)])
        times.append((wall / often, cpu / often))
    return {"figures": {"wall": [each for each, _ in times], "cpu": [each for _, each in times]}, "result": result}


async def _once(works: list[Work]) -> tuple[float, float, int]:
    result = 0
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    for work in works:
        result = await work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


async def _crowd(make: Callable[[int], Work], size: int, options: Options) -> Done:
    said = await _timed(make, size, options)
    if not options.get("memory", 1):
        return said
    work = make(size // CROWD)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    await work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"figures": {**said["figures"], "memory": [float(peak - before)]}, "result": said["result"]}


async def _served(opened: Callable[[int, str], AbstractAsyncContextManager[Work]], size: int, options: Options) -> Done:
    with _chat_server(size) as url:
        async with opened(size, url) as work:
            await work()
            return await _repeated(lambda: work, options)


@contextmanager
def _chat_server(chunks: int) -> Generator[str]:
    """The address of a chat server in a process of its own."""
    server = subprocess.Popen([sys.executable, str(CHAT_SERVER), str(chunks)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.communicate()


async def _durable(opened: Callable[[Job], AbstractAsyncContextManager[Work]], size: int, options: Options) -> Done:
    with tempfile.TemporaryDirectory() as folder:
        async with opened(_job(_little(size), Path(folder), options)) as work:
            await work()
    runs = 0
    with tempfile.TemporaryDirectory() as folder:
        async with opened(_job(size, Path(folder), options)) as work:

            async def counted() -> int:
                nonlocal runs
                runs += 1
                return await work()

            said = await _repeated(lambda: counted, options)
        stored = _stored(Path(folder))
    return {"figures": {**said["figures"], "bytes": [stored / runs]}, "result": said["result"]}


def _stored(folder: Path) -> int:
    """The bytes of all files in there."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())


def _resumed(arguments: list[str], options: Options) -> Done:
    """Let one process die at the last call of the model, then others go on with copies of what it left."""
    with tempfile.TemporaryDirectory() as folder:
        _by_another("left", arguments, options, Path(folder, "left"))
        said: list[tuple[float, float]] = []
        while len(said) < REPETITIONS and sum(wall for wall, _ in said) < float(options.get("enough", ENOUGH)):
            copy = Path(folder, f"copy-{len(said)}")
            shutil.copytree(Path(folder, "left"), copy)
            wall, cpu = _by_another("taken", arguments, options, copy).split()
            said.append((float(wall), float(cpu)))
    return {"figures": {"wall": [each for each, _ in said], "cpu": [each for _, each in said]}, "result": 1}


def _by_another(how: str, arguments: list[str], options: Options, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, str(CELL), *arguments, json.dumps(options), how, str(folder)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return ran.stdout


async def _left_or_taken(cell: Cell, size: int, options: Options, how: str, folder: Path) -> None:
    """Run until the last call of the model; there, say how long it took to get to it, and die."""
    assert isinstance(cell, Resumed)

    def asked(done: int) -> None:
        if done == size:
            print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)
            os._exit(0)

    resume = how == "taken"
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    async with cell.open(_job(size, folder, options, resume=resume, asked=asked)) as work:
        await work()
    raise RuntimeError(f"the model was never asked after {size} turns")


def _job(
    size: int,
    folder: Path,
    options: Options,
    *,
    resume: bool = False,
    asked: Callable[[int], None] = _go_on,
) -> Job:
    text, synchronous = int(options.get("text", 1_000)), str(options.get("synchronous", "NORMAL"))
    return Job(size, folder, text, synchronous, resume, asked)


def main(module: str, name: str, size: str, options: str = "{}", how: str = "", folder: str = "") -> None:
    """Do what the arguments ask for, and say how long it took."""
    if how:
        cell = importlib.import_module(module).CELLS[name]
        asyncio.run(_left_or_taken(cell, int(size), json.loads(options), how, Path(folder)))
    else:
        print(json.dumps(measured(module, name, int(size), json.loads(options))))


if __name__ == "__main__":
    sys.modules["cell"] = sys.modules["__main__"]  # what adapters import is this very module
    main(*sys.argv[1:])
