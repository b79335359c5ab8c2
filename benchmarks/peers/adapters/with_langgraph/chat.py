"""langgraph: `create_agent` over `ChatOpenAI`, over the openai package."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from cell import Cell, Served, Work
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.graph.state import CompiledStateGraph
from work import PROMPT

GIVEN = {"messages": [{"role": "user", "content": PROMPT}]}


def agent_at(url: str) -> CompiledStateGraph:
    return create_agent(ChatOpenAI(model="bench", base_url=url, api_key="none"), [])


@asynccontextmanager
async def plain(size: int, url: str) -> AsyncGenerator[Work]:
    agent = agent_at(url)

    async def work() -> int:
        for _ in range(size):
            await agent.ainvoke(GIVEN)
        return size

    yield work


@asynccontextmanager
async def streamed(size: int, url: str) -> AsyncGenerator[Work]:
    agent = agent_at(url)

    async def work() -> int:
        count = 0
        async for message, _ in agent.astream(GIVEN, stream_mode="messages"):
            count += bool(message.content)
        return count

    yield work


CELLS: dict[str, Cell] = {"plain": Served(plain), "streamed": Served(streamed)}
