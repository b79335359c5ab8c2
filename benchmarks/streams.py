"""Replies that are read while they come, from a model that does nothing but send: what a delta costs."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

from agentgraph import Agent
from agentgraph.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, ReplyBuilder
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage

__all__ = ["streamed_text"]

Row = dict[str, float | str]
REPEATS = 5
WORD = "lorem "


class Sending(StreamedResponse):
    """Sends texts, one after the other."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = iter(pieces)
        self._builder = ReplyBuilder()
        self._usage = Usage(0, 50, 10, 60)
        self._begun = datetime.now(UTC)

    def __aiter__(self) -> AsyncIterator[ModelResponseStreamEvent]:
        return self

    async def __anext__(self) -> ModelResponseStreamEvent:
        """The next text."""
        for piece in self._pieces:
            return self._add(piece)
        raise StopAsyncIteration

    def _add(self, piece: str) -> ModelResponseStreamEvent:
        return self._builder.text(piece)[0]

    def get(self) -> ModelResponse:
        """What was sent."""
        return ModelResponse(self._builder.parts, self.model_name, self._begun)

    def usage(self) -> Usage:
        """The same all the time."""
        return self._usage

    @property
    def model_name(self) -> str:
        """A name."""
        return "sending"

    @property
    def timestamp(self) -> datetime:
        """When it was made."""
        return self._begun


class SendingModel(Model):
    """Replies with texts; does nothing else, so that what is timed is the library."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        """Not without streaming."""
        raise NotImplementedError

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send the texts."""
        yield Sending(self._pieces)

    @property
    def model_name(self) -> str:
        """A name."""
        return "sending"

    @property
    def system(self) -> str:
        """No service."""
        return "bench"


@dataclass(slots=True)
class Delta:
    """What the code by hand hands on."""

    text: str


def streamed_text(deltas: int = 10_000) -> Row:
    """Microseconds of CPU per delta of a text, read as deltas and as the text so far, and of a loop by hand."""
    pieces = [WORD] * deltas
    agent = Agent(SendingModel(pieces), name="bench")

    async def read(*, delta: bool) -> float:
        async with agent.run_stream("go") as response:
            began = time.process_time()
            async for _ in response.stream_text(delta=delta, debounce_by=None):
                pass
            return time.process_time() - began

    floor = anyio.run(_best, lambda: _by_hand(pieces))
    as_deltas = anyio.run(_best, lambda: read(delta=True))
    so_far = anyio.run(_best, lambda: read(delta=False))
    return {
        "workload": f"streamed text, {deltas} deltas",
        "floor us/delta": floor / deltas * 1e6,
        "us/delta": as_deltas / deltas * 1e6,
        "us/delta, text so far": so_far / deltas * 1e6,
        "ratio": as_deltas / floor,
    }


async def _by_hand(pieces: list[str]) -> float:
    """The same without a library: typed deltas, collected, and handed on."""

    async def sent() -> AsyncGenerator[Delta]:
        for piece in pieces:
            yield Delta(piece)

    async def read() -> AsyncGenerator[str]:
        async for delta in sent():
            kept.append(delta.text)
            yield delta.text

    kept = list[str]()
    began = time.process_time()
    async for _ in read():
        pass
    return time.process_time() - began


async def _best(work: Callable[[], Awaitable[float]]) -> float:
    await work()
    return min([await work() for _ in range(REPEATS)])
