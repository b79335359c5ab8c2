"""pydantic-ai of today: `run_stream` over a `Model` of one's own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cell import Cell, Work
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage
from work import PROMPT, pieces, text_deltas


class Item(BaseModel):
    id: int = 0
    name: str = ""
    score: float = 0
    tags: list[str] = []


class Result(BaseModel):
    title: str = ""
    items: list[Item] = []


@dataclass
class StubResponse(StreamedResponse):
    deltas: list[str]
    tool: str | None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def _get_event_iterator(self) -> AsyncIterator[ModelResponseStreamEvent]:
        self._usage += RequestUsage(input_tokens=50, output_tokens=10)
        parts, name = self._parts_manager, self.tool
        if name is None:
            for delta in self.deltas:
                for event in parts.handle_text_delta(vendor_part_id="text", content=delta):
                    yield event
            return
        for delta in self.deltas:
            made = parts.handle_tool_call_delta_events(vendor_part_id=0, tool_name=name, args=delta, tool_call_id="a")
            name = None  # each one that is given is added to it
            for event in made:
                yield event

    @property
    def model_name(self) -> str:
        return "stub"

    @property
    def provider_name(self) -> str:
        return "none"

    @property
    def provider_url(self) -> None:
        return None

    @property
    def timestamp(self) -> datetime:
        return self.began


class Stub(Model):
    def __init__(self, deltas: list[str]) -> None:
        super().__init__()
        self.deltas = deltas

    async def request(self, *arguments: object) -> ModelResponse:
        raise NotImplementedError

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: object = None,
    ) -> AsyncGenerator[StreamedResponse]:
        tools = model_request_parameters.output_tools
        yield StubResponse(model_request_parameters, self.deltas, tools[0].name if tools else None)

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
    agent = Agent(Stub(deltas), output_type=Result, name="bench")

    async def work() -> int:
        count, partial = 0, Result()
        async with agent.run_stream(PROMPT) as response:
            async for partial in response.stream_output(debounce_by=None):
                count += 1
        assert count >= len(deltas)
        return len(partial.items)

    return work


CELLS: dict[str, Cell] = {
    "text": lambda size: text(size, delta=True),
    "text-cumulative": lambda size: text(size, delta=False),
    "structured": structured,
}
