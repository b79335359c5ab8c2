"""agentgraph: `run_stream`; text as deltas and cumulative, a result tool whose arguments are validated as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from cell import Cell, Work
from pydantic import BaseModel
from work import PROMPT, pieces, text_deltas

from agentgraph import Agent
from agentgraph.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent, ReplyBuilder
from agentgraph.model import Model, ModelRequestParameters, StreamedResponse
from agentgraph.settings import ModelSettings
from agentgraph.usage import Usage


class Item(BaseModel):
    id: int = 0
    name: str = ""
    score: float = 0
    tags: list[str] = []


class Result(BaseModel):
    title: str = ""
    items: list[Item] = []


class StubResponse(StreamedResponse):
    def __init__(self, deltas: list[str], tool: str | None) -> None:
        self.builder, self.began = ReplyBuilder(), datetime.now(UTC)
        self.events = self._events(deltas, tool)

    async def _events(self, deltas: list[str], tool: str | None) -> AsyncIterator[ModelResponseStreamEvent]:
        for delta in deltas:
            builder = self.builder
            for event in (
                builder.text(delta) if tool is None else builder.tool_call(0, name=tool, args=delta, call_id="a")
            ):
                yield event

    def __aiter__(self) -> AsyncIterator[ModelResponseStreamEvent]:
        return self.events

    def get(self) -> ModelResponse:
        return ModelResponse(self.builder.parts, model_name="stub", timestamp=self.began)

    def usage(self) -> Usage:
        return Usage(0, 50, 10, 60)

    @property
    def model_name(self) -> str:
        return "stub"

    @property
    def timestamp(self) -> datetime:
        return self.began


class Stub(Model):
    def __init__(self, deltas: list[str]) -> None:
        self.deltas = deltas

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> tuple[ModelResponse, Usage]:
        raise NotImplementedError

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncGenerator[StreamedResponse]:
        tools = model_request_parameters.result_tools
        yield StubResponse(self.deltas, tools[0].name if tools else None)

    @property
    def model_name(self) -> str:
        return "stub"

    @property
    def system(self) -> str:
        return "none"


def text(size: int, *, delta: bool) -> Work:
    agent = Agent(Stub(text_deltas(size)), name="bench")

    async def work() -> int:
        count = 0
        async with agent.run_stream(PROMPT) as response:
            async for _ in response.stream_text(delta=delta, debounce_by=None):
                count += 1
        return count

    return work


def structured(size: int) -> Work:
    deltas = pieces(size)
    agent = Agent(Stub(deltas), result_type=Result, name="bench")

    async def work() -> int:
        count, partial = 0, Result()
        async with agent.run_stream(PROMPT) as response:
            async for partial in response.stream(debounce_by=None):
                count += 1
        assert count >= len(deltas)
        return len(partial.items)

    return work


CELLS: dict[str, Cell] = {
    "text": lambda size: text(size, delta=True),
    "text-cumulative": lambda size: text(size, delta=False),
    "structured": structured,
}
