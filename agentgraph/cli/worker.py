"""`agentgraph worker`: executes submitted runs of one's own agents and graphs."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Annotated

import anyio
import typer
from typing_extensions import TypeIs

from agentgraph.concurrency import lone_error
from agentgraph.distributed import Dispatcher, Serveable, Served, ServeOptions, open_dispatcher, tell_health
from agentgraph.exceptions import StoreError
from agentgraph.observe import LoggingObserver

from .errors import RefusedError
from .printing import console
from .stores import DEFAULT_STORE, given_cipher
from .target import is_agent, is_graph, load

__all__ = ["worker"]

WorkStoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="AGENTGRAPH_STORE",
        metavar="URL",
        help="Where the runs are kept: postgresql://… for any number of workers, or a file for this machine.",
    ),
]


_GRACE = 25.0
"""Seconds that steps may take to end: less than what supervisors give a process that they end."""


_LAST_PORT = 65535


def worker(
    agents: Annotated[
        list[str],
        typer.Argument(metavar="MODULE:ATTR...", help="Agents, graphs, or lists of them, to execute."),
    ],
    store: WorkStoreOption = DEFAULT_STORE,
    concurrency: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Runs of a queue that each of its workers executes at once.")
    ] = None,
    queue: Annotated[
        list[str] | None, typer.Option(metavar="Q", help="A queue to take runs from; by default those of the agents.")
    ] = None,
    version: Annotated[str | None, typer.Option(metavar="V", help="Of the code: only its runs are taken.")] = None,
    lease: Annotated[
        float, typer.Option(metavar="S", min=0.5, help="Seconds after which others take over from a silent worker.")
    ] = 15.0,
    health: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where to tell whether it works.")] = None,
) -> None:
    """Execute submitted runs until SIGTERM or Ctrl-C; then steps end, and runs are handed on."""
    served = [each for target in agents for each in _served(target)]
    options: ServeOptions = {"grace": _GRACE, "concurrency": concurrency}
    if queue:
        options["queues"] = queue
    place = None if health is None else _place(health)
    try:
        dispatcher = open_dispatcher(
            store,
            version=version,
            lease=lease,
            stale_after=lease,
            observers=[LoggingObserver()],
            cipher=given_cipher(),
        )
    except StoreError as error:
        raise RefusedError(error.message) from error
    anyio.run(_work, dispatcher, served, options, place)


def _served(target: str) -> list[Serveable]:
    found = load(target)
    each_of = [*found] if _is_list(found) else [found]
    wrong = [type(each).__name__ for each in each_of if not _is_serveable(each)]
    if wrong or not each_of:
        raise RefusedError(f"{target} has {', '.join(wrong) or 'nothing'}: name agents, graphs, or lists of them")
    served = [each for each in each_of if _is_serveable(each)]
    if len(served) == 1 and found is served[0]:
        _name(served[0], target)
    return served


def _is_list(found: object) -> TypeIs[list[object] | tuple[object, ...]]:
    return isinstance(found, list | tuple)


def _is_serveable(found: object) -> TypeIs[Serveable]:
    return isinstance(found, Served) or is_agent(found) or is_graph(found)


def _name(served: Serveable, target: str) -> None:
    """Who has no name has that of its variable, as where it is run."""
    what = served.what if isinstance(served, Served) else served
    what.name = what.name or target.rpartition(":")[2].rpartition(".")[2]


def _place(health: str) -> tuple[str, int]:
    host, _, port = health.rpartition(":")
    if not port.isdecimal() or int(port) > _LAST_PORT:
        raise RefusedError(f"--health {health!r} is no address; write HOST:PORT, such as 127.0.0.1:8080")
    return host or "127.0.0.1", int(port)


async def _work(
    dispatcher: Dispatcher, served: Sequence[Serveable], options: ServeOptions, place: tuple[str, int] | None
) -> None:
    options["ready"] = lambda: console().print(f"serving {', '.join(dispatcher.health().queues)}")
    try:
        with lone_error():
            await _serve(dispatcher, served, options, place)
    finally:
        await dispatcher.aclose()


async def _serve(
    dispatcher: Dispatcher, served: Sequence[Serveable], options: ServeOptions, place: tuple[str, int] | None
) -> None:
    async with anyio.create_task_group() as group:
        if place is not None:
            group.start_soon(_tell, *place, dispatcher)
        group.start_soon(_end_on_signal, dispatcher)
        await dispatcher.serve(served, **options)
        group.cancel_scope.cancel()


async def _tell(host: str, port: int, dispatcher: Dispatcher) -> None:
    try:
        await tell_health(host, port, dispatcher.health, _told)
    except OSError as error:
        raise RefusedError(f"health cannot be told at {host}:{port}: {error}") from error


async def _end_on_signal(dispatcher: Dispatcher) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            dispatcher.stop()


def _told(port: int) -> None:
    console().print(f"health at port {port}")
