"""openai-agents: `Runner.run_streamed` over a `Model` of one's own. Structured results are validated at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Model, ModelResponse, RunConfig, Runner
from cell import Cell, Work
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails
from work import PROMPT, text_deltas

CONFIG = RunConfig(tracing_disabled=True)
USAGE = ResponseUsage(
    input_tokens=50,
    output_tokens=10,
    total_tokens=60,
    input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
    output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
)


class Stub(Model):
    def __init__(self, deltas: list[str]) -> None:
        self.deltas = deltas

    async def get_response(self, *arguments: object, **options: object) -> ModelResponse:
        raise NotImplementedError

    async def stream_response(self, *arguments: object, **options: object) -> AsyncIterator[Any]:
        for number, delta in enumerate(self.deltas):
            yield ResponseTextDeltaEvent(
                type="response.output_text.delta",
                content_index=0,
                output_index=0,
                item_id="m",
                delta=delta,
                logprobs=[],
                sequence_number=number,
            )
        text = ResponseOutputText(type="output_text", text="".join(self.deltas), annotations=[])
        message = ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[text])
        response = Response(
            id="r",
            created_at=0,
            model="stub",
            object="response",
            output=[message],
            parallel_tool_calls=False,
            tool_choice="auto",
            tools=[],
            usage=USAGE,
        )
        yield ResponseCompletedEvent(type="response.completed", response=response, sequence_number=len(self.deltas))


def text(size: int) -> Work:
    agent = Agent[None](name="bench", model=Stub(text_deltas(size)))

    async def work() -> int:
        count = 0
        async for event in Runner.run_streamed(agent, PROMPT, run_config=CONFIG).stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                count += 1
        return count

    return work


CELLS: dict[str, Cell] = {"text": text, "text-cumulative": "deltas alone", "structured": "no partial results"}
