"""Many runs of one agent in flight at once: how long they take together, and how much memory each takes.

Beside it the floor: the same work by hand, a task per run in one task group, with typed nodes, arguments that pydantic
validates, and messages that it dumps and that are kept in memory.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import anyio
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from agentgraph import Agent

from .workload import looping_agent, tool_text

__all__ = ["many_runs"]

Row = dict[str, float | str]
Begin = Callable[[], Coroutine[Any, Any, object]]

WAIT = 0.05
"""Seconds that the model takes to reply."""

TEXT = tool_text(100)


def many_runs(runs: int, turns: int = 3) -> Row:
    """Seconds for so many runs side by side, and the KB that each takes when they take most; beside the floor's."""
    agent = looping_agent(turns, len(TEXT), WAIT)
    row: Row = {"workload": f"{runs} runs in flight, {turns} tool turns"}
    for name, begin in (("", partial(_one_run, agent)), ("floor ", partial(_by_hand, turns))):
        # Counting memory costs time, so each of the two has a round of its own.
        seconds, size = anyio.run(_seconds, begin, runs), anyio.run(_bytes, begin, runs)
        row |= {f"{name}seconds": seconds, f"{name}KB/run": size / runs / 1000}
    return row


async def _one_run(agent: Agent[None, str]) -> None:
    await agent.run("go")


async def _seconds(begin: Begin, runs: int) -> float:
    await begin()
    gc.collect()
    began = time.perf_counter()
    await _together(begin, runs)
    return time.perf_counter() - began


async def _bytes(begin: Begin, runs: int) -> float:
    await begin()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await _together(begin, runs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


async def _together(begin: Begin, runs: int) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(runs):
            group.start_soon(begin)


@dataclass(slots=True)
class Request:
    """What is said to the model."""

    text: str
    kind: Literal["request"] = "request"


@dataclass(slots=True)
class Reply:
    """What it says: a text, or the arguments of a call."""

    text: str | None
    arguments: str | None = None
    kind: Literal["reply"] = "reply"


@dataclass(slots=True)
class State:
    """What a run by hand remembers."""

    turns: int
    messages: list[Request | Reply] = field(default_factory=list[Request | Reply])
    stored: list[bytes] = field(default_factory=list[bytes])

    def add(self, message: Request | Reply) -> None:
        """Remember it, and store it."""
        self.messages.append(message)
        self.stored.append(MESSAGE.dump_json(message))


class Arguments(TypedDict):
    """Of the tool."""

    n: int


MESSAGE = TypeAdapter[Request | Reply](Request | Reply)
ARGUMENTS = TypeAdapter(Arguments)


@dataclass(slots=True)
class Ask:
    """Asks the model."""

    request: Request

    async def run(self, state: State) -> Handle:
        """Wait for its reply."""
        state.add(self.request)
        await anyio.sleep(WAIT)
        done = (len(state.messages) - 1) // 2
        reply = Reply(None, f'{{"n": {done}}}') if done < state.turns else Reply("done")
        state.add(reply)
        return Handle(reply)


@dataclass(slots=True)
class Handle:
    """Handles a reply."""

    reply: Reply

    async def run(self, state: State) -> Ask | str:
        """Call the tool, or end."""
        del state
        if self.reply.arguments is None:
            return self.reply.text or ""
        return Ask(Request(await _look_up(**ARGUMENTS.validate_json(self.reply.arguments))))


async def _look_up(n: int) -> str:
    del n
    return TEXT


async def _by_hand(turns: int) -> str:
    state = State(turns)
    node: Ask | Handle | str = Ask(Request("go"))
    while not isinstance(node, str):
        node = await node.run(state)
    return node
