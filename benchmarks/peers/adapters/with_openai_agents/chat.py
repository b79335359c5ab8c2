"""openai-agents: `OpenAIChatCompletionsModel`, over the openai package."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from agents import Agent, OpenAIChatCompletionsModel, RunConfig, Runner
from cell import Cell, Served, Work
from openai import AsyncOpenAI
from work import PROMPT

CONFIG = RunConfig(tracing_disabled=True)


def agent_at(url: str) -> Agent[None]:
    client = AsyncOpenAI(base_url=url, api_key="none")
    return Agent(name="bench", model=OpenAIChatCompletionsModel("bench", client))


@asynccontextmanager
async def plain(size: int, url: str) -> AsyncGenerator[Work]:
    agent = agent_at(url)

    async def work() -> int:
        for _ in range(size):
            await Runner.run(agent, PROMPT, run_config=CONFIG)
        return size

    yield work


@asynccontextmanager
async def streamed(size: int, url: str) -> AsyncGenerator[Work]:
    agent = agent_at(url)

    async def work() -> int:
        count = 0
        async for event in Runner.run_streamed(agent, PROMPT, run_config=CONFIG).stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                count += 1
        return count

    yield work


CELLS: dict[str, Cell] = {"plain": Served(plain), "streamed": Served(streamed)}
