"""pydantic-ai of today: `OpenAIChatModel`, over the openai package."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from cell import Cell, Served, Work
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from work import PROMPT


def agent_at(url: str) -> Agent[None, str]:
    return Agent(OpenAIChatModel("bench", provider=OpenAIProvider(base_url=url, api_key="none")), name="bench")


@asynccontextmanager
async def plain(size: int, url: str) -> AsyncGenerator[Work]:
    agent = agent_at(url)

    async def work() -> int:
        for _ in range(size):
            await agent.run(PROMPT)
        return size

    yield work


@asynccontextmanager
async def streamed(size: int, url: str) -> AsyncGenerator[Work]:
    agent = agent_at(url)

    async def work() -> int:
        count = 0
        async with agent.run_stream(PROMPT) as response:
            async for _ in response.stream_text(delta=True, debounce_by=None):
                count += 1
        return count

    yield work


CELLS: dict[str, Cell] = {"plain": Served(plain), "streamed": Served(streamed)}
